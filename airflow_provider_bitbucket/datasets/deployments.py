"""Deployments: what was released to which environment, when, by which pipeline, and how it went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets import environments
from airflow_provider_bitbucket.datasets.intervals import moment, within
from airflow_provider_bitbucket.datasets.records import OnIncomplete, RecordReader, log_incomplete
from airflow_provider_bitbucket.datasets.schema import CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column, Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

SCHEMA = Schema(
    "deployments",
    ("repository", "id"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column("id", TEXT, "uuid", "uuid"),
        Column("environment_id", TEXT, "uuid of the environment", "environment.uuid"),
        Column("environment", TEXT, "name of the environment; null when it was deleted", "environments"),
        Column(
            "environment_type", CATEGORY, "what the environment is for; likewise", "environments", categories=environments.TYPES
        ),
        Column(
            "state",
            CATEGORY,
            "how far it is; also what failed is completed, and what waits for its step is undeployed, maybe for ever",
            "state.name",
            categories=("UNDEPLOYED", "IN_PROGRESS", "COMPLETED"),
        ),
        Column(
            "outcome",
            CATEGORY,
            "how it ended; null before that",
            "state.status.name",
            categories=("SUCCESSFUL", "FAILED", "STOPPED"),
        ),
        Column(
            "released_on",
            TIMESTAMP,
            "when it could begin: the steps before it were done",
            "release.created_on, else deployable.created_on",
        ),
        Column("started_on", TIMESTAMP, "when it began", "state.started_on, else state.start_date"),
        Column("completed_on", TIMESTAMP, "when it ended", "state.completed_on, else state.completion_date"),
        Column("updated_on", TIMESTAMP, "when it changed last", "last_update_time, else completed_on, started_on, released_on"),
        Column("duration_seconds", NUMBER, "from its beginning to its end, never below 0", "completed_on - started_on", "s"),
        Column("pipeline_id", TEXT, "uuid of the pipeline", "release.pipeline.uuid"),
        Column("build_number", INTEGER, "number of the pipeline", "release.name"),
        Column("step_id", TEXT, "uuid of the step", "step.uuid"),
        Column("commit", TEXT, "what was deployed, full hash", "commit.hash, else release.commit.hash"),
        Column("url", TEXT, "web page of the step, else of the pipeline", "state.url, else release.url"),
    ),
)


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the deployments of a repository whose ``updated_on`` lies in ``[since, until)``.

    Costs one request for every 100 deployments that there ever were, since Bitbucket offers neither filter nor order, and one
    for the environments. A deployment that goes on moves to a later interval: rows of the same key replace each other, the
    one with the later ``updated_on`` is right.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param since: first moment; None: from the beginning
    :param until: first moment that is too late; None: until now
    """
    name = client.full_name(repository)
    reader = RecordReader(SCHEMA.dataset, name, on_incomplete)
    listed = reader.part("environments", "name and type", lambda: [*client.environments.list(repository)])
    known = dict(reader.each(listed or (), lambda one: (str(one["uuid"]), one)))

    def with_environment(deployment: Mapping[str, Any]) -> dict[str, Any]:
        own = deployment.get("environment") or {}
        return {
            "updated_on": moment(_times(deployment)["updated_on"]),
            "deployment": deployment,
            "environment": known.get(str(own.get("uuid")), own),
        }

    for record in reader.each(client.deployments.list(repository), with_environment):
        if within(record.pop("updated_on"), since, until):
            yield {"repository": name, **record}


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    deployment, environment = record["deployment"], record["environment"]
    state, release = deployment.get("state") or {}, deployment.get("release") or {}
    times = _times(deployment)
    return {
        "repository": record["repository"],
        "id": deployment.get("uuid"),
        "environment_id": environment.get("uuid"),
        "environment": environment.get("name"),
        "environment_type": environments.type_of(environment),
        "state": state.get("name"),
        "outcome": (state.get("status") or {}).get("name"),
        **times,
        "duration_seconds": _seconds(moment(times["started_on"]), moment(times["completed_on"])),
        "pipeline_id": (release.get("pipeline") or {}).get("uuid"),
        "build_number": _build_number(release.get("name")),
        "step_id": (deployment.get("step") or {}).get("uuid"),
        "commit": (deployment.get("commit") or release.get("commit") or {}).get("hash"),
        "url": state.get("url") or release.get("url"),
    }


def _times(deployment: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the times; what is undeployed has no more than that of its release."""
    state, release = deployment.get("state") or {}, deployment.get("release") or {}
    # The API reference says start_date and completion_date, the wire says started_on and completed_on (recorded 2021, 2023).
    started, completed = (
        state.get("started_on") or state.get("start_date"),
        state.get("completed_on") or state.get("completion_date"),
    )
    # Whichever of the two descriptions of what was released has it.
    released = release.get("created_on") or (deployment.get("deployable") or {}).get("created_on")
    return {
        "released_on": released,
        "started_on": started,
        "completed_on": completed,
        "updated_on": deployment.get("last_update_time") or completed or started or released,
    }


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    # Bitbucket's clocks differ by milliseconds: an end can lie before its beginning.
    return max((end - begin).total_seconds(), 0.0) if begin and end else None


def _build_number(name: str | None) -> int | None:
    number = (name or "").removeprefix("#")
    return int(number) if number.isascii() and number.isdecimal() else None


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, row=_row, read=read)
