"""Create, change and delete repositories, refs, projects, downloads, restrictions and branching models."""

from __future__ import annotations

import pytest

from airflow_provider_bitbucket.client import (
    BitbucketBadRequestError,
    BitbucketClient,
    BitbucketError,
    BitbucketNotFoundError,
    BitbucketPermissionError,
)
from bitbucket_cloud_emulator import BitbucketEmulator

APPROVALS = {"kind": "require_approvals_to_merge", "branch_match_kind": "glob", "pattern": "main", "value": 2}


def head(client: BitbucketClient) -> str:
    return str(client.refs.branch("api", "main")["target"]["hash"])


def test_a_repository_is_created_renamed_forked_and_deleted(client: BitbucketClient) -> None:
    made = client.repositories.create("shop", description="Shop", project={"key": "ACME"})
    assert (made["slug"], made["is_private"], made["description"]) == ("shop", True, "Shop")

    assert client.repositories.update("shop", name="Web shop")["slug"] == "web-shop"
    fork = client.repositories.fork("api", name="api-fork", workspace="acme", description="Mine")

    assert (fork["parent"]["full_name"], fork["description"]) == ("acme/api", "Mine")
    assert [one["slug"] for one in client.repositories.forks("api")] == ["api-fork"]
    client.repositories.delete("api-fork")
    assert [*client.repositories.forks("api")] == []
    with pytest.raises(BitbucketNotFoundError):
        client.repositories.get("api-fork")


@pytest.mark.parametrize("slug", ["api", "No-Capitals", "a b"])
def test_a_slug_that_is_taken_or_malformed_is_refused_in_bitbuckets_words(client: BitbucketClient, slug: str) -> None:
    with pytest.raises(BitbucketBadRequestError, match=r"already exists|Invalid slug"):
        client.repositories.create(slug)


def test_a_fork_of_a_private_repository_cannot_be_public(client: BitbucketClient) -> None:
    with pytest.raises(BitbucketBadRequestError, match="private"):
        client.repositories.fork("api", name="open", is_private=False)


def test_branches_and_tags_are_created_and_deleted(client: BitbucketClient) -> None:
    target = head(client)

    client.refs.create_branch("api", "feature/x", target)
    client.refs.create_tag("api", "v2", target, "Release 2")

    assert {one["name"] for one in client.refs.list("api")} >= {"feature/x", "v2", "main"}
    assert client.refs.tag("api", "v2")["message"] == "Release 2"
    client.refs.delete_branch("api", "feature/x")
    client.refs.delete_tag("api", "v2")
    assert {one["name"] for one in client.refs.list("api")} == {"main"}


def test_a_branch_and_a_tag_of_the_same_name_are_both_listed(client: BitbucketClient) -> None:
    client.refs.create_branch("api", "same", head(client))
    client.refs.create_tag("api", "same", head(client))

    assert [one["type"] for one in client.refs.list("api") if one["name"] == "same"] == ["branch", "tag"]


def test_the_main_branch_cannot_be_deleted(client: BitbucketClient) -> None:
    with pytest.raises(BitbucketBadRequestError, match="main branch"):
        client.refs.delete_branch("api", "main")


def test_a_download_is_uploaded_replaced_read_and_deleted(client: BitbucketClient) -> None:
    client.downloads.upload("api", {"a b.csv": b"1", "c.bin": bytes(range(256))})
    client.downloads.upload("api", {"a b.csv": b"2"})

    assert {one["name"]: one["size"] for one in client.downloads.list("api")} == {"a b.csv": 1, "c.bin": 256}
    assert b"".join(client.downloads.read("api", "a b.csv")) == b"2"
    client.downloads.delete("api", "c.bin")
    with pytest.raises(BitbucketNotFoundError):
        b"".join(client.downloads.read("api", "c.bin"))


def test_an_upload_whose_response_was_lost_is_sent_again(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.fault("lost_answer", method="POST", path="/downloads")

    client.downloads.upload("api", {"a.csv": b"1"})

    assert [one["name"] for one in client.downloads.list("api")] == ["a.csv"]


def test_downloads_of_the_free_plan_are_refused_in_bitbuckets_words(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.settings(free_plan=True)

    with pytest.raises(BitbucketError, match="Free plan"):
        client.downloads.upload("api", {"a.csv": b"1"})


def test_a_project_with_repositories_is_not_deleted(client: BitbucketClient) -> None:
    client.projects.create("OPS", "Operations")
    client.repositories.create("tools", project={"key": "OPS"})

    with pytest.raises(BitbucketPermissionError, match="repositories"):
        client.projects.delete("OPS")
    client.repositories.delete("tools")
    client.projects.delete("OPS")

    assert [one["key"] for one in client.projects.list()] == ["ACME"]


def test_effective_default_reviewers_are_those_of_the_repository_and_its_project(client: BitbucketClient) -> None:
    accounts = [one["user"]["uuid"] for one in client.workspaces.members()]
    client.default_reviewers.add("api", accounts[1])
    client.projects.add_default_reviewer("ACME", accounts[2])

    found = {one["user"]["uuid"]: one["reviewer_type"] for one in client.default_reviewers.effective("api")}

    assert found == {accounts[1]: "repository", accounts[2]: "project"}
    assert [one["uuid"] for one in client.default_reviewers.list("api")] == [accounts[1]]


def test_a_branch_restriction_is_ensured_once_and_updated_in_place(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    first = client.branch_restrictions.ensure("api", APPROVALS)
    bitbucket_emulator.reset_requests()
    again = client.branch_restrictions.ensure("api", APPROVALS)
    assert sum(bitbucket_emulator.requests().values()) == 1

    changed = client.branch_restrictions.ensure("api", {**APPROVALS, "value": 1})

    assert first["id"] == again["id"] == changed["id"]
    assert [one["value"] for one in client.branch_restrictions.list("api")] == [1]


def test_accounts_of_a_branch_restriction_are_compared_by_uuid(client: BitbucketClient) -> None:
    accounts = [{"uuid": one["user"]["uuid"]} for one in client.workspaces.members()]
    push = {"kind": "push", "branch_match_kind": "branching_model", "branch_type": "production", "groups": []}

    first = client.branch_restrictions.ensure("api", {**push, "users": accounts[:2]})
    same = client.branch_restrictions.ensure("api", {**push, "users": accounts[1::-1]})
    fewer = client.branch_restrictions.ensure("api", {**push, "users": accounts[:1]})

    assert first["id"] == same["id"] == fewer["id"]
    assert [one["uuid"] for one in fewer["users"]] == [accounts[0]["uuid"]]


def test_a_branching_model_is_ensured_without_a_needless_write(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    wanted = {"production": {"name": "main", "enabled": True}, "branch_types": [{"kind": "feature", "prefix": "feat/"}]}
    client.branching_model.ensure("api", wanted)
    bitbucket_emulator.reset_requests()
    client.branching_model.ensure("api", wanted)

    assert sum(bitbucket_emulator.requests().values()) == 1
    assert client.branching_model.get("api")["production"]["name"] == "main"
    assert client.branching_model.effective("api")["branch_types"][1]["prefix"] == "feat/"


def test_a_branching_model_with_ambiguous_prefixes_is_refused(client: BitbucketClient) -> None:
    with pytest.raises(BitbucketBadRequestError, match="prefix"):
        client.branching_model.update("api", {"branch_types": [{"kind": "feature", "prefix": "bugfix/x"}]})
