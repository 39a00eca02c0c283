"""Caches of pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import Cache


class PipelineCaches(Resource):
    """Caches that the pipelines of a repository have filled."""

    def list(self, repository: str) -> Iterator[Cache]:
        """Yield the caches. Costs one request for every 100."""
        return cast("Iterator[Cache]", self._api.paginate(self._path(repository), count_pages=True))

    def content_uri(self, repository: str, cache: str) -> str:
        """Return the address from which the content of a cache (by uuid) can be downloaded without credentials."""
        return str(self._api.get(f"{self._path(repository)}/{segment(cache)}/content-uri")["uri"])

    def delete(self, repository: str, cache: str) -> None:
        """Delete a cache by uuid.

        :raises BitbucketNotFoundError: there is none, or an earlier attempt whose response was lost has deleted it
        """
        self._api.delete(f"{self._path(repository)}/{segment(cache)}")

    def delete_named(self, repository: str, name: str) -> None:
        """Delete all versions of the cache with a name, such as ``node``."""
        self._api.delete(self._path(repository), {"name": name})

    def _path(self, repository: str) -> str:
        return f"{self._api.repository_path(repository)}/pipelines-config/caches"
