"""Repositories as they are now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.intervals import moment, within
from airflow_provider_bitbucket.datasets.people import Account
from airflow_provider_bitbucket.datasets.schema import BOOLEAN, INTEGER, TEXT, TIMESTAMP, Column, Schema

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.client import BitbucketClient

SCHEMA = Schema(
    "repositories",
    ("repository",),
    (
        Column("repository", TEXT, "workspace/repository, spelled as it was asked for, as in all datasets", "slug"),
        Column("id", TEXT, "uuid, which stays when it is renamed", "uuid"),
        Column("name", TEXT, "name for people", "name"),
        Column("description", TEXT, "description", "description"),
        Column("project_key", TEXT, "key of its project", "project.key"),
        Column("project", TEXT, "name of its project", "project.name"),
        Column("owner_id", TEXT, "uuid of its owner", "owner.uuid"),
        Column("owner", TEXT, "display name of its owner, as a rule the workspace", "owner.display_name"),
        Column("main_branch", TEXT, "main branch; null while there is no commit", "mainbranch.name"),
        Column("language", TEXT, "programming language, lower case; null when none is set", "language"),
        Column("is_private", BOOLEAN, "whether only members see it", "is_private"),
        Column("parent", TEXT, "workspace/repository that it is a fork of", "parent.full_name"),
        Column("size", INTEGER, "size; can lag behind", "size", "bytes"),
        Column("created_on", TIMESTAMP, "when it was made", "created_on"),
        Column("updated_on", TIMESTAMP, "when it changed last", "updated_on"),
        Column("url", TEXT, "web page", "links.html.href"),
    ),
)


def read(
    client: BitbucketClient, repository: str, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the repository, if its ``updated_on`` lies in ``[since, until)``. Costs one request."""
    rows = [{**client.repositories.get(repository), "full_name": client.full_name(repository)}]
    return _updated(rows, since, until)


def read_workspace(
    client: BitbucketClient, workspace: str, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the repositories of a workspace likewise. Costs one request for every 100."""
    rows = client.repositories.list(workspace)
    return _updated(({**row, "full_name": f"{workspace}/{row['slug']}"} for row in rows), since, until)


def to_frame(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return repositories as a frame with the columns of :data:`SCHEMA`."""
    return SCHEMA.frame(map(_row, records))


def _updated(rows: Iterable[dict[str, Any]], since: datetime | None, until: datetime | None) -> Iterator[dict[str, Any]]:
    return (row for row in rows if within(moment(row.get("updated_on")), since, until))


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    project, owner = record.get("project") or {}, Account.of(record.get("owner"))
    return {
        "repository": record.get("full_name"),
        "id": record.get("uuid"),
        "name": record.get("name"),
        "description": record.get("description") or None,
        "project_key": project.get("key"),
        "project": project.get("name"),
        "owner_id": owner.id,
        "owner": owner.name,
        "main_branch": (record.get("mainbranch") or {}).get("name"),
        "language": record.get("language") or None,
        "is_private": record.get("is_private"),
        "parent": (record.get("parent") or {}).get("full_name"),
        "size": record.get("size"),
        "created_on": record.get("created_on"),
        "updated_on": record.get("updated_on"),
        "url": ((record.get("links") or {}).get("html") or {}).get("href"),
    }
