"""Branches and tags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_bitbucket.client.paging import LARGEST_PAGE, by_next_without_gaps, deduplicate
from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment


class Refs(Resource):
    """Branches and tags of a repository; each has its commit as ``target``."""

    def branches(self, repository: str, *, q: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the branches by name. Costs one request for every 100, and two for every time that some were deleted meanwhile.

        Those that move over the edge of a page by that are not lost, but come after others.

        :param repository: slug, or ``workspace/slug``
        :param q: BBQL condition, such as ``name ~ "release/"``
        """
        return self._list(repository, "branches", q)

    def branch(self, repository: str, name: str) -> dict[str, Any]:
        """Return a branch."""
        return self._api.get(f"{self._api.repository_path(repository)}/refs/branches/{segment(name)}")

    def tags(self, repository: str, *, q: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the tags by name, likewise."""
        return self._list(repository, "tags", q)

    def tag(self, repository: str, name: str) -> dict[str, Any]:
        """Return a tag."""
        return self._api.get(f"{self._api.repository_path(repository)}/refs/tags/{segment(name)}")

    def _list(self, repository: str, kind: str, q: str | None) -> Iterator[dict[str, Any]]:
        params = {"pagelen": LARGEST_PAGE, "sort": "name", **({"q": q} if q else {})}
        rows = by_next_without_gaps(self._api.get_page, f"{self._api.repository_path(repository)}/refs/{kind}", params)
        return deduplicate(rows, set(), identity=lambda row: row.get("name"))
