"""Workspaces."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bitbucket_cloud_emulator.repositories.models import Repository


@dataclass(eq=False)
class Workspace:
    slug: str
    name: str
    uuid: str
    created_on: datetime
    members: dict[str, str] = field(default_factory=dict)  # user uuid -> owner | collaborator | member
    repositories: dict[str, Repository] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)  # old slug -> new slug: answered 301

    def projects(self) -> dict[str, dict[str, str]]:
        """The projects that its repositories are in, by key."""
        return {one.project["key"]: one.project for one in self.repositories.values()}
