"""Steps of pipelines: one row each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.client.pipeline_state import STEP_RESULTS, step_result
from airflow_provider_bitbucket.datasets import pipelines
from airflow_provider_bitbucket.datasets.column import CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.records import OnIncomplete, RecordReader, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

_TRIGGER = "pipeline_step_trigger_"

OVERLAP = pipelines.OVERLAP


def _status(record: Mapping[str, Any]) -> str | None:
    return step_result(record["step"])


def _trigger(record: Mapping[str, Any]) -> str | None:
    kind: str = (record["step"].get("trigger") or {}).get("type") or ""
    return kind.removeprefix(_TRIGGER) or None


SCHEMA = Schema(
    "pipeline_steps",
    ("repository", "build_number", "uuid"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column(
            "build_number", INTEGER, "number of its pipeline", "build_number of the pipeline", value=itemgetter("build_number")
        ),
        Column("uuid", TEXT, "uuid, with braces", "uuid"),
        Column("position", INTEGER, "position in its pipeline, from 1", "order of the list", value=itemgetter("position")),
        Column("name", TEXT, "name; null if bitbucket-pipelines.yml has none", "name"),
        Column(
            "status",
            CATEGORY,
            "result, else state; NOT_RUN: an earlier step failed",
            "state.result.name, else state.stage.name, else state.name",
            value=_status,
            categories=STEP_RESULTS,
        ),
        Column(
            "trigger",
            CATEGORY,
            "whether it starts automatically or a person starts it",
            "trigger.type",
            value=_trigger,
            categories=("automatic", "manual", "redeploy"),
        ),
        Column("run_number", INTEGER, "1, and one more for every rerun", "run_number"),
        Column(
            "started_on",
            TIMESTAMP,
            "when it started; null if it has not; `completed_on` if it was stopped before it started",
            "started_on",
        ),
        Column("completed_on", TIMESTAMP, "when it ended", "completed_on"),
        Column("duration_seconds", NUMBER, "how long it ran", "duration_in_seconds", "s"),
        Column("build_seconds", NUMBER, "billed time; 0 on a self-hosted runner", "build_seconds_used", "s"),
    ),
    root="step",
)


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    changed_since: datetime | None = None,
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the steps of the pipelines with ``created_on`` in ``[since, until)``.

    Costs the list of pipelines and one request for each pipeline in the interval, with ``changed_since`` only for each that
    had not ended before it. A pipeline has no steps until Bitbucket has read its definition. A pipeline whose steps cannot be
    read, for example because it was deleted, is reported.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param since: start of the interval; None: from the beginning
    :param until: end of the interval, exclusive; None: until now
    :param changed_since: leave out pipelines that had ended before, because their steps were read earlier; None: read all
    """
    reader = RecordReader(SCHEMA.dataset, client.full_name(repository), on_incomplete)
    for record in pipelines.read(client, repository, since=since, until=until, on_incomplete=on_incomplete):
        outcome = record["outcome"]
        if changed_since and pipelines.had_ended(outcome, changed_since):
            continue
        steps = reader.part(outcome.build_number, "steps", partial(client.pipelines.steps, repository, outcome.uuid))
        for position, step in enumerate(steps or (), 1):
            yield {
                "repository": record["repository"],
                "build_number": outcome.build_number,
                "pipeline_id": outcome.uuid,
                "position": position,
                "step": step,
            }


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read, overlap=OVERLAP, reads_changes=True)
