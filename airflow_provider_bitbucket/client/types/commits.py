"""Files, diffs, build statuses and comments of commits."""

from __future__ import annotations

from typing import Literal, TypedDict

from airflow_provider_bitbucket.client.types.accounts import Account
from airflow_provider_bitbucket.client.types.common import HtmlLinks, Text
from airflow_provider_bitbucket.client.types.pull_requests import Inline
from airflow_provider_bitbucket.client.types.repositories import Commit

BuildState = Literal["FAILED", "INPROGRESS", "STOPPED", "SUCCESSFUL"]
FileStatus = Literal["added", "removed", "modified", "renamed"]


class CommitFile(TypedDict, total=False):
    """A file or directory at a commit; ``type`` is ``commit_file`` or ``commit_directory``.

    The document has ``attributes`` as a text; responses have a list (its own description, and recorded 2026-05).
    """

    type: str
    path: str
    escaped_path: str
    attributes: list[str]
    commit: Commit
    size: int  # recorded
    mimetype: str | None  # recorded
    links: HtmlLinks  # recorded


class FileChange(TypedDict, total=False):
    """A changed file of a diff."""

    type: str
    status: FileStatus
    lines_added: int
    lines_removed: int
    old: CommitFile | None
    new: CommitFile | None


class BuildStatus(TypedDict, total=False):
    """A status that a build reported for a commit; it has no id, ``key`` is unique within the commit."""

    type: str
    key: str
    name: str
    state: BuildState
    description: str
    url: str
    refname: str | None
    created_on: str
    updated_on: str


class CommitComment(TypedDict, total=False):
    """A comment on a commit."""

    type: str
    id: int
    content: Text
    user: Account | None
    created_on: str
    updated_on: str
    deleted: bool
    inline: Inline
    parent: CommitComment | None
    commit: Commit
    links: HtmlLinks
