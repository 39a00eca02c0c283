"""Workspaces, their projects, and branching models."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from bitbucket_cloud_emulator.pipelines.models import Variable
from bitbucket_cloud_emulator.webhooks.models import Webhook

if TYPE_CHECKING:
    from bitbucket_cloud_emulator.repositories.models import Repository
    from bitbucket_cloud_emulator.users.models import User


@dataclass(eq=False)
class BranchingModel:
    """Settings of a branching model. A branch without a name is the main branch."""

    development: str | None = None
    production: str | None = None
    production_enabled: bool = False
    prefixes: dict[str, str] = field(  # kind -> prefix, in Bitbucket's order
        default_factory=lambda: {kind: f"{kind}/" for kind in ("bugfix", "feature", "release", "hotfix")}
    )
    disabled: set[str] = field(default_factory=set)  # kinds


@dataclass(eq=False)
class Project:
    key: str
    name: str
    uuid: str
    created_on: datetime
    updated_on: datetime
    description: str = ""
    is_private: bool = True
    default_reviewers: list[User] = field(default_factory=list)
    branching_model: BranchingModel = field(default_factory=BranchingModel)


@dataclass(eq=False)
class Workspace:
    slug: str
    name: str
    uuid: str
    created_on: datetime
    members: dict[str, str] = field(default_factory=dict)  # user uuid -> owner | collaborator | member
    repositories: dict[str, Repository] = field(default_factory=dict)
    variables: list[Variable] = field(default_factory=list)  # of pipelines
    webhooks: list[Webhook] = field(default_factory=list)
    moved: dict[str, str] = field(default_factory=dict)  # old slug -> new slug: answered 301
    projects: dict[str, Project] = field(default_factory=dict)  # by key, oldest first
