"""Members of workspaces as they are now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.column import TEXT, Column
from airflow_provider_bitbucket.datasets.records import OnIncomplete, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

SCHEMA = Schema(
    "members",
    ("workspace", "id"),
    (
        Column("workspace", TEXT, "slug of the workspace", "asked for"),
        Column("id", TEXT, "uuid, which never changes", "user.uuid"),
        Column("name", TEXT, "display name", "user.display_name"),
        Column("nickname", TEXT, "nickname, which can change", "user.nickname"),
        Column("account_id", TEXT, "id of the Atlassian account", "user.account_id"),
        Column("type", TEXT, "user (a person), app_user (a bot) or team", "user.type"),
    ),
)


def read_workspace(
    client: BitbucketClient,
    workspace: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the members of a workspace; if repositories are given, of their workspaces.

    Costs one request for every 100. A membership has no date, so ``since`` and ``until`` have no effect.
    """
    for membership in client.workspaces.members(workspace):
        yield {"workspace": workspace, "user": membership.get("user") or {}}


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read_workspace=read_workspace)
