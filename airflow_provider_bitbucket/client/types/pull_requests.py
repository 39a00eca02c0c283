"""Pull requests, their comments and timeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from airflow_provider_bitbucket.client.types.accounts import Account
from airflow_provider_bitbucket.client.types.common import HtmlLinks, Text
from airflow_provider_bitbucket.client.types.repositories import Branch, Commit, Repository

PullRequestState = Literal["OPEN", "MERGED", "DECLINED", "SUPERSEDED"]
MergeStrategy = Literal["merge_commit", "squash", "fast_forward", "squash_fast_forward", "rebase_fast_forward", "rebase_merge"]


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


#: Where in a file a comment stands. Lines of the new file are ``to``, of the old one ``from``; of several lines these are the
#: last, and ``start_to`` and ``start_from`` the first.
Inline = TypedDict(
    "Inline",
    {"path": str, "to": int | None, "from": int | None, "start_to": int | None, "start_from": int | None},
    total=False,
)


class Resolution(TypedDict, total=False):
    """The user who resolved the discussion under a comment, and the time."""

    type: str
    user: Account | None
    created_on: str


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
    resolution: Resolution
    parent: Comment | None
    links: HtmlLinks


class ActivityEntry(TypedDict, total=False):
    """An entry of a timeline (recorded): one of ``update``, ``approval``, ``changes_requested`` and ``comment``."""

    pull_request: PullRequest
    update: dict[str, Any]
    approval: dict[str, Any]
    changes_requested: dict[str, Any]
    comment: Comment


class Task(TypedDict, total=False):
    """A task on a pull request."""

    id: int
    content: Text
    state: Literal["RESOLVED", "UNRESOLVED"]
    creator: Account | None
    comment: Comment
    pending: bool
    created_on: str
    updated_on: str
    resolved_on: str | None
    resolved_by: Account | None
    links: HtmlLinks


class MergeStatus(TypedDict, total=False):
    """The state of a merge that takes long. ``merge_result`` is there with SUCCESS alone."""

    task_status: Literal["PENDING", "SUCCESS"]
    merge_result: PullRequest


class PullRequestFields(TypedDict, total=False):
    """The fields of a pull request that can be written.

    ``destination`` is the name of a branch, ``reviewers`` are uuids (in braces) and account ids.
    """

    title: str
    description: str
    destination: str
    reviewers: Sequence[str]
    draft: bool
    close_source_branch: bool


class MergeFields(TypedDict, total=False):
    """How to merge: by default with a merge commit and Bitbucket's message (128 KiB at most)."""

    merge_strategy: MergeStrategy
    message: str
    close_source_branch: bool
