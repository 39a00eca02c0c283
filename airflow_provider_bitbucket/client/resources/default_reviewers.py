"""Default reviewers of repositories and projects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import Account, DefaultReviewer


class DefaultReviewers(Resource):
    """Default reviewers of a repository. Accounts are named by uuid or account id."""

    def list(self, repository: str) -> Iterator[Account]:
        """Yield those of the repository itself, without its project's. Costs one request for every 100.

        :param repository: slug, or ``workspace/slug``
        """
        return cast("Iterator[Account]", self._api.paginate(f"{self._api.repository_path(repository)}/default-reviewers"))

    def effective(self, repository: str) -> Iterator[DefaultReviewer]:
        """Yield those of the repository and of its project, each with its ``user``. Costs one request for every 100.

        :param repository: slug, or ``workspace/slug``
        """
        rows = self._api.paginate(f"{self._api.repository_path(repository)}/effective-default-reviewers")
        return cast("Iterator[DefaultReviewer]", rows)

    def get(self, repository: str, account: str) -> Account:
        """Return a default reviewer.

        :raises BitbucketNotFoundError: the account is not a default reviewer of the repository itself
        """
        return cast("Account", self._api.get(self._path(repository, account)))

    def add(self, repository: str, account: str) -> Account:
        """Add a default reviewer and return its account; nothing changes if it is one already.

        :raises BitbucketBadRequestError: the account cannot be one
        """
        return cast("Account", self._api.put(self._path(repository, account)))

    def remove(self, repository: str, account: str) -> None:
        """Remove a default reviewer.

        :raises BitbucketNotFoundError: it is none, or an earlier attempt whose response was lost has removed it
        """
        self._api.delete(self._path(repository, account))

    def _path(self, repository: str, account: str) -> str:
        return f"{self._api.repository_path(repository)}/default-reviewers/{segment(account)}"
