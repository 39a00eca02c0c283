"""Two weeks of a repository by hand, and the metrics of them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_bitbucket.extraction.dataset import Dataset
from airflow_provider_bitbucket.metrics.catalog import METRICS
from airflow_provider_bitbucket.report import Period, Report, required_metrics, write

WEB = "https://bitbucket.org"
PERIOD = Period(datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 10, 12, tzinfo=UTC))
Rows = dict[str, list[dict[str, Any]]]


def at(hours: float) -> datetime:
    """So many hours after the period began; before it where negative."""
    return PERIOD.since + timedelta(hours=hours)


def pull_request(number: int, opened: float, lasted: float | None, **fields: Any) -> dict[str, Any]:
    """A pull request that was opened at an hour and merged so many hours later, reviewed and approved at half of them."""
    fields = {"title": f"Change {number}", "author": "Alex", "url": f"{WEB}/acme/api/pull-requests/{number}", **fields}
    row = {"repository": "acme/api", "id": number, "author_is_bot": False, "reviewers": 1, **fields, "created_on": at(opened)}
    if lasted is None:
        return {**row, "state": "OPEN", "updated_on": at(opened), "approvals": 0}
    reviewed, merged = at(opened + lasted / 2), at(opened + lasted)
    reviews = {"first_review_on": reviewed, "last_approval_on": reviewed, "approvals": 1}
    return {**row, **reviews, "state": "MERGED", "closed_on": merged, "updated_on": merged}


def pipeline(number: int, ended: float, status: str, seconds: float = 60) -> dict[str, Any]:
    """A pipeline that ended at an hour."""
    return {
        "repository": "acme/api",
        "build_number": number,
        "status": status,
        "is_completed": True,
        "created_on": at(ended - 1),
        "completed_on": at(ended),
        "duration_seconds": seconds,
        "build_seconds": seconds,
    }


def deployment(number: int, ended: float, outcome: str) -> dict[str, Any]:
    """A production deployment that ended at an hour."""
    return {
        "repository": "acme/api",
        "id": f"{{{number}}}",
        "build_number": number,
        "environment_id": "{production}",
        "environment": "Production",
        "environment_type": "Production",
        "outcome": outcome,
        "completed_on": at(ended),
    }


def review(number: int, reviewer: str | None, asked_at: float, answered: float | None) -> dict[str, Any]:
    """A reviewer is asked at an hour, and answers so many hours later."""
    person = {"reviewer_id": reviewer and f"{{{reviewer}}}", "reviewer": reviewer}
    row = {"repository": "acme/api", "pull_request_id": number, **person, "requested_on": at(asked_at), "comments": 0}
    if answered is None:
        return row
    return {**row, "first_response_on": at(asked_at + answered), "response_seconds": answered * 3600.0}


def report_of(
    rows: Rows, *repositories: str, title: str | None = None, period: Period = PERIOD, exclude_people: Collection[str] = ()
) -> Report:
    """The report of rows of datasets."""
    data = {name: Dataset(name).schema.frame(rows.get(name, ())) for metric in METRICS.values() for name in _reads(metric)}
    frames = {
        name: METRICS[metric].compute(_without_options(metric, data), question)
        for name, (metric, question) in required_metrics(period).items()
    }
    return write(frames, period, repositories or ["acme/api"], WEB, title, exclude_people=exclude_people)


def _reads(metric: Any) -> list[str]:
    return [read.dataset for read in metric.reads]


def _without_options(metric: str, data: dict[str, Any]) -> dict[str, Any]:
    return {read.dataset: data[read.dataset] for read in METRICS[metric].reads if read.when is None}
