"""Operators of files, refs, repositories and downloads have one effect, wherever an attempt is killed or a response is lost."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitbucket.client import BitbucketClient
from airflow_provider_bitbucket.operators.downloads import BitbucketUploadDownloadOperator
from airflow_provider_bitbucket.operators.files import BitbucketCommitFilesOperator, BitbucketProposeChangeOperator
from airflow_provider_bitbucket.operators.refs import (
    BitbucketCreateBranchOperator,
    BitbucketCreateTagOperator,
    BitbucketDeleteBranchOperator,
    BitbucketDeleteTagOperator,
)
from airflow_provider_bitbucket.operators.repository_changes import (
    BitbucketCreateRepositoryOperator,
    BitbucketDeleteRepositoryOperator,
    BitbucketForkRepositoryOperator,
)
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.operators.attempts import Prepare, check_one_effect_despite_kills, check_one_effect_despite_lost_answers


def effect(client: BitbucketClient) -> Any:
    """Return the repositories, and of each the refs, the history, the pull requests and the downloads."""
    found = {}
    for repository in client.repositories.list():
        name = str(repository["slug"])
        branches = [str(one["name"]) for one in client.refs.branches(name)]
        found[name] = {
            "parent": (repository.get("parent") or {}).get("full_name"),
            "history": {one: [commit["message"] for commit in client.commits.list(name, include=one)] for one in branches},
            "files": {one: sorted(str(entry["path"]) for entry in client.source.list(name, ref=one)) for one in branches},
            "tags": [(one["name"], one["message"]) for one in client.refs.tags(name)],
            "pull requests": [(one["id"], one["title"], one["state"]) for one in client.pull_requests.list(name)],
            "downloads": [one["name"] for one in client.downloads.list(name)],
        }
    return found


def nothing(client: BitbucketClient, bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """Leave the emulator as it is."""
    return {"repository": "api"}


def branch_and_tag(client: BitbucketClient, bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """Make a branch and a tag."""
    head = client.refs.hash_of_branch("api", "main")
    client.refs.create_branch("api", "old", head)
    client.refs.create_tag("api", "v1", head)
    return {"repository": "api"}


def repository(client: BitbucketClient, bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """Make a repository."""
    client.repositories.create("old")
    return {"repository": "old"}


def empty_repository(client: BitbucketClient, bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """Make a repository, which has no branch."""
    client.repositories.create("new")
    return {"repository": "new"}


FILES = {"files": {"README.md": "# New\n", "a/b.sql": "select 1;\n"}, "delete": ["src/module_0.py"], "message": "Change files"}
Case = tuple[type[Any], Prepare, dict[str, Any]]
POSTS: dict[str, Case] = {
    "commit to the main branch": (BitbucketCommitFilesOperator, nothing, FILES),
    "commit to a new branch": (BitbucketCommitFilesOperator, nothing, {**FILES, "branch": "topic/x", "create_branch": True}),
    "commit to an empty repository": (BitbucketCommitFilesOperator, empty_repository, {**FILES, "delete": None}),
    "propose": (BitbucketProposeChangeOperator, nothing, {**FILES, "branch": "topic/x", "reviewers": ["robin.reviewer"]}),
    "create a branch": (BitbucketCreateBranchOperator, nothing, {"branch": "topic/x", "target": "main"}),
    "create a tag": (BitbucketCreateTagOperator, nothing, {"tag": "v2", "target": "main", "message": "Two"}),
    "create a repository": (BitbucketCreateRepositoryOperator, nothing, {"repository": "new", "project": "ACME"}),
    "fork": (BitbucketForkRepositoryOperator, nothing, {"name": "fork"}),
    "upload": (BitbucketUploadDownloadOperator, nothing, {"files": {"a.csv": b"1", "b.csv": b"2"}}),
}
DELETES: dict[str, Case] = {
    "delete a branch": (BitbucketDeleteBranchOperator, branch_and_tag, {"branch": "old"}),
    "delete a tag": (BitbucketDeleteTagOperator, branch_and_tag, {"tag": "v1"}),
    "delete a repository": (BitbucketDeleteRepositoryOperator, repository, {"allow_delete": True}),
}
ALL = {**POSTS, **DELETES}


def with_parameters(case: Case) -> tuple[type[Any], Prepare]:
    """Return the operator of a case, and what prepares its parameters."""
    operator, prepare, parameters = case
    return operator, lambda client, bitbucket: {**prepare(client, bitbucket), **parameters}


@pytest.mark.airflow
@pytest.mark.parametrize("name", ALL)
def test_a_task_that_is_killed_after_any_of_its_requests_and_retried_has_one_effect(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    check_one_effect_despite_kills(monkeypatch, *with_parameters(ALL[name]), effect)


@pytest.mark.airflow
@pytest.mark.parametrize("name", POSTS)
@pytest.mark.parametrize("fault", ["lost_answer", "server_error", "reset"])
def test_a_lost_response_to_a_post_has_one_effect(monkeypatch: pytest.MonkeyPatch, name: str, fault: str) -> None:
    check_one_effect_despite_lost_answers(monkeypatch, *with_parameters(POSTS[name]), effect, kind=fault)


@pytest.mark.airflow
@pytest.mark.parametrize("name", DELETES)
def test_a_lost_response_to_a_delete_is_no_failure(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    check_one_effect_despite_lost_answers(monkeypatch, *with_parameters(DELETES[name]), effect, method="DELETE")


@pytest.mark.airflow
def test_a_lost_response_to_the_pull_request_of_a_proposed_change_has_one_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    check_one_effect_despite_lost_answers(monkeypatch, *with_parameters(POSTS["propose"]), effect, path="/pullrequests")
