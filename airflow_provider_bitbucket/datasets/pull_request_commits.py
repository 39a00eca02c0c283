"""The commits of pull requests, as they were before a squash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets import commits, pull_requests
from airflow_provider_bitbucket.datasets.schema import INTEGER, TEXT, Column, Schema

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.client import BitbucketClient

SCHEMA = Schema(
    "pull_request_commits",
    ("repository", "pull_request_id", "hash"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column("pull_request_id", INTEGER, "number of the pull request within its repository", "asked for"),
        *commits.COLUMNS,
    ),
)


def read(
    client: BitbucketClient, repository: str, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the commits of the pull requests whose ``updated_on`` lies in ``[since, until)``.

    Costs the list of pull requests and one request for each of them and every 100 commits.
    """
    for record in pull_requests.read(client, repository, since=since, until=until, with_commits=True):
        for commit in record["commits"]:
            yield {"repository": record["repository"], "pull_request_id": record["pull_request"]["id"], "commit": commit}


def to_frame(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return commits as a frame with the columns of :data:`SCHEMA`."""
    return SCHEMA.frame(map(_row, records))


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    names = {"repository": record["repository"], "pull_request_id": record["pull_request_id"]}
    return names | commits.row(record["commit"])
