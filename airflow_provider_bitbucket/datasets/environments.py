"""Deployment environments as they are now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.column import BOOLEAN, CATEGORY, INTEGER, TEXT, Column
from airflow_provider_bitbucket.datasets.records import OnIncomplete, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

TYPES = ("Test", "Staging", "Production")


def _is_locked(record: Mapping[str, Any]) -> bool | None:
    lock = (record["environment"].get("lock") or {}).get("name")
    return None if lock is None else lock != "OPEN"


SCHEMA = Schema(
    "environments",
    ("repository", "id"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column("id", TEXT, "uuid", "uuid"),
        Column("name", TEXT, "name", "name"),
        Column("slug", TEXT, "name in bitbucket-pipelines.yml", "slug"),
        Column("type", CATEGORY, "type", "environment_type.name, else category.name", categories=TYPES),
        Column("rank", INTEGER, "position in the order from test to production", "rank"),
        Column("is_hidden", BOOLEAN, "whether the dashboard hides it", "hidden"),
        Column("is_locked", BOOLEAN, "whether a deployment locks it now", "lock.name", value=_is_locked),
        Column("is_admin_only", BOOLEAN, "whether only administrators may deploy to it", "restrictions.admin_only"),
    ),
    root="environment",
)


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the environments of a repository, by rank.

    Costs one request for every 100. An environment has no date, so ``since`` and ``until`` have no effect.
    """
    name = client.full_name(repository)
    for environment in client.environments.list(repository):
        yield {"repository": name, "environment": environment}


def type_of(environment: Mapping[str, Any]) -> str | None:
    """Return the type of an environment, such as ``Production``."""
    name: str | None = (environment.get("environment_type") or environment.get("category") or {}).get("name")
    return name


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read)
