"""Workspaces and who is in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_bitbucket.client.paging import own_id
from airflow_provider_bitbucket.client.resources.resource import Resource


class Workspaces(Resource):
    """Workspaces, by slug: a uuid is not accepted everywhere."""

    def get(self, workspace: str | None = None) -> dict[str, Any]:
        """Return a workspace, by default the client's."""
        return self._api.get(self._api.workspace_path(workspace))

    def members(self, workspace: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the memberships of a workspace; each has a ``user``. Costs one request for every 100 members."""
        return self._api.paginate(f"{self._api.workspace_path(workspace)}/members", shrinking=True, identity=_user_id)


def _user_id(row: dict[str, Any]) -> Any:
    return own_id(user) if isinstance(user := row.get("user"), dict) else None
