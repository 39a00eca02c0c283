"""Create, fork and delete repositories once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from airflow_provider_bitbucket.changes.once import find_or_create
from airflow_provider_bitbucket.client import BitbucketBadRequestError, BitbucketClient, BitbucketNotFoundError
from airflow_provider_bitbucket.client.types import Repository

log = logging.getLogger(__name__)


def ensure_repository(client: BitbucketClient, repository: str, **fields: Any) -> Repository:
    """Return a repository, created if it does not exist; one that exists is left as it is. Costs one to three requests.

    :param repository: slug, or ``workspace/slug``
    :param fields: as for :meth:`Repositories.create`
    :raises BitbucketBadRequestError: the slug is malformed, or the credentials may not create repositories
    """

    def find() -> Repository | None:
        try:
            return client.repositories.get(repository)
        except BitbucketNotFoundError:
            return None

    return find_or_create(find, lambda: _create(find, lambda: client.repositories.create(repository, **fields)))


def ensure_fork(client: BitbucketClient, repository: str, name: str, workspace: str | None = None, **fields: Any) -> Repository:
    """Return the fork of a repository with this name, created if it does not exist; one that exists is left as it is.

    Costs one request for every 100 forks, and one to create it.

    :param repository: slug, or ``workspace/slug``
    :param name: name of the fork
    :param workspace: slug of the workspace that the fork goes to; None: that of the repository
    :param fields: as for :meth:`Repositories.fork`
    :raises BitbucketBadRequestError: another repository has the name, or the fork may not be public
    """
    owner = workspace or client.full_name(repository).partition("/")[0]

    def find() -> Repository | None:
        for fork in client.repositories.forks(repository):
            if fork.get("name") == name and str(fork.get("full_name")).startswith(f"{owner}/"):
                return fork
        return None

    def create() -> Repository:
        return _create(find, lambda: client.repositories.fork(repository, name=name, workspace=owner, **fields))

    return find_or_create(find, create)


def delete_repository(client: BitbucketClient, repository: str) -> bool:
    """Delete a repository and return whether it existed. Costs one request.

    One that the credentials cannot see counts as one that does not exist: Bitbucket does not distinguish them.
    """
    try:
        client.repositories.delete(repository)
    except BitbucketNotFoundError as error:
        log.warning("There is no repository to delete. %s", error)
        return False
    return True


def _create(find: Callable[[], Repository | None], create: Callable[[], Repository]) -> Repository:
    try:
        return create()
    except BitbucketBadRequestError:  # also if an earlier attempt has created it, or something else meanwhile
        if (found := find()) is None:
            raise
        return found
