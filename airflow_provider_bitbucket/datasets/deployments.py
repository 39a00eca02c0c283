"""Deployments: one row for every release to an environment, with its times, pipeline and outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_bitbucket.datasets import environments
from airflow_provider_bitbucket.datasets.column import CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.intervals import parse_timestamp, within
from airflow_provider_bitbucket.datasets.records import OnIncomplete, RecordReader, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient


class _Times(NamedTuple):
    released_on: str | None
    started_on: str | None
    completed_on: str | None
    updated_on: str | None


def _times_of(record: Mapping[str, Any]) -> _Times:
    return _times(record["deployment"])


def _times(deployment: Mapping[str, Any]) -> _Times:
    """Return the times; an undeployed one has only that of its release."""
    state, release = deployment.get("state") or {}, deployment.get("release") or {}
    # start_date and completion_date in the API reference, started_on and completed_on in recorded responses (2021, 2023).
    started, completed = (
        state.get("started_on") or state.get("start_date"),
        state.get("completed_on") or state.get("completion_date"),
    )
    # Either of the two descriptions of the release can have it.
    released = release.get("created_on") or (deployment.get("deployable") or {}).get("created_on")
    return _Times(released, started, completed, deployment.get("last_update_time") or completed or started or released)


def _duration_seconds(record: Mapping[str, Any]) -> float | None:
    times = _times_of(record)
    begin, end = parse_timestamp(times.started_on), parse_timestamp(times.completed_on)
    # Bitbucket's clocks differ by milliseconds: the end can be before the start.
    return max((end - begin).total_seconds(), 0.0) if begin and end else None


def _build_number(record: Mapping[str, Any]) -> int | None:
    name = (record["deployment"].get("release") or {}).get("name")
    number = (name or "").removeprefix("#")
    return int(number) if number.isascii() and number.isdecimal() else None


SCHEMA = Schema(
    "deployments",
    ("repository", "id"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column("id", TEXT, "uuid", "uuid"),
        Column(
            "environment_id",
            TEXT,
            "uuid of the environment",
            "environment.uuid",
            value=lambda record: record["environment"].get("uuid"),
        ),
        Column(
            "environment",
            TEXT,
            "name of the environment; null if it was deleted",
            "environments",
            value=lambda record: record["environment"].get("name"),
        ),
        Column(
            "environment_type",
            CATEGORY,
            "type of the environment; likewise",
            "environments",
            categories=environments.TYPES,
            value=lambda record: environments.type_of(record["environment"]),
        ),
        Column(
            "state",
            CATEGORY,
            "progress; a failed one is COMPLETED, and one whose step has not run is UNDEPLOYED, possibly indefinitely",
            "state.name",
            categories=("UNDEPLOYED", "IN_PROGRESS", "COMPLETED"),
        ),
        Column(
            "outcome",
            CATEGORY,
            "result; null before it has completed",
            "state.status.name",
            categories=("SUCCESSFUL", "FAILED", "STOPPED"),
        ),
        Column(
            "released_on",
            TIMESTAMP,
            "when it was ready to start, after the steps before it",
            "release.created_on, else deployable.created_on",
            group=_times_of,
        ),
        Column("started_on", TIMESTAMP, "when it started", "state.started_on, else state.start_date", group=_times_of),
        Column("completed_on", TIMESTAMP, "when it ended", "state.completed_on, else state.completion_date", group=_times_of),
        Column(
            "updated_on",
            TIMESTAMP,
            "when it was last changed",
            "last_update_time, else completed_on, started_on, released_on",
            group=_times_of,
        ),
        Column(
            "duration_seconds",
            NUMBER,
            "from start to end, never below 0",
            "completed_on - started_on",
            "s",
            value=_duration_seconds,
        ),
        Column("pipeline_id", TEXT, "uuid of the pipeline", "release.pipeline.uuid"),
        Column("build_number", INTEGER, "number of the pipeline", "release.name", value=_build_number),
        Column("step_id", TEXT, "uuid of the step", "step.uuid"),
        Column("commit", TEXT, "deployed commit, full hash", "commit.hash, else release.commit.hash"),
        Column("url", TEXT, "web page of the step, else of the pipeline", "state.url, else release.url"),
    ),
    root="deployment",
)


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the deployments of a repository with ``updated_on`` in ``[since, until)``.

    Costs one request for every 100 deployments that ever existed, because Bitbucket offers neither filter nor order, and one
    for the environments. A deployment that changes moves to a later interval: of rows with the same key, the one with the
    latest ``updated_on`` is valid.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param since: start of the interval; None: from the beginning
    :param until: end of the interval, exclusive; None: until now
    """
    name = client.full_name(repository)
    reader = RecordReader(SCHEMA.dataset, name, on_incomplete)
    listed = reader.part("environments", "name and type", lambda: [*client.environments.list(repository)])
    known = dict(reader.each(listed or (), lambda one: (str(one["uuid"]), one)))

    def with_environment(deployment: Mapping[str, Any]) -> dict[str, Any]:
        own = deployment.get("environment") or {}
        return {
            "updated_on": parse_timestamp(_times(deployment).updated_on),
            "deployment": deployment,
            "environment": known.get(str(own.get("uuid")), own),
        }

    for record in reader.each(client.deployments.list(repository), with_environment):
        if within(record.pop("updated_on"), since, until):
            yield {"repository": name, **record}


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read)
