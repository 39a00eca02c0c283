"""Branches and tags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_bitbucket.client.resource import Resource
from airflow_provider_bitbucket.client.urls import segment


class Refs(Resource):
    """Branches and tags of a repository; each has its commit as ``target``."""

    def branches(self, repository: str, *, q: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the branches by name. Costs one request for every 100.

        :param repository: slug, or ``workspace/slug``
        :param q: BBQL condition, such as ``name ~ "release/"``
        """
        return self._list(repository, "branches", q)

    def branch(self, repository: str, name: str) -> dict[str, Any]:
        """Return a branch."""
        return self._client.get(f"{self._client.repository_path(repository)}/refs/branches/{segment(name)}")

    def tags(self, repository: str, *, q: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield the tags by name. Costs one request for every 100."""
        return self._list(repository, "tags", q)

    def tag(self, repository: str, name: str) -> dict[str, Any]:
        """Return a tag."""
        return self._client.get(f"{self._client.repository_path(repository)}/refs/tags/{segment(name)}")

    def _list(self, repository: str, kind: str, q: str | None) -> Iterator[dict[str, Any]]:
        params = {"sort": "name", **({"q": q} if q else {})}
        return self._client.paginate(f"{self._client.repository_path(repository)}/refs/{kind}", params)
