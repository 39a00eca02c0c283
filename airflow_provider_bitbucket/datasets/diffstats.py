"""What pull requests change, file by file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets import pull_requests
from airflow_provider_bitbucket.datasets.records import OnIncomplete, log_incomplete
from airflow_provider_bitbucket.datasets.schema import CATEGORY, INTEGER, TEXT, Column, Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
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
    required=("repository", "pull_request_id"),
)


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the changed files of the pull requests whose ``updated_on`` lies in ``[since, until)``.

    Costs the list of pull requests and two requests for each of them. A pull request whose branches have no common
    history has none; like one whose diffstat cannot be read for another reason, it is reported.
    """
    for record in pull_requests.read(
        client, repository, since=since, until=until, with_diffstat=True, on_incomplete=on_incomplete
    ):
        for row in record["diffstat"] or ():
            yield {"repository": record["repository"], "pull_request_id": record["pull_request"]["id"], "diffstat": row}


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    row = record["diffstat"]
    path, old_path = (row.get("new") or {}).get("path"), (row.get("old") or {}).get("path")
    if not (isinstance(path, str) or isinstance(old_path, str)):
        raise KeyError("new.path", "old.path")
    return {
        "repository": record["repository"],
        "pull_request_id": record["pull_request_id"],
        "path": path,
        "old_path": old_path,
        "status": row.get("status"),
        "lines_added": row.get("lines_added"),
        "lines_removed": row.get("lines_removed"),
    }


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, row=_row, read=read)
