"""Test reports of pipeline steps: one row for every step that has one, with its number of test cases by result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.client.pipeline_state import step_result
from airflow_provider_bitbucket.datasets import pipeline_steps
from airflow_provider_bitbucket.datasets.column import CATEGORY, INTEGER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.records import OnIncomplete, RecordReader, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

#: Results of steps that can have a report; a step that was stopped or did not run has none.
_RAN = ("SUCCESSFUL", "FAILED", "ERROR")
_COUNT = "number_of_{}test_cases"

OVERLAP = pipeline_steps.OVERLAP


def _of_step(field: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda record: record["step"].get(field)


SCHEMA = Schema(
    "test_reports",
    ("repository", "build_number", "step_id"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column(
            "build_number", INTEGER, "number of the pipeline", "build_number of the pipeline", value=itemgetter("build_number")
        ),
        Column("step_id", TEXT, "uuid of the step", "uuid of the step", value=_of_step("uuid")),
        Column(
            "step",
            TEXT,
            "name of the step; null if bitbucket-pipelines.yml has none",
            "name of the step",
            value=_of_step("name"),
        ),
        Column(
            "status",
            CATEGORY,
            "result of the step",
            "state.result.name of the step",
            value=lambda record: step_result(record["step"]),
            categories=_RAN,
        ),
        Column("completed_on", TIMESTAMP, "when the step ended", "completed_on of the step", value=_of_step("completed_on")),
        Column("tests", INTEGER, "test cases", _COUNT.format(""), "test cases"),
        *(
            Column(kind, INTEGER, f"test cases that {meaning}", _COUNT.format(f"{source}_"), "test cases")
            for kind, source, meaning in (
                ("passed", "successful", "passed"),
                ("failed", "failed", "failed"),
                ("error", "error", "ended with an error"),
                ("skipped", "skipped", "were skipped"),
            )
        ),
    ),
    root="report",
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
    """Yield the test reports of the pipelines with ``created_on`` in ``[since, until)``.

    Costs as much as `pipeline_steps` plus one request for every step that ended SUCCESSFUL, FAILED or ERROR, because only this
    request shows whether it has a report. Other steps cost none. Parameters are those of `pipeline_steps`.
    """
    reader = RecordReader(SCHEMA.dataset, client.full_name(repository), on_incomplete)
    steps = pipeline_steps.read(
        client, repository, since=since, until=until, changed_since=changed_since, on_incomplete=on_incomplete
    )
    for record, step, uuid in reader.each(steps, _step_that_ran):
        if uuid is None:
            continue
        # None if the step has no report or the pipeline was deleted.
        read = partial(client.pipelines.test_report, repository, record["pipeline_id"], uuid)
        if report := reader.part(f"{record['build_number']} {uuid}", "test report", read):
            yield {**record, "step": step, "report": report}


def _step_that_ran(record: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any], str | None]:
    """Return a record of `pipeline_steps`, its step, and the uuid of the step if it may have a report."""
    step = record["step"]
    uuid = step.get("uuid") if step_result(step) in _RAN else None
    return record, step, uuid if isinstance(uuid, str) else None


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read, overlap=OVERLAP, reads_changes=True)
