"""Deployment environments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.errors import BitbucketConflictError
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import Environment, EnvironmentType


class Environments(Resource):
    """Environments of a repository: each is of type Test, Staging or Production."""

    def list(self, repository: str) -> Iterator[Environment]:
        """Yield the environments. Costs one request for every 100."""
        return cast("Iterator[Environment]", self._api.paginate(f"{self._path(repository)}/", count_pages=True))

    def get(self, repository: str, environment: str) -> Environment:
        """Return an environment by uuid."""
        return cast("Environment", self._api.get(f"{self._path(repository)}/{segment(environment)}"))

    def find(self, repository: str, environment: str) -> Environment | None:
        """Return an environment by name, slug or uuid, None if there is none. Costs as :meth:`list`."""
        names = {environment, environment.lower()}
        for found in self.list(repository):
            if names & {found.get("uuid"), found.get("slug"), str(found.get("name")).lower()}:
                return found
        return None

    def create(self, repository: str, name: str, environment_type: EnvironmentType) -> Environment:
        """Create an environment and return it.

        A name exists once, so the request is sent again when its response was lost: that never makes two.

        :param environment_type: Test, Staging or Production
        :raises BitbucketConflictError: the name exists, or an earlier attempt whose response was lost has created it
        """
        body = {"name": name, "environment_type": {"name": environment_type}}
        return cast("Environment", self._api.post(f"{self._path(repository)}/", body, idempotent=True))

    def change(self, repository: str, environment: str, change: Mapping[str, Any]) -> None:
        """Request a change of an environment, such as ``{"name": "Production EU"}``. Bitbucket applies it later.

        :param environment: its uuid
        :param change: what changes; names and restrictions, as in the environment
        """
        self._api.post(f"{self._path(repository)}/{segment(environment)}/changes", {"change": dict(change)}, idempotent=True)

    def delete(self, repository: str, environment: str) -> None:
        """Delete an environment by uuid.

        :raises BitbucketNotFoundError: there is none, or an earlier attempt whose response was lost has deleted it
        """
        self._api.delete(f"{self._path(repository)}/{segment(environment)}")

    def ensure(self, repository: str, name: str, environment_type: EnvironmentType) -> Environment:
        """Return the environment with a name; create it if there is none. The same call twice has the effect of one.

        Costs as :meth:`list`, and one request if it is created.

        :raises ValueError: it exists with another type, which the API cannot change
        """
        found = self.find(repository, name)
        if found is None:
            try:
                return self.create(repository, name, environment_type)
            except BitbucketConflictError:  # created by an attempt whose response was lost, or by another client
                found = self.find(repository, name)
                if found is None:
                    raise
        kind = (found.get("environment_type") or {}).get("name")
        if kind not in (None, environment_type):
            raise ValueError(
                f"Environment {name!r} of {repository!r} is of type {kind}, not {environment_type}; the API cannot change that"
            )
        return found

    def _path(self, repository: str) -> str:
        return f"{self._api.repository_path(repository)}/environments"
