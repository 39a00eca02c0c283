"""Every resource of the client reads the demo company, with the expected number of requests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_bitbucket import client as bitbucket
from airflow_provider_bitbucket.client import AccessToken, ApiToken, BitbucketClient
from airflow_provider_bitbucket.client.resources.pull_requests import STATES
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.client.timing import Time
from tests.openapi import OpenApi

REPOSITORIES = {"api", "web", "mobile", "data-platform", "infrastructure", "docs"}


@pytest.fixture
def demo(bitbucket_demo: BitbucketEmulator, time: Time) -> BitbucketClient:
    """A client of the demo company."""
    return BitbucketClient(
        ApiToken(*bitbucket_demo.api_token), "acme", bitbucket_demo.api_url, rate_limit=10**6, clock=time.clock
    )


@pytest.fixture
def cost(bitbucket_demo: BitbucketEmulator) -> Callable[[], int]:
    """The number of requests since the test began."""
    bitbucket_demo.reset_requests()
    return lambda: sum(bitbucket_demo.requests().values())


def test_users(demo: BitbucketClient) -> None:
    me = demo.users.me()
    assert demo.users.get(me["uuid"])["display_name"] == me["display_name"]
    assert demo.users.get(me["account_id"])["uuid"] == me["uuid"]
    with pytest.raises(bitbucket.BitbucketNotFoundError, match="No user with identifier"):
        demo.users.get("a-name")


def test_workspaces(demo: BitbucketClient, cost: Callable[[], int]) -> None:
    assert demo.workspaces.get()["slug"] == demo.workspaces.get("acme")["slug"] == "acme"
    assert demo.users.me()["uuid"] in {member["user"]["uuid"] for member in demo.workspaces.members()}
    assert cost() == 4
    with pytest.raises(bitbucket.BitbucketPermissionError, match="do not have access to this workspace"):
        demo.workspaces.get("elsewhere")


def test_repositories(demo: BitbucketClient, cost: Callable[[], int]) -> None:
    rows = [*demo.repositories.list()]
    assert {row["slug"] for row in rows} == REPOSITORIES
    assert [*demo.repositories.list("acme", q='full_name = "acme/web"', fields="values.slug")] == [{"slug": "web"}]
    assert {row["slug"] for row in demo.repositories.list(sort="-updated_on")} == REPOSITORIES
    assert cost() == 3
    uuid = demo.repositories.get("web")["uuid"]
    for name in ("acme/web", uuid, f"acme/{uuid}", " web "):
        assert demo.repositories.get(name)["full_name"] == "acme/web"


@pytest.mark.parametrize("name", ["", "  ", "/web", "acme/", "a/b/c", "..", "acme/.."])
def test_a_malformed_repository_name_is_refused_without_a_request(
    demo: BitbucketClient, cost: Callable[[], int], name: str
) -> None:
    with pytest.raises(ValueError, match=r"Repository is|cannot be part of an address"):
        demo.repositories.get(name)
    assert cost() == 0


def test_the_error_for_a_missing_workspace_names_the_ways_to_give_one() -> None:
    client = BitbucketClient(AccessToken("t"))
    assert client.repository_path("acme/api") == "/repositories/acme/api"
    with pytest.raises(ValueError, match="No workspace: give one to the client, to the call, or write the repository as"):
        client.repositories.get("api")


def test_pull_requests(demo: BitbucketClient) -> None:
    rows = [*demo.pull_requests.list("web")]
    assert {row["state"] for row in rows} <= set(STATES)
    assert len([*demo.pull_requests.list("web", states=["OPEN"])]) == sum(row["state"] == "OPEN" for row in rows)
    assert rows[0].keys() >= {"participants", "reviewers"}
    assert "participants" not in next(demo.pull_requests.list("web", fields=None))
    merged = next(row for row in rows if row["state"] == "MERGED" and row["comment_count"])
    number = merged["id"]
    assert demo.pull_requests.get("web", number)["rendered"]
    timeline = [*demo.pull_requests.activity("web", number)]
    assert {entry["pull_request"]["id"] for entry in timeline} == {number}
    assert any(entry.get("update", {}).get("state") == "MERGED" for entry in timeline)
    assert len([*demo.pull_request_comments.list("web", number)]) >= merged["comment_count"]
    assert all(len(commit["hash"]) == 40 for commit in demo.pull_requests.commits("web", number))
    assert sum(row["lines_added"] + row["lines_removed"] for row in demo.pull_requests.diffstat("web", number)) > 0
    assert all(row["type"] == "build" for row in demo.pull_requests.statuses("web", number))


def test_the_redirect_of_a_diffstat_is_followed_with_credentials(
    demo: BitbucketClient, bitbucket_demo: BitbucketEmulator, cost: Callable[[], int]
) -> None:
    assert [*demo.pull_requests.diffstat("web", 1)]
    asked = bitbucket_demo.control("GET", "requests?recent=2")["recent"]
    assert [one["status"] for one in asked] == [302, 200]
    assert cost() == 2


def test_deployments_and_environments(demo: BitbucketClient, bitbucket_demo: BitbucketEmulator) -> None:
    environments = {row["uuid"]: row["environment_type"]["name"] for row in demo.environments.list("api")}
    assert "Production" in environments.values()
    bitbucket_demo.reset_requests()
    deployments = [*demo.deployments.list("api")]
    assert {row["environment"]["uuid"] for row in deployments} <= set(environments)
    assert sum(bitbucket_demo.requests().values()) == len(deployments) // 100 + 1
    one = demo.deployments.get("api", deployments[0]["uuid"])
    assert one["uuid"] == deployments[0]["uuid"]
    assert demo.environments.get("api", one["environment"]["uuid"])["name"]


def test_commits(demo: BitbucketClient, bitbucket_demo: BitbucketEmulator) -> None:
    bitbucket_demo.reset_requests()
    commits = [*demo.commits.list("api", include="main")]
    assert sum(bitbucket_demo.requests().values()) == -(-len(commits) // 100)
    head = commits[0]["hash"]
    assert demo.commits.get("api", head[:12])["hash"] == head == demo.refs.branch("api", "main")["target"]["hash"]
    assert [*demo.commits.list("api", include="main", exclude=head)] == []
    assert {row["type"] for row in demo.build_statuses.list("api", head)} <= {"build"}
    with pytest.raises(bitbucket.BitbucketNotFoundError, match=r"Commit not found.*none"):
        [*demo.commits.list("api", include="none")]


def test_refs(client: BitbucketClient) -> None:
    head = client.refs.branch("api", "main")["target"]["hash"]
    for name in ("v10", "v2", "release/1"):
        client.post("/repositories/acme/api/refs/branches", {"name": name, "target": {"hash": head}})
        client.post("/repositories/acme/api/refs/tags", {"name": name, "target": {"hash": head}})
    assert {row["name"] for row in client.refs.branches("api")} == {"main", "v10", "v2", "release/1"}
    assert [row["name"] for row in client.refs.branches("api", q='name ~ "release/"')] == ["release/1"]
    assert {row["name"] for row in client.refs.tags("api")} == {"v10", "v2", "release/1"}
    assert client.refs.tag("api", "release/1")["target"]["hash"] == head
    with pytest.raises(bitbucket.BitbucketNotFoundError):
        client.refs.tag("api", "v3")


def test_lists_that_need_a_trailing_slash_are_requested_with_one(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.settings(pipelines_need_trailing_slash=True)
    client.pipelines.trigger("api", branch="main")
    assert len([*client.pipelines.list("api")]) == 1
    assert [*client.deployments.list("api")] == []
    assert [*client.environments.list("api")] == []


def test_every_request_of_the_client_conforms_to_the_published_openapi(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    openapi = OpenApi.load()
    number = bitbucket_emulator.control("POST", "pullrequests/acme/api", {"title": "x", "source_branch": "feature/x"})["id"]
    bitbucket_emulator.script("api", "*", steps=[{"name": "Test", "result": "FAILED", "seconds": 5}])
    bitbucket_emulator.reset_requests()
    me, head = client.users.me(), client.refs.branch("api", "main")["target"]["hash"]
    client.users.get(me["uuid"])
    client.workspaces.get()
    [*client.workspaces.members()]
    [*client.repositories.list(q='name ~ "a"', fields="values.slug")]
    client.repositories.get("api")
    [*client.pull_requests.list("api", updated_since=bitbucket_emulator.state.clock.now())]
    client.pull_requests.get("api", number)
    for read in ("activity", "commits", "diffstat", "statuses"):
        [*getattr(client.pull_requests, read)("api", number)]
    [*client.pull_request_comments.list("api", number)]
    [*client.pull_requests.activity("api")]
    client.pipelines.trigger("api", branch="main", variables=[{"key": "A", "value": "b", "secured": True}])
    client.pipelines.trigger("api", commit=head, custom_pipeline="nightly")
    client.pipelines.stop("api", 2)
    bitbucket_emulator.clock(advance=3600)
    names = {
        "ref_name": "main",
        "ref_type": "BRANCH",
        "selector_type": "DEFAULT",
        "selector_pattern": "x",
        "trigger_type": "MANUAL",
    }
    [*client.pipelines.list("api", branch="main", commit=head, creator=me["uuid"], status=["PASSED", "FAILED"], **names)]
    client.pipelines.failure_details("api", client.pipelines.outcome("api", 1))
    [*client.deployments.list("api")]
    [*client.environments.list("api")]
    [*client.commits.list("api", include="main", exclude="feature/x", path="README.md")]
    [*client.build_statuses.list("api", head)]
    [*client.refs.branches("api", q='name = "main"')]
    [*client.refs.tags("api")]
    asked = bitbucket_emulator.control("GET", "requests?recent=1000")["recent"]
    assert len({(one["method"], one["route"]) for one in asked}) > 25
    for one in asked:
        openapi.validate_request(one["method"], one["path"], one["query"], one["body"])
