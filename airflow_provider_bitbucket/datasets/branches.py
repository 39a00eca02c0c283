"""Branches as they are now, each with its newest commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.column import TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.intervals import date_at, within
from airflow_provider_bitbucket.datasets.people import Account
from airflow_provider_bitbucket.datasets.records import OnIncomplete, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient


def _author(record: Mapping[str, Any]) -> str | None:
    return Account.of_commit(record["branch"].get("target") or {}).name


SCHEMA = Schema(
    "branches",
    ("repository", "name"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column("name", TEXT, "name", "name"),
        Column("commit", TEXT, "newest commit, full hash", "target.hash"),
        Column("committed_on", TIMESTAMP, "author date of the newest commit", "target.date"),
        Column(
            "author_id", TEXT, "uuid of the commit's author; null if no account has the e-mail address", "target.author.user.uuid"
        ),
        Column(
            "author", TEXT, "display name of the commit's author, else name and e-mail address", "target.author", value=_author
        ),
        Column("merge_strategy", TEXT, "how pull requests into it are merged by default", "default_merge_strategy"),
        Column("url", TEXT, "web page", "links.html.href"),
    ),
    root="branch",
)


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the branches of a repository whose newest commit is dated in ``[since, until)``.

    Costs one request for every 100 branches, whatever the interval. Bitbucket does not report when a branch was created or
    moved, and a new branch can point to an old commit, so read them without an interval. A repository without commits has no
    branches.
    """
    name = client.full_name(repository)
    for branch in client.refs.branches(repository):
        if within(date_at(branch, "target", "date"), since, until):
            yield {"repository": name, "branch": branch}


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read)
