"""Deployment environments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment


class Environments(Resource):
    """Environments of a repository: each is of type Test, Staging or Production."""

    def list(self, repository: str) -> Iterator[dict[str, Any]]:
        """Yield the environments."""
        return self._api.paginate(f"{self._api.repository_path(repository)}/environments/", count_pages=True)

    def get(self, repository: str, environment: str) -> dict[str, Any]:
        """Return an environment by uuid."""
        return self._api.get(f"{self._api.repository_path(repository)}/environments/{segment(environment)}")
