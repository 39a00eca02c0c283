"""The client writes pull requests, their comments and tasks."""

from __future__ import annotations

import pytest

from airflow_provider_bitbucket.client import BitbucketAmbiguousError, BitbucketClient, BitbucketNotFoundError
from bitbucket_cloud_emulator import BitbucketEmulator


@pytest.fixture
def number(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> int:
    """An open pull request of ``api``, of another author, whose change of ``a.txt`` is one line."""
    made = bitbucket_emulator.control("POST", "pullrequests/acme/api", {"title": "Change", "files": {"a.txt": "é\n"}})
    return int(made["id"])


def test_a_diff_and_a_patch_are_text_in_utf_8(client: BitbucketClient, number: int) -> None:
    assert "+é" in client.pull_requests.diff("api", number)
    assert client.pull_requests.patch("api", number).startswith("From ")


def test_a_merge_that_takes_long_names_the_task_that_ends_with_the_merged_pull_request(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, number: int
) -> None:
    answer = client.pull_requests.merge("api", number, merge_strategy="squash", message="Together")
    assert (answer.pull_request, bool(answer.task)) == (None, True)
    assert client.pull_requests.merge_status("api", number, str(answer.task)) == {"task_status": "PENDING"}
    bitbucket_emulator.clock(advance=5)
    assert client.pull_requests.merge_status("api", number, str(answer.task))["merge_result"]["state"] == "MERGED"


def test_a_merge_that_is_waited_for_returns_the_merged_pull_request(client: BitbucketClient, number: int) -> None:
    answer = client.pull_requests.merge("api", number, run_async=False)
    assert answer.task is None
    assert answer.pull_request is not None
    assert answer.pull_request["state"] == "MERGED"


@pytest.mark.parametrize("call", ["merge", "decline"])
def test_a_lost_answer_to_an_end_is_ambiguous_and_not_sent_again(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, number: int, call: str
) -> None:
    bitbucket_emulator.control("POST", "faults", {"kind": "lost_answer", "method": "POST", "path": call})
    with pytest.raises(BitbucketAmbiguousError):
        getattr(client.pull_requests, call)("api", number)
    assert client.pull_requests.get("api", number)["state"] != "OPEN"


@pytest.mark.parametrize("call", ["approve", "request_changes"])
def test_a_lost_answer_to_a_review_is_sent_again(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, number: int, call: str
) -> None:
    bitbucket_emulator.control("POST", "faults", {"kind": "lost_answer", "method": "POST", "path": call.replace("_", "-")})
    participant = getattr(client.pull_requests, call)("api", number)
    assert participant["state"] == {"approve": "approved", "request_changes": "changes_requested"}[call]


def test_a_comment_is_written_changed_resolved_reopened_and_deleted(client: BitbucketClient, number: int) -> None:
    comments = client.pull_request_comments
    written = comments.create("api", number, "Why?", inline={"path": "a.txt", "to": 1})
    assert comments.update("api", number, written["id"], "Why not?")["content"]["raw"] == "Why not?"
    assert comments.resolve("api", number, written["id"])["user"]
    comments.reopen("api", number, written["id"])
    assert not comments.get("api", number, written["id"]).get("resolution")
    comments.delete("api", number, written["id"])
    assert [comment["deleted"] for comment in comments.list("api", number)] == [True]


def test_a_task_is_resolved_and_keeps_its_text(client: BitbucketClient, number: int) -> None:
    tasks = client.pull_request_tasks
    added = tasks.create("api", number, "Add a test")
    resolved = tasks.update("api", number, added["id"], resolved=True)
    assert (resolved["state"], resolved["content"]["raw"]) == ("RESOLVED", "Add a test")
    tasks.delete("api", number, added["id"])
    with pytest.raises(BitbucketNotFoundError):
        tasks.get("api", number, added["id"])
