"""Pipelines: one row each. Only the steps show how long a pipeline waited in the queue (`pipeline_steps`)."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.client import BitbucketNotFoundError, PipelineStatus
from airflow_provider_bitbucket.client.paging import LARGEST_PAGE
from airflow_provider_bitbucket.datasets.column import BOOLEAN, CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.intervals import back_to, date_at, parse_timestamp
from airflow_provider_bitbucket.datasets.records import OnIncomplete, RecordReader, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient, PipelineOutcome

log = logging.getLogger(__name__)

#: A pipeline belongs to the interval of its creation, in which it has not always ended.
OVERLAP = timedelta(days=1)

#: Its attributes are named like columns.
_OUTCOME = itemgetter("outcome")


def _wall_seconds(record: Mapping[str, Any]) -> float | None:
    begin, end = _created_on(record["pipeline"]), parse_timestamp(record["pipeline"].get("completed_on"))
    return max((end - begin).total_seconds(), 0.0) if begin and end else None


SCHEMA = Schema(
    "pipelines",
    ("repository", "build_number"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column(
            "build_number", INTEGER, "number shown in Bitbucket, unique within its repository", "build_number", group=_OUTCOME
        ),
        Column("uuid", TEXT, "uuid, with braces", "uuid", group=_OUTCOME),
        Column("run_number", INTEGER, "1, and one more for every rerun of its failed steps", "run_number"),
        Column(
            "status",
            CATEGORY,
            "state, and after its end the result; PAUSED waits for a person and HALTED for build minutes or another "
            "deployment, possibly indefinitely; UNKNOWN is a state that this version does not know",
            "state.name, state.stage.name, state.result.name",
            categories=tuple(map(str, PipelineStatus)),
            value=lambda record: str(record["outcome"].status),
        ),
        Column("is_completed", BOOLEAN, "whether it has ended", "state.name", value=lambda record: record["outcome"].completed),
        Column("reason", TEXT, "status as a sentence, with the error or the person who stopped it", "state", group=_OUTCOME),
        Column("trigger", CATEGORY, "what started it", "trigger.name", categories=("PUSH", "MANUAL", "SCHEDULE", "PARENT_STEP")),
        Column(
            "creator_id", TEXT, "uuid of the account that started it; null for a schedule or a deleted account", "creator.uuid"
        ),
        Column("creator", TEXT, "display name of that account", "creator.display_name"),
        Column("creator_type", TEXT, "user (a person), app_user (a bot) or team", "creator.type"),
        Column("ref_type", TEXT, "branch or tag; null for a commit or a pull request", "target.ref_type"),
        Column("ref_name", TEXT, "branch or tag; for a pull request its source branch", "target.ref_name, else target.source"),
        Column("pull_request_id", INTEGER, "number of the pull request it runs for", "target.pullrequest.id"),
        Column("commit", TEXT, "commit it runs on, 40 characters", "target.commit.hash"),
        Column(
            "selector_type",
            TEXT,
            "section of bitbucket-pipelines.yml: default, branches, tags, custom, pull-requests; null until the file is read",
            "target.selector.type",
        ),
        Column("selector_pattern", TEXT, "name of the custom pipeline, or the pattern that matched", "target.selector.pattern"),
        Column("created_on", TIMESTAMP, "when it was started", "created_on"),
        Column("completed_on", TIMESTAMP, "when it ended", "completed_on"),
        Column(
            "duration_seconds",
            NUMBER,
            "time that it ran (so far), without the queue and waits for a person",
            "duration_in_seconds",
            "s",
        ),
        Column(
            "wall_seconds",
            NUMBER,
            "from start to end with all waits; 0 if Bitbucket's end is before its start",
            "completed_on - created_on",
            "s",
            value=_wall_seconds,
        ),
        Column("build_seconds", NUMBER, "billed time: the sum of its steps, weighted by their size", "build_seconds_used", "s"),
        Column("url", TEXT, "web page", "made from the build number", group=_OUTCOME),
    ),
    root="pipeline",
)


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the pipelines of a repository with ``created_on`` in ``[since, until)``, newest first.

    Costs one request for every 100 pipelines from now back to ``since``. The list cannot be filtered by time, so it is read
    until a whole page is older than ``since`` by an hour. Rows have the current state. A pipeline that has not ended changes
    later and stays in its interval: let intervals overlap by as long as pipelines may run or wait. Rows with the same key
    replace each other. A repository with Pipelines switched off has none.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param since: start of the interval; None: from the beginning
    :param until: end of the interval, exclusive; None: until now
    """
    name, listed = client.full_name(repository), client.pipelines.list(repository)
    reader = RecordReader(SCHEMA.dataset, name, on_incomplete)
    try:
        newest = next(listed, None)
    except BitbucketNotFoundError:
        # 404 means that Pipelines is switched off or that the repository is missing: reading the repository shows which.
        client.repositories.get(repository)
        log.info("%s has no pipelines: Pipelines is switched off.", name)
        return
    if newest:
        rows = back_to(chain([newest], listed), _created_on, since, until, page=LARGEST_PAGE)
        yield from reader.each(
            rows,
            lambda row: {
                "repository": name,
                "outcome": client.pipelines.evaluate(repository, row, strict=False),
                "pipeline": row,
            },
        )


def had_ended(outcome: PipelineOutcome, before: datetime) -> bool:
    """Return whether a pipeline ended before a date. It changes no more, unless it is run again; then it has no end."""
    ended = parse_timestamp(outcome.pipeline.get("completed_on"))
    return outcome.completed and ended is not None and ended < before


def _created_on(row: Mapping[str, Any]) -> datetime | None:
    return date_at(row, "created_on")


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read, overlap=OVERLAP)
