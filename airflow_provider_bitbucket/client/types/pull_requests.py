"""Pull requests, their comments and timeline."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from airflow_provider_bitbucket.client.types.accounts import Account
from airflow_provider_bitbucket.client.types.common import HtmlLinks, Text
from airflow_provider_bitbucket.client.types.repositories import Branch, Commit, Repository

PullRequestState = Literal["OPEN", "MERGED", "DECLINED", "SUPERSEDED"]


class Participant(TypedDict, total=False):
    """An account's part in a pull request."""

    type: str
    user: Account | None
    role: Literal["PARTICIPANT", "REVIEWER"]
    approved: bool
    state: Literal["approved", "changes_requested"] | None
    participated_on: str | None


class Endpoint(TypedDict, total=False):
    """Source or destination of a pull request. The repository of a deleted fork is null."""

    repository: Repository | None
    branch: Branch
    commit: Commit | None


class PullRequest(TypedDict, total=False):
    """A pull request. Lists leave out ``participants`` and ``reviewers`` unless ``fields`` asks for them."""

    type: str
    id: int
    title: str
    description: str
    state: PullRequestState
    draft: bool
    queued: bool
    author: Account | None
    source: Endpoint
    destination: Endpoint
    merge_commit: Commit | None
    close_source_branch: bool
    closed_by: Account | None
    closed_on: str | None  # recorded
    reason: str
    comment_count: int
    task_count: int
    created_on: str
    updated_on: str
    reviewers: list[Account]
    participants: list[Participant]
    links: HtmlLinks


class Inline(TypedDict, total=False):
    """Where in a file a comment stands."""

    path: str
    to: int | None
    start_to: int | None
    start_from: int | None


class Comment(TypedDict, total=False):
    """A comment on a pull request."""

    type: str
    id: int
    content: Text
    user: Account | None
    created_on: str
    updated_on: str
    deleted: bool
    pending: bool
    inline: Inline
    parent: Comment | None
    links: HtmlLinks


class ActivityEntry(TypedDict, total=False):
    """An entry of a timeline (recorded): one of ``update``, ``approval``, ``changes_requested`` and ``comment``."""

    pull_request: PullRequest
    update: dict[str, Any]
    approval: dict[str, Any]
    changes_requested: dict[str, Any]
    comment: Comment
