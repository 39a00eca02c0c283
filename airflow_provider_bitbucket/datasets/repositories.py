"""Repositories as they are now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.column import BOOLEAN, INTEGER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.intervals import date_at, within
from airflow_provider_bitbucket.datasets.records import OnIncomplete, RecordReader, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

SCHEMA = Schema(
    "repositories",
    ("repository",),
    (
        Column(
            "repository",
            TEXT,
            "workspace/repository, spelled as in the parameter, as in all datasets",
            "slug",
            value=itemgetter("repository"),
        ),
        Column("id", TEXT, "uuid, which a rename does not change", "uuid"),
        Column("name", TEXT, "display name", "name"),
        Column("description", TEXT, "description", "description, else null"),
        Column("project_key", TEXT, "key of its project", "project.key"),
        Column("project", TEXT, "name of its project", "project.name"),
        Column("owner_id", TEXT, "uuid of its owner", "owner.uuid"),
        Column("owner", TEXT, "display name of its owner, usually the workspace", "owner.display_name"),
        Column("main_branch", TEXT, "main branch; null if there is no commit", "mainbranch.name"),
        Column("language", TEXT, "programming language, lower case; null if none is set", "language, else null"),
        Column("is_private", BOOLEAN, "whether only members can read it", "is_private"),
        Column("parent", TEXT, "workspace/repository that it is a fork of", "parent.full_name"),
        Column("size", INTEGER, "size, which can be outdated", "size", "bytes"),
        Column("created_on", TIMESTAMP, "when it was created", "created_on"),
        Column("updated_on", TIMESTAMP, "when it was last changed", "updated_on"),
        Column("url", TEXT, "web page", "links.html.href"),
    ),
    required=("repository", "id"),
    root="json",
)


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the repository if its ``updated_on`` is in ``[since, until)``. Costs one request."""
    yield from _updated([client.repositories.get(repository)], lambda row: client.full_name(repository), since, until)


def read_workspace(
    client: BitbucketClient,
    workspace: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the repositories of a workspace with ``updated_on`` in ``[since, until)``. Costs one request for every 100."""
    reader = RecordReader(SCHEMA.dataset, workspace, on_incomplete)
    listed = reader.each(client.repositories.list(workspace), _with_slug)
    yield from _updated(listed, lambda row: f"{workspace}/{row['slug']}", since, until)


def _with_slug(row: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(row["slug"], str) or not row["slug"]:
        raise TypeError("slug")
    return row


def _updated(
    rows: Iterable[Mapping[str, Any]],
    full_name: Callable[[Mapping[str, Any]], str],
    since: datetime | None,
    until: datetime | None,
) -> Iterator[dict[str, Any]]:
    for row in rows:
        if within(date_at(row, "updated_on"), since, until):
            yield {"repository": full_name(row), "json": row}


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read, read_workspace=read_workspace)
