"""Repositories."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from airflow_provider_bitbucket.client import bbql
from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment


class Repositories(Resource):
    """Repositories of a workspace."""

    def list(
        self, workspace: str | None = None, *, q: str | None = None, sort: str = "created_on", fields: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the repositories of a workspace that these credentials may see. Costs one request for every 100.

        :param workspace: slug, by default the client's
        :param q: BBQL condition; quote its values with :func:`bbql.quote`
        :param sort: field to sort by; the default does not move while pages are read
        :param fields: partial response
        """
        path = f"/repositories/{segment(self._api.workspace_slug(workspace))}"
        params = {"q": q, "sort": sort, "fields": fields}
        return self._api.paginate(path, {name: value for name, value in params.items() if value is not None})

    def find(
        self,
        workspace: str | None = None,
        *,
        project: str | None = None,
        name: str | None = None,
        updated_since: datetime | None = None,
        fields: str | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Yield the repositories that fit all that is asked for, oldest first. Costs one request for every 100 that do.

        :param workspace: slug, by default the client's
        :param project: key of the project that they are in
        :param name: text that their names contain, in capitals or not
        :param updated_since: start of the time in which they changed
        :param fields: partial response
        """
        conditions = {"project.key =": project, "name ~": name, "updated_on >=": updated_since}
        asked = (f"{field} {bbql.quote(value)}" for field, value in conditions.items() if value is not None)
        return self.list(workspace, q=bbql.all_of(*asked) or None, fields=fields)

    def get(self, repository: str) -> dict[str, Any]:
        """Return a repository."""
        return self._api.get(self._api.repository_path(repository))
