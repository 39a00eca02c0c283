"""Environments and deployments."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bitbucket_cloud_emulator.pipelines.models import Pipeline, Step, Variable
from bitbucket_cloud_emulator.users.models import User


@dataclass(eq=False)
class Environment:
    uuid: str
    name: str
    slug: str
    type: str  # Test | Staging | Production
    rank: int = 0
    admin_only: bool = False
    locked_by: User | None = None
    variables: list[Variable] = field(default_factory=list)


@dataclass(eq=False)
class Deployment:
    """A deployment of one step of one pipeline; its state follows the step's."""

    uuid: str
    environment: Environment
    pipeline: Pipeline
    step: Step
    release_uuid: str  # the same for all deployments of the pipeline


@dataclass(frozen=True)
class DeploymentView:
    """A deployment at a point in time; it exists since ``released_on``."""

    deployment: Deployment
    state: str  # UNDEPLOYED | IN_PROGRESS | COMPLETED
    status: str | None
    started_on: datetime | None
    completed_on: datetime | None
    released_on: datetime
