"""Create and delete branches and tags once."""

from __future__ import annotations

import logging

from airflow_provider_bitbucket.changes.once import find_or_create
from airflow_provider_bitbucket.client import BitbucketBadRequestError, BitbucketClient, BitbucketNotFoundError
from airflow_provider_bitbucket.client.types import Branch, Tag
from airflow_provider_bitbucket.exceptions import BitbucketRefExistsError

log = logging.getLogger(__name__)


def ensure_branch(client: BitbucketClient, repository: str, name: str, target: str) -> Branch:
    """Return a branch, created if it does not exist; one that exists is left as it is, whatever its head.

    Costs one request if it exists, else up to five.

    :param repository: slug, or ``workspace/slug``
    :param target: branch, tag or hash that a new branch starts at
    :raises BitbucketNotFoundError: there is no such target
    """

    def find() -> Branch | None:
        try:
            return client.refs.branch(repository, name)
        except BitbucketNotFoundError:
            return None

    def create() -> Branch:
        commit = client.refs.hash_of(repository, target)
        try:
            return client.refs.create_branch(repository, name, commit)
        except BitbucketBadRequestError:
            if (found := find()) is None:
                raise
            return found  # something else created it meanwhile

    return find_or_create(find, create)


def ensure_tag(client: BitbucketClient, repository: str, name: str, target: str, message: str | None = None) -> Tag:
    """Return a tag of a commit, created if it does not exist. Costs two to six requests.

    :param repository: slug, or ``workspace/slug``
    :param target: branch, tag or hash of the commit
    :param message: of a new tag
    :raises BitbucketRefExistsError: the tag exists on another commit; tags do not move
    :raises BitbucketNotFoundError: there is no such target
    """
    wanted: list[str] = []

    def find() -> Tag | None:
        try:
            found = client.refs.tag(repository, name)
        except BitbucketNotFoundError:
            return None
        commit = str((found.get("target") or {}).get("hash"))
        wanted[:] = wanted or [client.refs.hash_of(repository, target)]
        if commit != wanted[0]:
            raise BitbucketRefExistsError(
                f"Tag {name!r} of {repository} exists on commit {commit[:12]}; expected {wanted[0][:12]}. Tags do not move: "
                "delete it first, or choose another name."
            )
        return found

    def create() -> Tag:
        wanted[:] = wanted or [client.refs.hash_of(repository, target)]
        try:
            return client.refs.create_tag(repository, name, wanted[0], message)
        except BitbucketBadRequestError:
            if (found := find()) is None:
                raise
            return found

    return find_or_create(find, create)


def delete_branch(client: BitbucketClient, repository: str, name: str) -> bool:
    """Delete a branch and return whether it existed. Costs one request.

    :raises BitbucketBadRequestError: it is the main branch
    :raises BitbucketNotFoundError: the repository does not exist or cannot be seen
    """
    try:
        client.refs.delete_branch(repository, name)
    except BitbucketNotFoundError:
        client.repositories.get(repository)  # the same status stands for a repository that does not exist
        log.info("There is no branch %s to delete.", name)
        return False
    return True


def delete_tag(client: BitbucketClient, repository: str, name: str) -> bool:
    """Delete a tag and return whether it existed. Costs one request.

    :raises BitbucketNotFoundError: the repository does not exist or cannot be seen
    """
    try:
        client.refs.delete_tag(repository, name)
    except BitbucketNotFoundError:
        client.repositories.get(repository)  # as above
        log.info("There is no tag %s to delete.", name)
        return False
    return True
