"""Commits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment


class Commits(Resource):
    """Commits of a repository."""

    def get(self, repository: str, commit: str) -> dict[str, Any]:
        """Return a commit by full or short hash, with its full hash."""
        return self._api.get(f"{self._api.repository_path(repository)}/commit/{segment(commit)}")

    def list(
        self, repository: str, *, include: str | None = None, exclude: str | None = None, path: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield commits, newest first; Bitbucket ignores ``q`` here. Costs one request for every 100.

        :param repository: slug, or ``workspace/slug``
        :param include: commits that can be reached from this branch, tag or hash; from every branch by default
        :param exclude: ... but not from this one
        :param path: only commits that touch this path
        """
        params = {"include": include, "exclude": exclude, "path": path}
        return self._api.paginate(
            f"{self._api.repository_path(repository)}/commits",
            {name: value for name, value in params.items() if value is not None},
        )

    def statuses(self, repository: str, commit: str) -> Iterator[dict[str, Any]]:
        """Yield the build statuses of a commit."""
        return self._api.paginate(f"{self._api.repository_path(repository)}/commit/{segment(commit)}/statuses")
