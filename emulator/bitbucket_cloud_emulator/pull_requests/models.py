"""Pull requests with their participants, comments, tasks and timeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bitbucket_cloud_emulator.users.models import Participant, User

if TYPE_CHECKING:
    from bitbucket_cloud_emulator.repositories.models import Repository


@dataclass(eq=False)
class Comment:
    id: int
    user: User | None
    raw: str
    created_on: datetime
    updated_on: datetime
    deleted: bool = False
    pending: bool = False
    parent: int | None = None
    inline: dict[str, Any] | None = None
    resolved_by: User | None = None
    resolved_on: datetime | None = None  # None: not resolved


@dataclass(eq=False)
class Task:
    """A task that a reviewer requests before the merge."""

    id: int
    raw: str
    creator: User | None
    created_on: datetime
    updated_on: datetime
    comment: int | None = None
    pending: bool = False
    resolved_on: datetime | None = None  # None: UNRESOLVED
    resolved_by: User | None = None


@dataclass(eq=False)
class Activity:
    """One entry of the timeline: ``kind`` is update | approval | changes_requested | comment (or anything a test adds).

    For ``comment`` the payload is ``{"id": comment id}``; for ``update`` a snapshot of the pull request, and what
    changed, as stored values (see ``pull_request_actions``). An unknown kind shows its payload as it is; an empty kind
    is an entry without any.
    """

    kind: str
    date: datetime
    user: User | None
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class QueueEntry:
    """An entry of a merge queue: when its build ends, and how it is to be merged then."""

    due: datetime
    user: User | None
    strategy: str | None
    message: str | None
    close_source_branch: bool | None


@dataclass(eq=False)
class PullRequest:
    id: int
    title: str
    description: str
    author: User | None
    source_branch: str
    source_hash: str
    destination_branch: str
    destination_hash: str
    created_on: datetime
    updated_on: datetime
    state: str = "OPEN"
    draft: bool = False
    queued: bool = False
    source_repository: Repository | None = None  # the fork it comes from; None: the repository itself
    source_deleted: bool = False  # a deleted fork: source.repository is null
    close_source_branch: bool = False
    closed_on: datetime | None = None
    closed_by: User | None = None
    merge_hash: str | None = None
    reason: str = ""
    reviewers: list[User] = field(default_factory=list)
    participants: dict[str, Participant] = field(default_factory=dict)  # by user uuid
    comments: dict[int, Comment] = field(default_factory=dict)
    tasks: dict[int, Task] = field(default_factory=dict)
    activity: list[Activity] = field(default_factory=list)  # oldest first
    commits: list[str] = field(default_factory=list)  # newest first
    diffstat: list[dict[str, Any]] = field(default_factory=list)  # [{path, status, lines_added, lines_removed, old_path}]
    merge_error: tuple[int, str] | None = None  # status and message with which every merge fails
    queue_entry: QueueEntry | None = None  # of the merge queue; ``queued`` alone never ends


@dataclass(eq=False)
class MergeTask:
    """An asynchronous merge (``async=true``): done at once, reported when due."""

    pull_request: PullRequest
    due: datetime
    error: Exception | None = None
