"""The state of deployments at a point in time, and the environments that they need."""

from __future__ import annotations

from datetime import datetime

from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.deployments.models import Deployment, DeploymentView, Environment
from bitbucket_cloud_emulator.pipelines.plan import FAILED, STOPPED, SUCCESSFUL, planned_steps, step_at
from bitbucket_cloud_emulator.repositories.models import Repository


def deployment_at(deployment: Deployment, now: datetime) -> DeploymentView | None:
    """Return the state of a deployment at a point in time, None if it does not exist yet.

    The deployments of a pipeline appear together, when the steps before the first one that deploys have succeeded.

    :param deployment: which one
    :param now: the time, aware
    """
    timeline = planned_steps(deployment.pipeline)
    first = next(index for index, planned in enumerate(timeline) if planned.step.environment)
    before = [planned.end for planned in timeline[:first] if planned.result == SUCCESSFUL]
    released_on = before[-1] if before else deployment.pipeline.created_on
    if len(before) < first or released_on is None or now < released_on:
        return None
    view = next(step_at(planned, now) for planned in timeline if planned.step is deployment.step)
    if view.state == "PENDING" or view.started_on is None:
        return DeploymentView(deployment, "UNDEPLOYED", None, None, None, released_on)
    status = None if view.result is None else view.result if view.result in (SUCCESSFUL, STOPPED) else FAILED
    return DeploymentView(deployment, view.state, status, view.started_on, view.completed_on, released_on)


def visible_deployments(repository: Repository, now: datetime) -> list[DeploymentView]:
    """Return the deployments that exist at a point in time, newest release first."""
    views = (deployment_at(deployment, now) for deployment in reversed(repository.deployments))
    return [view for view in views if view is not None]


ENVIRONMENT_RANKS = {"Test": 0, "Staging": 1, "Production": 2}


def slug_of(name: str) -> str:
    """Return the slug of an environment's name."""
    return name.lower().replace(" ", "-")


def ensure_environment(state: State, repository: Repository, name: str) -> Environment:
    """Return the environment of a repository with this name or slug; one that is missing is made.

    :param state: everything
    :param repository: where
    :param name: the word after ``deployment:`` in the definition
    """
    slug = slug_of(name)
    for environment in repository.environments:
        if environment.slug == slug:
            return environment
    kind = next((kind for kind in ENVIRONMENT_RANKS if kind.lower() in slug), "Test")
    environment = Environment(state.uuid(), name[:1].upper() + name[1:], slug, kind, ENVIRONMENT_RANKS[kind])
    repository.environments.append(environment)
    return environment
