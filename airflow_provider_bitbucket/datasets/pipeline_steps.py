"""Steps of pipelines: one row each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.client.pipeline_state import STEP_RESULTS, step_result
from airflow_provider_bitbucket.datasets import pipelines
from airflow_provider_bitbucket.datasets.columns import CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column
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
        Column("position", INTEGER, "place in its pipeline, from 1", "order of the list", value=itemgetter("position")),
        Column("name", TEXT, "name; null where bitbucket-pipelines.yml gives none", "name"),
        Column(
            "status",
            CATEGORY,
            "its result, or where it stands; NOT_RUN stood behind a failure",
            "state.result.name, else state.stage.name, else state.name",
            value=_status,
            categories=STEP_RESULTS,
        ),
        Column(
            "trigger",
            CATEGORY,
            "whether it begins by itself or a person starts it",
            "trigger.type",
            value=_trigger,
            categories=("automatic", "manual", "redeploy"),
        ),
        Column("run_number", INTEGER, "1; more after it was run again", "run_number"),
        Column(
            "started_on",
            TIMESTAMP,
            "when it began; null before that and when it never did; `completed_on` when it was stopped before",
            "started_on",
        ),
        Column("completed_on", TIMESTAMP, "when it was over", "completed_on"),
        Column("duration_seconds", NUMBER, "how long it ran", "duration_in_seconds", "s"),
        Column("build_seconds", NUMBER, "what is billed; 0 on a runner of one's own", "build_seconds_used", "s"),
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
    """Yield the steps of the pipelines whose ``created_on`` lies in ``[since, until)``.

    Costs the list of pipelines and one request for each pipeline in the interval, with ``changed_since`` for each that
    was not over at that moment. A pipeline has no steps before its definition was read. One whose steps
    cannot be read, such as one that was deleted meanwhile, is reported.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param since: first moment; None: from the beginning
    :param until: first moment that is too late; None: until now
    :param changed_since: leave out pipelines that were over before, whose steps were read then; None: none
    """
    reader = RecordReader(SCHEMA.dataset, client.full_name(repository), on_incomplete)
    for record in pipelines.read(client, repository, since=since, until=until, on_incomplete=on_incomplete):
        outcome = record["outcome"]
        if changed_since and pipelines.was_over(outcome, changed_since):
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
