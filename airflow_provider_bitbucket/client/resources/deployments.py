"""Deployments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from airflow_provider_bitbucket.client.paging import LARGEST_PAGE, rows_of
from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment


class Deployments(Resource):
    """Deployments of a repository. The outcome is ``state.status.name``; ``state.name`` is COMPLETED for failures too."""

    def list(self, repository: str) -> Iterator[dict[str, Any]]:
        """Yield all deployments: Bitbucket offers neither filter nor order here. Costs one request for every 100."""
        return self._api.paginate(f"{self._api.repository_path(repository)}/deployments/", count_pages=True)

    def newest(self, repository: str, page: int = 1) -> Sequence[dict[str, Any]]:
        """Return a page of 100 deployments. Costs one request, whichever page.

        The first page has shown the newest; Bitbucket does not document it.

        :param repository: slug, or ``workspace/slug``
        :param page: from 1 on; empty past the last
        """
        path = f"{self._api.repository_path(repository)}/deployments/"
        return rows_of(self._api.get_page(path, {"pagelen": LARGEST_PAGE, "page": page}, follow_next=False), path)

    def get(self, repository: str, deployment: str) -> dict[str, Any]:
        """Return a deployment by uuid."""
        return self._api.get(f"{self._api.repository_path(repository)}/deployments/{segment(deployment)}")
