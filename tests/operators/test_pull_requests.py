"""Operators that open, change, review, merge and decline pull requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitbucket.client import ApiToken, BitbucketBadRequestError, BitbucketClient, BitbucketPermissionError
from airflow_provider_bitbucket.exceptions import BitbucketMergeError, BitbucketPullRequestClosedError
from airflow_provider_bitbucket.operators.pull_requests import (
    BitbucketCreatePullRequestOperator,
    BitbucketDeclinePullRequestOperator,
    BitbucketMergePullRequestOperator,
    BitbucketReviewPullRequestOperator,
    BitbucketUpdatePullRequestOperator,
)
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.airflow_home import TaskRun
from tests.operators.attempts import TaskInstance, attempt

REVIEWER = "robin.reviewer"


@pytest.fixture
def client(bitbucket: BitbucketEmulator) -> BitbucketClient:
    """A client of the owner, whose credentials the connection has."""
    return BitbucketClient(ApiToken(*bitbucket.api_token), "acme", bitbucket.api_url)


@pytest.fixture
def branch(client: BitbucketClient) -> dict[str, Any]:
    """A branch with a change, as parameters of the operator that opens a pull request."""
    path = f"{client.repository_path('api')}/src"
    client.request("POST", path, data={"branch": "change", "a.txt": "a"}, headers={"Accept": "*/*"})
    return {"repository": "api", "source": "change", "title": "Change"}


@pytest.fixture
def pull_request(bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """An open pull request, as parameters of operators."""
    made = bitbucket.control("POST", "pullrequests/acme/api", {"title": "Change", "reviewers": [REVIEWER]})
    return {"repository": "api", "pull_request": made["id"]}


def members(client: BitbucketClient) -> dict[str, str]:
    """Return the uuids of members by nickname."""
    return {row["user"]["nickname"]: row["user"]["uuid"] for row in client.workspaces.members()}


def reviewers(client: BitbucketClient, number: int) -> list[str]:
    """Return the nicknames of the reviewers of a pull request."""
    return sorted(account["nickname"] for account in client.pull_requests.get("api", number)["reviewers"])


def test_the_result_is_small_json_and_the_button_leads_to_the_pull_request(
    bitbucket: BitbucketEmulator, branch: dict[str, Any], run_task: Callable[..., TaskRun]
) -> None:
    done = run_task(BitbucketCreatePullRequestOperator, description="Run {{ run_id }}", **branch)
    assert done.state == "success"
    assert (done.value["id"], done.value["source"], done.value["destination"]) == (1, "change", "main")
    assert done.value["state"] == "OPEN"
    assert done.xcom["pull_request_url"] == done.value["url"]
    assert done.value["url"].endswith("/pull-requests/1")


def test_an_open_pull_request_of_the_same_branches_is_updated_and_keeps_what_people_added(
    client: BitbucketClient, branch: dict[str, Any]
) -> None:
    first = attempt(BitbucketCreatePullRequestOperator, draft=True, **branch)
    client.pull_requests.update("api", first["id"], reviewers=[members(client)[REVIEWER]], draft=False)
    again = attempt(BitbucketCreatePullRequestOperator, **{**branch, "title": "Newer", "draft": True})
    assert (again["id"], again["title"], again["draft"]) == (first["id"], "Newer", False)
    assert reviewers(client, first["id"]) == [REVIEWER]


def test_a_branch_of_that_name_in_another_state_or_to_another_branch_is_another_pull_request(
    client: BitbucketClient, branch: dict[str, Any]
) -> None:
    declined = attempt(BitbucketCreatePullRequestOperator, **branch)
    client.pull_requests.decline("api", declined["id"])
    assert attempt(BitbucketCreatePullRequestOperator, **branch)["id"] == declined["id"] + 1


@pytest.mark.parametrize("by", ["nickname", "display_name", "uuid", "account_id"])
def test_a_reviewer_is_found_by_any_name(client: BitbucketClient, branch: dict[str, Any], by: str) -> None:
    robin = next(row["user"] for row in client.workspaces.members() if row["user"]["nickname"] == REVIEWER)
    made = attempt(BitbucketCreatePullRequestOperator, reviewers=robin[by], **branch)
    assert reviewers(client, made["id"]) == [REVIEWER]


def test_a_reviewer_is_found_by_email_with_credentials_of_an_administrator_alone(
    bitbucket: BitbucketEmulator, client: BitbucketClient, branch: dict[str, Any], connect: Callable[..., None]
) -> None:
    email, token = bitbucket.api_tokens["robin.reviewer"]
    made = attempt(BitbucketCreatePullRequestOperator, reviewers=[email], **branch)
    assert reviewers(client, made["id"]) == [REVIEWER]
    connect(connection_json(bitbucket).replace(bitbucket.api_token[0], email).replace(bitbucket.api_token[1], token))
    with pytest.raises(ValueError, match=r"e-mail address 'demo@example.com', which these credentials may not search"):
        attempt(BitbucketUpdatePullRequestOperator, repository="api", pull_request=1, reviewers=["demo@example.com"])


def test_default_reviewers_are_added_without_the_author(
    client: BitbucketClient, bitbucket: BitbucketEmulator, branch: dict[str, Any]
) -> None:
    for uuid in members(client).values():
        client.request("PUT", f"{client.repository_path('api')}/default-reviewers/{uuid}")
    made = attempt(BitbucketCreatePullRequestOperator, reviewers="default", **branch)
    everyone = sorted(members(client))
    author = client.users.me()["nickname"]
    assert reviewers(client, made["id"]) == [name for name in everyone if name != author]


def test_an_access_token_which_has_no_account_adds_default_reviewers_too(
    client: BitbucketClient, bitbucket: BitbucketEmulator, branch: dict[str, Any], connect: Callable[..., None]
) -> None:
    client.request("PUT", f"{client.repository_path('api')}/default-reviewers/{members(client)[REVIEWER]}")
    connect(connection_json(bitbucket, "access_token"))
    made = attempt(BitbucketCreatePullRequestOperator, reviewers=["default"], **branch)
    assert reviewers(client, made["id"]) == [REVIEWER]


def test_an_unknown_reviewer_is_named_before_anything_is_opened(client: BitbucketClient, branch: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"reviewers has 'Nemo', which cannot be found in workspace 'acme'.*Expected a nickname"):
        attempt(BitbucketCreatePullRequestOperator, reviewers=["Nemo"], **branch)
    assert [*client.pull_requests.list("api")] == []


def test_branches_without_a_difference_fail_with_bitbuckets_reason(client: BitbucketClient, bitbucket: BitbucketEmulator) -> None:
    client.request("POST", f"{client.repository_path('api')}/refs/branches", json={"name": "same", "target": {"hash": "main"}})
    with pytest.raises(BitbucketBadRequestError, match="There are no changes to be pulled"):
        attempt(BitbucketCreatePullRequestOperator, repository="api", source="same", title="Same")


def test_an_update_keeps_what_it_is_not_given_even_where_bitbucket_clears_it(
    bitbucket: BitbucketEmulator, client: BitbucketClient, pull_request: dict[str, Any]
) -> None:
    client.pull_requests.update("api", 1, description="Why")
    bitbucket.settings(put_clears_what_is_not_sent=True)
    attempt(BitbucketUpdatePullRequestOperator, title="Newer", **pull_request)
    changed = client.pull_requests.get("api", 1)
    assert (changed["title"], changed["description"], reviewers(client, 1)) == ("Newer", "Why", [REVIEWER])


def test_an_update_without_a_difference_sends_nothing(bitbucket: BitbucketEmulator, pull_request: dict[str, Any]) -> None:
    attempt(BitbucketUpdatePullRequestOperator, title="Change", reviewers=[REVIEWER], **pull_request)
    assert not any(route.startswith("PUT") for route in bitbucket.requests())


def test_a_reviewer_who_left_the_workspace_does_not_block_an_update(
    bitbucket: BitbucketEmulator, client: BitbucketClient, pull_request: dict[str, Any]
) -> None:
    del bitbucket.state.workspaces["acme"].members[members(client)[REVIEWER]]
    assert attempt(BitbucketUpdatePullRequestOperator, title="Newer", **pull_request)["title"] == "Newer"


@pytest.mark.parametrize(
    ("operator", "parameters"),
    [
        (BitbucketUpdatePullRequestOperator, {"title": "Newer"}),
        (BitbucketMergePullRequestOperator, {}),
        (BitbucketDeclinePullRequestOperator, {}),
    ],
)
def test_a_closed_pull_request_fails_the_task_without_a_retry(
    bitbucket: BitbucketEmulator, pull_request: dict[str, Any], operator: type[Any], parameters: dict[str, Any]
) -> None:
    bitbucket.control("PATCH", "pullrequests/acme/api/1", {"state": "SUPERSEDED"})
    with pytest.raises(BitbucketPullRequestClosedError, match="Pull request #1 is SUPERSEDED"):
        attempt(operator, **pull_request, **parameters)


def test_a_merge_has_the_strategy_and_the_message(client: BitbucketClient, pull_request: dict[str, Any]) -> None:
    merged = attempt(BitbucketMergePullRequestOperator, strategy="squash", message="Together", **pull_request)
    head = client.commits.get("api", "main")
    assert (merged["state"], head["message"], head["hash"].startswith(merged["merge_commit"])) == ("MERGED", "Together", True)
    assert len(head["parents"]) == 1


def test_conflicts_fail_the_merge_with_bitbuckets_reason(client: BitbucketClient, bitbucket: BitbucketEmulator) -> None:
    bitbucket.control("POST", "pullrequests/acme/api", {"title": "Change", "files": {"README.md": "one"}})
    path = f"{client.repository_path('api')}/src"
    client.request("POST", path, data={"branch": "main", "README.md": "two"}, headers={"Accept": "*/*"})
    bitbucket.clock(speed=1000)  # a merge that fails takes a second
    with pytest.raises(BitbucketBadRequestError, match="until you resolve all merge conflicts"):
        attempt(BitbucketMergePullRequestOperator, repository="api", pull_request=1, poll_interval=0.01)


@pytest.mark.parametrize("takes_effect", [True, False])
def test_after_a_timeout_of_bitbucket_the_merge_is_requested_again_only_if_it_did_not_happen(
    bitbucket: BitbucketEmulator, client: BitbucketClient, pull_request: dict[str, Any], takes_effect: bool
) -> None:
    bitbucket.fault("late_error" if takes_effect else "server_error", status=555, method="POST", path="merge")
    assert attempt(BitbucketMergePullRequestOperator, poll_interval=0.01, **pull_request)["state"] == "MERGED"
    merges = [count for route, count in bitbucket.requests().items() if route.startswith("POST") and route.endswith("/merge")]
    assert merges == [1 if takes_effect else 2]
    assert len([*client.commits.list("api", include=["main"])]) == 5  # three of the seed, the change, and one merge


@pytest.mark.parametrize("answer", ["200", "202"])
def test_a_merge_queue_is_waited_for(bitbucket: BitbucketEmulator, pull_request: dict[str, Any], answer: str) -> None:
    bitbucket.settings(merge_queue=answer)
    bitbucket.clock(speed=1000)
    assert attempt(BitbucketMergePullRequestOperator, poll_interval=0.01, **pull_request)["state"] == "MERGED"


def test_a_pull_request_that_is_queued_already_is_not_queued_again(
    bitbucket: BitbucketEmulator, client: BitbucketClient, pull_request: dict[str, Any]
) -> None:
    bitbucket.settings(merge_queue="200")
    client.pull_requests.merge("api", 1)
    bitbucket.reset_requests()
    bitbucket.clock(speed=1000)
    assert attempt(BitbucketMergePullRequestOperator, poll_interval=0.01, **pull_request)["state"] == "MERGED"
    assert not any(route.startswith("POST") for route in bitbucket.requests())


def test_a_pull_request_that_leaves_the_queue_fails_the_task(bitbucket: BitbucketEmulator, pull_request: dict[str, Any]) -> None:
    bitbucket.settings(merge_queue="200", merge_queue_fails=True)
    bitbucket.clock(speed=1000)
    with pytest.raises(BitbucketMergeError, match=r"Pull request #1 left the merge queue\. http"):
        attempt(BitbucketMergePullRequestOperator, poll_interval=0.01, **pull_request)


def test_a_queue_that_takes_too_long_fails_the_task_and_a_retry_continues(
    bitbucket: BitbucketEmulator, pull_request: dict[str, Any]
) -> None:
    bitbucket.settings(merge_queue="200")
    with pytest.raises(BitbucketMergeError, match="was not merged within 0 s; timed out waiting for the merge queue"):
        attempt(BitbucketMergePullRequestOperator, poll_interval=0.01, timeout=0.05, **pull_request)
    bitbucket.clock(advance=60)
    assert attempt(BitbucketMergePullRequestOperator, poll_interval=0.01, **pull_request)["state"] == "MERGED"


def test_checks_must_be_successful_before_the_merge(
    bitbucket: BitbucketEmulator, client: BitbucketClient, pull_request: dict[str, Any]
) -> None:
    head = client.pull_requests.get("api", 1)["source"]["commit"]["hash"]

    def report(key: str, state: str) -> None:
        client.build_statuses.set("api", head, key=key, state=state, url="https://ci.example.com/1")

    merge = {**pull_request, "wait_for_checks": True, "poll_interval": 0.01}
    with pytest.raises(BitbucketMergeError, match=r"timed out waiting for checks \(none yet\)"):
        attempt(BitbucketMergePullRequestOperator, timeout=0.05, **merge)
    report("unit", "SUCCESSFUL")
    report("lint", "INPROGRESS")
    with pytest.raises(BitbucketMergeError, match=r"timed out waiting for checks \(lint\)"):
        attempt(BitbucketMergePullRequestOperator, timeout=0.05, **merge)
    report("lint", "FAILED")
    with pytest.raises(BitbucketMergeError, match="because of failed checks: lint"):
        attempt(BitbucketMergePullRequestOperator, **merge)
    report("lint", "SUCCESSFUL")
    assert attempt(BitbucketMergePullRequestOperator, **merge)["state"] == "MERGED"


def test_a_withdrawal_without_a_verdict_is_a_success_but_not_on_a_missing_pull_request(pull_request: dict[str, Any]) -> None:
    assert attempt(BitbucketReviewPullRequestOperator, review="unapprove", **pull_request)["state"] == "OPEN"
    with pytest.raises(Exception, match="404"):
        attempt(BitbucketReviewPullRequestOperator, review="unapprove", repository="api", pull_request=99)


def test_an_access_token_that_may_not_approve_fails_the_task(
    bitbucket: BitbucketEmulator, pull_request: dict[str, Any], connect: Callable[..., None]
) -> None:
    bitbucket.settings(access_tokens_approve=False)
    connect(connection_json(bitbucket, "access_token"))
    with pytest.raises(BitbucketPermissionError):
        attempt(BitbucketReviewPullRequestOperator, review="approve", **pull_request)


def test_missing_scopes_are_named_with_the_feature_that_needs_them(
    bitbucket: BitbucketEmulator, pull_request: dict[str, Any], connect: Callable[..., None]
) -> None:
    scopes = ["read:pullrequest:bitbucket", "read:repository:bitbucket"]
    bitbucket.credentials("api_token", "reader-token", login="reader@example.com", scopes=scopes)
    connect(
        connection_json(bitbucket)
        .replace(bitbucket.api_token[0], "reader@example.com")
        .replace(bitbucket.api_token[1], "reader-token")
    )
    with pytest.raises(BitbucketPermissionError, match=r"write:pullrequest:bitbucket(.|\n)*change and merge pull requests"):
        attempt(BitbucketMergePullRequestOperator, **pull_request)


def test_an_unknown_strategy_or_review_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(ValueError, match="strategy is 'octopus'; expected one of merge_commit, squash"):
        BitbucketMergePullRequestOperator(task_id="x", repository="api", pull_request=1, strategy="octopus")
    with pytest.raises(ValueError, match="review is 'like'; expected one of approve, unapprove"):
        BitbucketReviewPullRequestOperator(task_id="x", repository="api", pull_request=1, review="like")


def test_the_button_is_there_before_the_task_has_ended(pull_request: dict[str, Any]) -> None:
    task_instance = TaskInstance()
    attempt(BitbucketDeclinePullRequestOperator, task_instance, message="No", **pull_request)
    assert task_instance.xcom["pull_request_url"].endswith("/pull-requests/1")
