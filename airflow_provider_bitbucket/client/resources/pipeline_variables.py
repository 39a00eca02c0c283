"""Variables of pipelines: of a repository, a workspace or a deployment environment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.errors import BitbucketConflictError, BitbucketNotFoundError
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import Variable


class PipelineVariables(Resource):
    """Variables of pipelines. Where several have the same key, the environment's wins, then the repository's.

    ``repository=None`` means the variables of the client's workspace; ``environment`` is the uuid of one of the repository.
    """

    def list(self, repository: str | None = None, *, environment: str | None = None) -> Iterator[Variable]:
        """Yield the variables; secured ones without their value. Costs one request for every 100.

        An environment's list may miss a variable for seconds after it was created.

        :param repository: slug, or ``workspace/slug``; None: of the workspace
        :param environment: uuid of an environment of the repository
        """
        # Some pages of this list had a "next" on an internal host, and the last one too (BC-20910, BC-22441).
        return cast("Iterator[Variable]", self._api.paginate(self._path(repository, environment), count_pages=True))

    def get(self, variable: str, repository: str | None = None, *, environment: str | None = None) -> Variable:
        """Return a variable by uuid. Costs one request; in an environment, where it has to be listed, one for every 100.

        :raises BitbucketNotFoundError: there is none
        """
        if environment is None:
            return cast("Variable", self._api.get(f"{self._path(repository)}/{segment(variable)}"))
        for found in self.list(repository, environment=environment):
            if found.get("uuid") == variable:
                return found
        raise BitbucketNotFoundError(f"Environment {environment} has no variable {variable}", status=404)

    def find(self, key: str, repository: str | None = None, *, environment: str | None = None) -> Variable | None:
        """Return the variable with a key, None if there is none. Costs as :meth:`list`."""
        return next((one for one in self.list(repository, environment=environment) if one.get("key") == key), None)

    def create(
        self, key: str, value: str, repository: str | None = None, *, environment: str | None = None, secured: bool = False
    ) -> Variable:
        """Create a variable and return it.

        A key exists once, so the request is sent again when its response was lost: that never makes two.

        :param key: ASCII letters, digits and underscores, no digit first
        :param value: its value; never returned again if ``secured``
        :param secured: hide the value, in logs too
        :raises BitbucketConflictError: the key exists, or an earlier attempt whose response was lost has created it
        """
        body = {"key": key, "value": value, "secured": secured}
        return cast("Variable", self._api.post(self._path(repository, environment), body, idempotent=True))

    def update(
        self,
        variable: str,
        key: str,
        value: str,
        repository: str | None = None,
        *,
        environment: str | None = None,
        secured: bool = False,
    ) -> Variable:
        """Write all of a variable, and return it.

        :param variable: its uuid
        :raises BitbucketBadRequestError: among others, a secured variable cannot be made unsecured
        """
        body = {"key": key, "value": value, "secured": secured}
        return cast("Variable", self._api.put(f"{self._path(repository, environment)}/{segment(variable)}", body))

    def delete(self, variable: str, repository: str | None = None, *, environment: str | None = None) -> None:
        """Delete a variable by uuid.

        :raises BitbucketNotFoundError: there is none, or an earlier attempt whose response was lost has deleted it
        """
        self._api.delete(f"{self._path(repository, environment)}/{segment(variable)}")

    def ensure(
        self, key: str, value: str, repository: str | None = None, *, environment: str | None = None, secured: bool = False
    ) -> Variable:
        """Create or update the variable with a key, and return it. The same call twice has the effect of one.

        A secured value is always written, because it cannot be compared. Costs as :meth:`list`, and one request unless
        an unsecured variable has the value already.

        :raises ValueError: the variable is secured and should not be, which Bitbucket does not allow
        :raises BitbucketConflictError: the key exists but is not listed yet, seconds after it was created; try again later
        """
        found = self.find(key, repository, environment=environment)
        if found is None:
            try:
                return self.create(key, value, repository, environment=environment, secured=secured)
            except BitbucketConflictError as error:  # created by an attempt whose response was lost, or by another client
                found = self.find(key, repository, environment=environment)
                if found is None:
                    raise error.with_message(f"Variable {key!r} exists but is not listed yet: {error.message}") from error
        if found.get("secured") and not secured:
            raise ValueError(f"Variable {key!r} is secured; Bitbucket cannot make it unsecured. Delete it first.")
        if not secured and found.get("value") == value:
            return found
        return self.update(found["uuid"], key, value, repository, environment=environment, secured=secured)

    def _path(self, repository: str | None, environment: str | None = None) -> str:
        if repository is None:
            if environment is not None:
                raise ValueError(f"environment is {environment!r} without a repository; an environment is one of a repository")
            return f"{self._api.workspace_path()}/pipelines-config/variables"
        path = self._api.repository_path(repository)
        if environment is None:
            return f"{path}/pipelines_config/variables"
        return f"{path}/deployments_config/environments/{segment(environment)}/variables"
