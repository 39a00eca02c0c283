"""What pull requests change, file by file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets import pull_requests
from airflow_provider_bitbucket.datasets.schema import CATEGORY, INTEGER, TEXT, Column, Schema

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.client import BitbucketClient

SCHEMA = Schema(
    "diffstats",
    ("repository", "pull_request_id", "path", "old_path"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column("pull_request_id", INTEGER, "number of the pull request within its repository", "asked for"),
        Column("path", TEXT, "path after the change; null for a removed file", "new.path"),
        Column("old_path", TEXT, "path before the change; null for an added file", "old.path"),
        Column("status", CATEGORY, "what happened to the file", "status", categories=("added", "modified", "removed", "renamed")),
        Column("lines_added", INTEGER, "lines added", "lines_added", "lines"),
        Column("lines_removed", INTEGER, "lines removed", "lines_removed", "lines"),
    ),
)


def read(
    client: BitbucketClient, repository: str, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the changed files of the pull requests whose ``updated_on`` lies in ``[since, until)``.

    Costs the list of pull requests and two requests for each of them. A pull request whose branches have no common
    history has none.
    """
    for record in pull_requests.read(client, repository, since=since, until=until, with_diffstat=True):
        for row in record["diffstat"] or ():
            yield {"repository": record["repository"], "pull_request_id": record["pull_request"]["id"], "diffstat": row}


def to_frame(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return changed files as a frame with the columns of :data:`SCHEMA`."""
    return SCHEMA.frame(map(_row, records))


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    row = record["diffstat"]
    return {
        "repository": record["repository"],
        "pull_request_id": record["pull_request_id"],
        "path": (row.get("new") or {}).get("path"),
        "old_path": (row.get("old") or {}).get("path"),
        "status": row.get("status"),
        "lines_added": row.get("lines_added"),
        "lines_removed": row.get("lines_removed"),
    }
