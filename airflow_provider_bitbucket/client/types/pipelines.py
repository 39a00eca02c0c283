"""Pipelines and their steps."""

from __future__ import annotations

from typing import Any, TypedDict

from airflow_provider_bitbucket.client.types.accounts import Account
from airflow_provider_bitbucket.client.types.repositories import Commit, Repository


class PipelineTarget(TypedDict, total=False):
    """What a pipeline runs on."""

    type: str
    ref_type: str
    ref_name: str
    commit: Commit | None
    selector: dict[str, str]


class Pipeline(TypedDict, total=False):
    """A pipeline; :func:`~airflow_provider_bitbucket.client.pipeline_state.evaluate` reads its state."""

    type: str
    uuid: str
    build_number: int
    state: dict[str, Any]
    target: PipelineTarget
    trigger: dict[str, Any]
    creator: Account | None
    repository: Repository
    created_on: str
    completed_on: str | None
    build_seconds_used: int
    duration_in_seconds: int  # recorded
    variables: list[dict[str, Any]]


class Step(TypedDict, total=False):
    """A step of a pipeline."""

    type: str
    uuid: str
    name: str  # recorded
    state: dict[str, Any]
    started_on: str | None
    completed_on: str | None
    duration_in_seconds: int  # recorded


class Variable(TypedDict, total=False):
    """A variable of a repository, workspace or environment; ``value`` is absent where it is secured."""

    type: str
    uuid: str
    key: str
    value: str
    secured: bool


class Schedule(TypedDict, total=False):
    """A schedule of pipelines."""

    type: str
    uuid: str
    enabled: bool
    target: PipelineTarget
    cron_pattern: str
    created_on: str
    updated_on: str


class ScheduleExecution(TypedDict, total=False):
    """A run of a schedule: the pipeline that it started, or the error that prevented it."""

    type: str
    pipeline: Pipeline  # recorded
    error: dict[str, str]  # recorded


class Cache(TypedDict, total=False):
    """A cache of pipelines."""

    type: str
    uuid: str
    pipeline_uuid: str
    step_uuid: str
    name: str
    key_hash: str
    path: str
    file_size_bytes: int
    created_on: str


class PipelinesConfig(TypedDict, total=False):
    """Whether Pipelines is enabled in a repository."""

    type: str
    enabled: bool
    repository: Repository
