"""Repositories."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

from airflow_provider_bitbucket.client import bbql
from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import Account, Inheritance, Repository


class Repositories(Resource):
    """Repositories of a workspace."""

    def list(
        self, workspace: str | None = None, *, q: str | None = None, sort: str = "created_on", fields: str | None = None
    ) -> Iterator[Repository]:
        """Yield the repositories of a workspace that these credentials may see. Costs one request for every 100.

        :param workspace: slug, by default the client's
        :param q: BBQL condition; quote its values with :func:`bbql.quote`
        :param sort: field to sort by; the default does not move while pages are read
        :param fields: partial response
        """
        path = f"/repositories/{segment(self._api.workspace_slug(workspace))}"
        params = {"q": q, "sort": sort, "fields": fields}
        rows = self._api.paginate(path, {name: value for name, value in params.items() if value is not None})
        return cast("Iterator[Repository]", rows)

    def find(
        self,
        workspace: str | None = None,
        *,
        project: str | None = None,
        name: str | None = None,
        updated_since: datetime | None = None,
        fields: str | None = None,
    ) -> Iterator[Repository]:
        """Yield the repositories that match all conditions, oldest first. Costs one request for every 100 matches.

        :param workspace: slug, by default the client's
        :param project: key of their project
        :param name: text that their names contain, in any case
        :param updated_since: only those updated at or after this time
        :param fields: partial response
        """
        conditions = {"project.key =": project, "name ~": name, "updated_on >=": updated_since}
        asked = (f"{field} {bbql.quote(value)}" for field, value in conditions.items() if value is not None)
        return self.list(workspace, q=bbql.all_of(*asked) or None, fields=fields)

    def get(self, repository: str) -> Repository:
        """Return a repository.

        :param repository: slug, or ``workspace/slug``
        :raises BitbucketNotFoundError: there is none, or it cannot be seen
        """
        return cast("Repository", self._api.get(self._api.repository_path(repository)))

    def create(self, repository: str, **fields: Any) -> Repository:
        """Create an empty repository and return it. A request right afterwards may not find it yet (seen on the live API, 2023).

        :param repository: slug (lower-case letters, digits, ``_``, ``-`` and ``.``), or ``workspace/slug``
        :param fields: ``project`` (``{"key": ...}``; by default the oldest of the workspace), ``name``, ``description``,
            ``is_private`` (true by default), ``fork_policy``, ``language``
        :raises BitbucketBadRequestError: the slug is taken or malformed, or the credentials may not create repositories (sic)
        :raises BitbucketAmbiguousError: sent, and the response was lost: it may have been created
        """
        body = {"scm": "git", "is_private": True, **fields}
        return cast("Repository", self._api.post(self._api.repository_path(repository), body))

    def update(self, repository: str, **fields: Any) -> Repository:
        """Change a repository, or create it, and return it; what is not given stays as it is.

        :param repository: slug, or ``workspace/slug``
        :param fields: as for :meth:`create`; another ``name`` changes the slug as well
        :raises BitbucketBadRequestError: the new name is taken or a field is malformed
        """
        return cast("Repository", self._api.put(self._api.repository_path(repository), fields))

    def delete(self, repository: str) -> None:
        """Delete a repository with all that is in it; its forks stay. This cannot be undone.

        :param repository: slug, or ``workspace/slug``
        :raises BitbucketNotFoundError: there is none, or an earlier attempt whose response was lost has deleted it
        """
        self._api.delete(self._api.repository_path(repository))

    def fork(self, repository: str, *, name: str | None = None, workspace: str | None = None, **fields: Any) -> Repository:
        """Fork a repository and return the fork.

        :param repository: slug, or ``workspace/slug``
        :param name: name of the fork; needed if it goes to the same workspace
        :param workspace: slug of the workspace that the fork goes to; by default that of the credentials' owner
        :param fields: ``description``, ``is_private``, ``project``, ``fork_policy``, ``language``
        :raises BitbucketBadRequestError: the name is taken, or the fork may not be public
        :raises BitbucketAmbiguousError: sent, and the response was lost: it may have been created
        """
        where = {"name": name, "workspace": {"slug": workspace} if workspace else None}
        body = {**fields, **{key: value for key, value in where.items() if value is not None}}
        return cast("Repository", self._api.post(f"{self._api.repository_path(repository)}/forks", body))

    def forks(self, repository: str) -> Iterator[Repository]:
        """Yield the forks of a repository that can be seen. Costs one request for every 100."""
        return cast("Iterator[Repository]", self._api.paginate(f"{self._api.repository_path(repository)}/forks"))

    def watchers(self, repository: str) -> Iterator[Account]:
        """Yield the accounts that watch a repository. Costs one request for every 100."""
        return cast("Iterator[Account]", self._api.paginate(f"{self._api.repository_path(repository)}/watchers"))

    def inheritance(self, repository: str) -> Inheritance:
        """Return which settings a repository has of its own instead of its project's (``override_settings``)."""
        return cast("Inheritance", self._api.get(f"{self._api.repository_path(repository)}/override-settings"))

    def set_inheritance(self, repository: str, **overridden: bool) -> None:
        """Set which settings a repository has of its own instead of its project's.

        :param repository: slug, or ``workspace/slug``
        :param overridden: setting -> whether it is the repository's own, such as ``branching_model=True``
        """
        body = {"override_settings": overridden}
        self._api.put(f"{self._api.repository_path(repository)}/override-settings", body)
