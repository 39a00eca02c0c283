"""Changed files of pull requests: one row for every file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets import pull_requests
from airflow_provider_bitbucket.datasets.column import CATEGORY, INTEGER, TEXT, Column
from airflow_provider_bitbucket.datasets.records import OnIncomplete, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient


def _path(record: Mapping[str, Any]) -> str | None:
    """Return the path after the change.

    :raises KeyError: there is no path before the change either
    """
    old, new = ((record["diffstat"].get(side) or {}).get("path") for side in ("old", "new"))
    if not (isinstance(new, str) or isinstance(old, str)):
        raise KeyError("new.path", "old.path")
    path: str | None = new
    return path


SCHEMA = Schema(
    "diffstats",
    ("repository", "pull_request_id", "path", "old_path"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column("pull_request_id", INTEGER, "number of the pull request within its repository", "asked for"),
        Column("path", TEXT, "path after the change; null for a removed file", "new.path", value=_path),
        Column("old_path", TEXT, "path before the change; null for an added file", "old.path"),
        Column("status", CATEGORY, "kind of change", "status", categories=("added", "modified", "removed", "renamed")),
        Column("lines_added", INTEGER, "lines added", "lines_added", "lines"),
        Column("lines_removed", INTEGER, "lines removed", "lines_removed", "lines"),
    ),
    required=("repository", "pull_request_id"),
    root="diffstat",
)


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the changed files of the pull requests with ``updated_on`` in ``[since, until)``.

    Costs the list of pull requests and two requests for each of them. A pull request whose branches have no common
    history has none and is reported, as is any other pull request whose diffstat cannot be read.
    """
    for record in pull_requests.read(
        client, repository, since=since, until=until, with_diffstat=True, on_incomplete=on_incomplete
    ):
        for row in record["diffstat"] or ():
            yield {"repository": record["repository"], "pull_request_id": record["pull_request"]["id"], "diffstat": row}


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read)
