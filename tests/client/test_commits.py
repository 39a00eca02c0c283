"""Commits are commented on, approved and compared."""

from __future__ import annotations

import pytest

from airflow_provider_bitbucket import client as bitbucket
from airflow_provider_bitbucket.client import BitbucketClient
from bitbucket_cloud_emulator import BitbucketEmulator


@pytest.fixture
def topic(client: BitbucketClient) -> str:
    """A branch with a commit that adds a file."""
    target = {"hash": client.commits.get("api", "main")["hash"]}
    client.post("/repositories/acme/api/refs/branches", {"name": "topic", "target": target})
    client.request("POST", "/repositories/acme/api/src", data={"branch": "topic", "a.sql": "select 1\n"})
    return "topic"


def test_a_comment_is_written_answered_changed_and_deleted(client: BitbucketClient) -> None:
    question = client.commits.create_comment("api", "main", "Why?", inline={"path": "README.md", "to": 1})
    answer = client.commits.create_comment("api", "main", "So.", parent=question["id"])

    assert client.commits.update_comment("api", "main", question["id"], "Why not?")["content"]["raw"] == "Why not?"
    assert client.commits.comment("api", "main", answer["id"])["parent"]["id"] == question["id"]
    client.commits.delete_comment("api", "main", answer["id"])

    shown = [(row["content"]["raw"], row["deleted"]) for row in client.commits.comments("api", "main")]
    assert shown == [("Why not?", False), ("", True)]


def test_a_comment_whose_response_was_lost_is_not_written_twice(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.fault("lost_answer", method="POST", path="/comments")

    with pytest.raises(bitbucket.BitbucketAmbiguousError):
        client.commits.create_comment("api", "main", "Why?")

    assert len([*client.commits.comments("api", "main")]) == 1


def test_an_approval_is_given_and_withdrawn(client: BitbucketClient) -> None:
    assert client.commits.approve("api", "main")["approved"]
    client.commits.unapprove("api", "main")

    with pytest.raises(bitbucket.BitbucketNotFoundError, match="You haven't approved this commit"):
        client.commits.unapprove("api", "main")


def test_two_commits_are_compared_from_their_merge_base(client: BitbucketClient, topic: str) -> None:
    main = client.commits.get("api", "main")["hash"]

    assert client.commits.merge_base("api", topic, "main")["hash"] == main
    assert [row["new"]["path"] for row in client.commits.diffstat("api", topic, "main")] == ["a.sql"]
    assert "+select 1\n" in client.commits.diff("api", topic, "main")
    assert client.commits.diff("api", topic) == client.commits.diff("api", topic, main)
    assert client.commits.diff("api", topic, topic) == ""
    assert client.commits.patch("api", topic, "main").startswith("From ")
