"""Deployments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from airflow_provider_bitbucket.client.paging import LARGEST_PAGE, rows_of
from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import Deployment


class Deployments(Resource):
    """Deployments of a repository. The outcome is ``state.status.name``; ``state.name`` is COMPLETED for failures too."""

    def list(self, repository: str) -> Iterator[Deployment]:
        """Yield all deployments: Bitbucket offers neither filter nor order here. Costs one request for every 100."""
        rows = self._api.paginate(f"{self._api.repository_path(repository)}/deployments/", count_pages=True)
        return cast("Iterator[Deployment]", rows)

    def newest(self, repository: str, page: int = 1) -> Sequence[Deployment]:
        """Return a page of 100 deployments. Costs one request, whichever page.

        The first page has shown the newest; Bitbucket does not document it.

        :param repository: slug, or ``workspace/slug``
        :param page: from 1 on; empty past the last
        """
        path = f"{self._api.repository_path(repository)}/deployments/"
        document = self._api.get_page(path, {"pagelen": LARGEST_PAGE, "page": page}, follow_next=False)
        return cast("Sequence[Deployment]", rows_of(document, path))

    def get(self, repository: str, deployment: str) -> Deployment:
        """Return a deployment by uuid."""
        return cast("Deployment", self._api.get(f"{self._api.repository_path(repository)}/deployments/{segment(deployment)}"))
