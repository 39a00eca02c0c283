"""Files, diffs and build statuses of commits."""

from __future__ import annotations

from typing import Literal, TypedDict

from airflow_provider_bitbucket.client.types.repositories import Commit

BuildState = Literal["FAILED", "INPROGRESS", "STOPPED", "SUCCESSFUL"]
FileStatus = Literal["added", "removed", "modified", "renamed"]


class CommitFile(TypedDict, total=False):
    """A file at a commit."""

    type: str
    path: str
    escaped_path: str
    attributes: str
    commit: Commit


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
