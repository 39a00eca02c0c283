"""Operators that write comments and tasks on pull requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.operators.pull_request_comments import (
    BitbucketPullRequestCommentOperator,
    BitbucketPullRequestTaskOperator,
)
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.airflow_home import TaskRun
from tests.operators.attempts import TaskInstance, attempt


@pytest.fixture
def client(bitbucket: BitbucketEmulator) -> BitbucketClient:
    """A client of the owner, whose credentials the connection has."""
    return BitbucketClient(ApiToken(*bitbucket.api_token), "acme", bitbucket.api_url)


@pytest.fixture
def pull_request(bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """An open pull request, as parameters of operators."""
    made = bitbucket.control("POST", "pullrequests/acme/api", {"title": "Change"})
    return {"repository": "api", "pull_request": made["id"]}


def texts(client: BitbucketClient) -> list[str]:
    """Return the first line of each comment."""
    return [one["content"]["raw"].partition("\n")[0] for one in client.pull_request_comments.list("api", 1) if not one["deleted"]]


def run_named(name: str) -> TaskInstance:
    """Return the task instance of another run."""
    other = TaskInstance()
    other.run_id = name
    return other


def test_the_result_and_the_button_lead_to_the_comment(pull_request: dict[str, Any], run_task: Callable[..., TaskRun]) -> None:
    done = run_task(BitbucketPullRequestCommentOperator, text="Run {{ run_id }} is done", **pull_request)
    assert (done.state, done.value["pull_request"]) == ("success", 1)
    assert done.xcom["pull_request_url"] == done.value["url"]
    assert done.value["url"].endswith(f"#comment-{done.value['id']}")


def test_each_run_writes_a_comment_unless_a_key_makes_them_one(client: BitbucketClient, pull_request: dict[str, Any]) -> None:
    for run in ("monday", "tuesday"):
        attempt(BitbucketPullRequestCommentOperator, run_named(run), text=run, **pull_request)
    assert texts(client) == ["monday", "tuesday"]
    for run in ("monday", "tuesday"):
        attempt(BitbucketPullRequestCommentOperator, run_named(run), text=f"by key: {run}", key="status", **pull_request)
    assert texts(client) == ["monday", "tuesday", "by key: tuesday"]


def test_the_same_text_is_not_sent_again(bitbucket: BitbucketEmulator, pull_request: dict[str, Any]) -> None:
    for _ in range(2):
        attempt(BitbucketPullRequestCommentOperator, text="Done", key="status", **pull_request)
    writes = {route: count for route, count in bitbucket.requests().items() if not route.startswith("GET")}
    assert sum(writes.values()) == 1


def test_a_comment_that_a_person_deleted_is_written_again(client: BitbucketClient, pull_request: dict[str, Any]) -> None:
    first = attempt(BitbucketPullRequestCommentOperator, text="Done", key="status", **pull_request)
    client.pull_request_comments.delete("api", 1, first["id"])
    attempt(BitbucketPullRequestCommentOperator, text="Done again", key="status", **pull_request)
    assert texts(client) == ["Done again"]


def test_a_key_on_another_line_is_another_comment(client: BitbucketClient, pull_request: dict[str, Any]) -> None:
    for line in (1, 2, 1):
        attempt(BitbucketPullRequestCommentOperator, text="Why?", key="lint", path="a.py", line=line, **pull_request)
    inlines = [one["inline"] for one in client.pull_request_comments.list("api", 1)]
    assert [(inline["path"], inline["to"]) for inline in inlines] == [("a.py", 1), ("a.py", 2)]


def test_a_comment_of_another_account_with_the_same_marker_is_left_alone(
    bitbucket: BitbucketEmulator, client: BitbucketClient, pull_request: dict[str, Any], connect: Callable[..., None]
) -> None:
    attempt(BitbucketPullRequestCommentOperator, text="Mine", key="status", **pull_request)
    connect(connection_json(bitbucket, "access_token"))
    attempt(BitbucketPullRequestCommentOperator, text="The bot's", key="status", **pull_request)
    assert texts(client) == ["Mine", "The bot's"]


def test_a_line_needs_a_path() -> None:
    with pytest.raises(ValueError, match="line is 3 without path"):
        BitbucketPullRequestCommentOperator(task_id="x", repository="api", pull_request=1, text="x", line=3)


def test_a_task_is_added_once_and_resolved_and_reopened_by_its_text(
    client: BitbucketClient, pull_request: dict[str, Any]
) -> None:
    states = [
        attempt(BitbucketPullRequestTaskOperator, text="Test it", resolved=resolved, **pull_request)["state"]
        for resolved in (None, True, None, False)
    ]
    assert states == ["UNRESOLVED", "RESOLVED", "RESOLVED", "UNRESOLVED"]
    assert [task["content"]["raw"] for task in client.pull_request_tasks.list("api", 1)] == ["Test it"]
