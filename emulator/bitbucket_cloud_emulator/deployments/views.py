"""Deployments and environments as JSON."""

from __future__ import annotations

from typing import Any

from bitbucket_cloud_emulator.core.wire import braces, iso_pipelines
from bitbucket_cloud_emulator.deployments.models import DeploymentView, Environment
from bitbucket_cloud_emulator.pipelines.views import _commit_json
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.users.views import account_json


def deployment_json(repository: Repository, view: DeploymentView, base: str) -> dict[str, Any]:
    """Return a deployment.

    :param repository: whose
    :param view: the deployment at an instant
    :param base: scheme and host for links
    """
    deployment = view.deployment
    pipeline, commit = deployment.pipeline, _commit_json(repository, deployment.pipeline.target["commit"]["hash"], base)
    url = f"{base}/{repository.full_name}/addon/pipelines/home#!/results/{pipeline.build_number}"
    release = {
        "type": "deployment_release",
        "uuid": deployment.release_uuid,
        "pipeline": {"uuid": pipeline.uuid, "type": "pipeline"},
        "key": f"pipelines-{pipeline.uuid}",
        "name": f"#{pipeline.build_number}",
        "url": url,
        "commit": commit,
        "created_on": iso_pipelines(view.released_on),
    }
    shown: dict[str, Any] = {
        "type": "deployment",
        "uuid": deployment.uuid,
        "key": f"steps-{deployment.step.uuid}",
        "version": {"UNDEPLOYED": 1, "IN_PROGRESS": 3, "COMPLETED": 4}[view.state],  # of the record, not the release
        "step": {"uuid": deployment.step.uuid},
        "environment": {"uuid": deployment.environment.uuid},
        "commit": commit,
        "state": _deployment_state_json(view, base, url),
        "deployable": release,
        "release": release,
    }
    if changed := view.completed_on or view.started_on:
        shown["last_update_time"] = iso_pipelines(changed)
    return shown


def environment_json(environment: Environment, base: str) -> dict[str, Any]:
    """Return an environment; locked ones name who locked them.

    :param environment: which
    :param base: scheme and host for links
    """
    lock: dict[str, Any] = {"type": "deployment_environment_lock_open", "name": "OPEN"}
    if environment.locked_by is not None:
        locker = account_json(environment.locked_by, base)
        lock = {
            "type": "deployment_environment_lock_locked",
            "name": "LOCKED",
            "lock_opener": {"type": "deployment_environment_lock_opener_user", "user": locker},
            "triggerer": locker,
        }
    kind = {"type": "deployment_environment_type", "name": environment.type, "rank": environment.rank}
    return {
        "type": "deployment_environment",
        "uuid": environment.uuid,
        "name": environment.name,
        "slug": environment.slug,
        "rank": environment.rank,
        "hidden": False,
        "environment_type": kind,
        "category": {"name": environment.type},
        "deployment_gate_enabled": False,
        "environment_lock_enabled": True,
        "lock": lock,
        "restrictions": {"type": "deployment_restrictions_configuration", "admin_only": environment.admin_only},
    }


def _deployment_state_json(view: DeploymentView, base: str, url: str) -> dict[str, Any]:
    kind = f"deployment_state_{view.state.lower()}"
    state: dict[str, Any] = {"type": kind, "name": view.state}
    if view.started_on is not None:
        state["url"] = f"{url}/steps/{braces(view.deployment.step.uuid)}"
        state["started_on"] = iso_pipelines(view.started_on)
        state["deployer"] = account_json(view.deployment.pipeline.creator, base)
    if view.completed_on is not None:
        state["completed_on"] = iso_pipelines(view.completed_on)
        state["status"] = {"name": view.status, "type": f"{kind}_{str(view.status).lower()}"}
    return state
