"""Operators of pull requests have one effect, wherever an attempt is killed and whichever answer is lost."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitbucket.client import BitbucketClient
from airflow_provider_bitbucket.operators import pull_request_comments as comments
from airflow_provider_bitbucket.operators import pull_requests as operators
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.operators.attempts import Prepare, check_one_effect_despite_kills, check_one_effect_despite_lost_answers


def effect(client: BitbucketClient) -> Any:
    """Return all pull requests with what is on them, and the history of the main branch."""
    found = []
    for row in client.pull_requests.list("api"):
        number = row["id"]
        found.append(
            {
                **{name: row.get(name) for name in ("id", "title", "description", "state", "draft", "reason")},
                "participants": sorted(
                    (one["user"]["uuid"], one["role"], str(one["state"])) for one in row["participants"] if one["user"]
                ),
                "comments": [
                    (one["content"]["raw"], one.get("inline"))
                    for one in client.pull_request_comments.list("api", number)
                    if not one["deleted"]
                ],
                "tasks": [(one["content"]["raw"], one["state"]) for one in client.pull_request_tasks.list("api", number)],
            }
        )
    return found, [commit["message"] for commit in client.commits.list("api", include=["main"])]


def branch(client: BitbucketClient, bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """Make a branch with a change."""
    path = f"{client.repository_path('api')}/src"
    client.request("POST", path, data={"branch": "change", "a.txt": "a"}, headers={"Accept": "*/*"})
    return {"repository": "api", "source": "change", "title": "Change", "description": "Why", "reviewers": ["robin.reviewer"]}


def pull_request(client: BitbucketClient, bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """Open a pull request."""
    made = bitbucket.control("POST", "pullrequests/acme/api", {"title": "Change", "reviewers": ["robin.reviewer"]})
    return {"repository": "api", "pull_request": made["id"]}


def approved(client: BitbucketClient, bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """Open a pull request and approve it."""
    made = pull_request(client, bitbucket)
    client.pull_requests.approve("api", made["pull_request"])
    return made


def commented(client: BitbucketClient, bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """Open a pull request with a comment and a task of a person."""
    made = pull_request(client, bitbucket)
    client.pull_request_comments.create("api", made["pull_request"], "Nice")
    client.pull_request_tasks.create("api", made["pull_request"], "Test it")
    return made


Case = tuple[type[Any], Prepare, dict[str, Any]]
POSTS: dict[str, Case] = {
    "create": (operators.BitbucketCreatePullRequestOperator, branch, {}),
    "create a draft": (operators.BitbucketCreatePullRequestOperator, branch, {"draft": True, "destination": "main"}),
    "merge": (operators.BitbucketMergePullRequestOperator, pull_request, {"strategy": "squash", "poll_interval": 0.01}),
    "decline": (operators.BitbucketDeclinePullRequestOperator, pull_request, {"message": "Not now"}),
    "approve": (operators.BitbucketReviewPullRequestOperator, pull_request, {"review": "approve"}),
    "request changes": (operators.BitbucketReviewPullRequestOperator, approved, {"review": "request_changes"}),
    "comment": (comments.BitbucketPullRequestCommentOperator, commented, {"text": "**Done**"}),
    "comment with a key": (comments.BitbucketPullRequestCommentOperator, commented, {"text": "Done", "key": "status"}),
    "comment on a line": (
        comments.BitbucketPullRequestCommentOperator,
        commented,
        {"text": "Why?", "path": "a.txt", "line": 1},
    ),
    "add a task": (comments.BitbucketPullRequestTaskOperator, commented, {"text": "Document it"}),
    "add a resolved task": (comments.BitbucketPullRequestTaskOperator, commented, {"text": "Document it", "resolved": True}),
}
OTHERS: dict[str, Case] = {
    "update": (operators.BitbucketUpdatePullRequestOperator, pull_request, {"title": "Newer"}),
    "unapprove": (operators.BitbucketReviewPullRequestOperator, approved, {"review": "unapprove"}),
    "withdraw": (operators.BitbucketReviewPullRequestOperator, approved, {"review": "withdraw_request"}),
    "resolve a task": (comments.BitbucketPullRequestTaskOperator, commented, {"text": "Test it", "resolved": True}),
}


def with_parameters(case: Case) -> tuple[type[Any], Prepare]:
    """Return the operator of a case, and what prepares all its parameters."""
    operator, prepare, parameters = case
    return operator, lambda client, bitbucket: {**prepare(client, bitbucket), **parameters}


@pytest.mark.parametrize("name", [*POSTS, *OTHERS])
def test_a_task_that_is_killed_after_any_request_has_one_effect(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    check_one_effect_despite_kills(monkeypatch, *with_parameters({**POSTS, **OTHERS}[name]), effect)


@pytest.mark.parametrize("name", POSTS)
def test_a_lost_answer_is_followed_by_a_read_and_has_one_effect(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    check_one_effect_despite_lost_answers(monkeypatch, *with_parameters(POSTS[name]), effect)
