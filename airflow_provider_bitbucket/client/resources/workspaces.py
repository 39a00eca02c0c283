"""Workspaces and who is in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from airflow_provider_bitbucket.client.paging import own_id
from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.types import Membership, Workspace


class Workspaces(Resource):
    """Workspaces, by slug: a uuid is not accepted everywhere."""

    def get(self, workspace: str | None = None) -> Workspace:
        """Return a workspace, by default the client's."""
        return cast("Workspace", self._api.get(self._api.workspace_path(workspace)))

    def members(self, workspace: str | None = None) -> Iterator[Membership]:
        """Yield the memberships of a workspace; each has a ``user``. Costs one request for every 100 members."""
        rows = self._api.paginate(f"{self._api.workspace_path(workspace)}/members", shrinking=True, identity=_user_id)
        return cast("Iterator[Membership]", rows)


def _user_id(row: dict[str, Any]) -> Any:
    return own_id(user) if isinstance(user := row.get("user"), dict) else None
