"""Deployments and environments."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from airflow_provider_bitbucket.client.types.pipelines import Step
from airflow_provider_bitbucket.client.types.repositories import Commit

EnvironmentType = Literal["Test", "Staging", "Production"]


class Environment(TypedDict, total=False):
    """A deployment environment."""

    type: str
    uuid: str
    name: str
    slug: str  # recorded
    rank: int  # recorded
    environment_type: dict[str, Any]  # recorded
    lock: dict[str, Any]  # recorded
    restrictions: dict[str, Any]  # recorded


class Release(TypedDict, total=False):
    """What a deployment deployed."""

    type: str
    uuid: str
    name: str
    url: str
    commit: Commit
    created_on: str


class Deployment(TypedDict, total=False):
    """A deployment."""

    type: str
    uuid: str
    state: dict[str, Any]
    environment: Environment
    release: Release
    deployable: dict[str, Any]  # recorded
    step: Step  # recorded
    number: int  # recorded
    last_update_time: str  # recorded
