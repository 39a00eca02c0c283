"""Commits, their comments and build statuses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bitbucket_cloud_emulator.pipelines.models import Pipeline
from bitbucket_cloud_emulator.users.models import Participant, User


@dataclass(eq=False)
class Comment:
    id: int
    user: User | None
    raw: str
    created_on: datetime
    updated_on: datetime
    deleted: bool = False
    parent: int | None = None
    inline: dict[str, Any] | None = None


@dataclass(eq=False)
class Commit:
    """A commit; ``files`` is the whole tree after it, path -> content."""

    hash: str
    parents: tuple[str, ...]
    author: User | None
    author_raw: str
    date: datetime
    message: str
    files: dict[str, bytes] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)  # path -> executable or link, of the files that have one
    participants: dict[str, Participant] = field(default_factory=dict)  # by user uuid: its approvals
    comments: dict[int, Comment] = field(default_factory=dict)


@dataclass(eq=False)
class BuildStatus:
    key: str
    state: str
    url: str
    hash: str
    created_on: datetime
    updated_on: datetime
    name: str = ""
    description: str = ""
    refname: str | None = None
    pipeline: Pipeline | None = None  # state and updated_on follow it (pipeline_plan.settle_statuses)
