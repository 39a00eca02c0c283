"""Commits of pull requests, as they were before a squash."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets import commits, pull_requests
from airflow_provider_bitbucket.datasets.column import INTEGER, TEXT, Column
from airflow_provider_bitbucket.datasets.records import OnIncomplete, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

SCHEMA = Schema(
    "pull_request_commits",
    ("repository", "pull_request_id", "hash"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column("pull_request_id", INTEGER, "number of the pull request within its repository", "asked for"),
        *commits.COLUMNS,
    ),
    root="commit",
)


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    bots: Collection[str] | str = (),
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the commits of the pull requests with ``updated_on`` in ``[since, until)``.

    Costs the list of pull requests and, for each of them, one request for every 100 commits.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param since: start of the interval; None: from the beginning
    :param until: end of the interval, exclusive; None: until now
    :param bots: nicknames, display names, account ids or uuids (or one of them) of bots that use an ordinary user account
    """
    for record in pull_requests.read(
        client, repository, since=since, until=until, with_commits=True, bots=bots, on_incomplete=on_incomplete
    ):
        for commit in record["commits"] or ():
            commits.meet_author(commit, record["bots"])
            yield {
                "repository": record["repository"],
                "pull_request_id": record["pull_request"]["id"],
                "commit": commit,
                "bots": record["bots"],
            }


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read)
