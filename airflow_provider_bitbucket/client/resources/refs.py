"""Branches and tags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.errors import BitbucketNotFoundError
from airflow_provider_bitbucket.client.transport.malformed import malformed_as_error, text
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import Branch, Commit, Tag

_FULL_HASH = re.compile(r"[0-9a-f]{40}")


class Refs(Resource):
    """Branches and tags of a repository; each has its commit as ``target``."""

    def list(self, repository: str, *, q: str | None = None) -> Iterator[Branch | Tag]:
        """Yield branches and tags together, by name; ``type`` distinguishes them. Costs as :meth:`branches`."""
        return cast("Iterator[Branch | Tag]", self._list(repository, "", q))

    def branches(self, repository: str, *, q: str | None = None) -> Iterator[Branch]:
        """Yield the branches by name.

        Costs one request for every 100 branches, and two more each time branches are deleted while pages are read. Branches
        that move over the edge of a page by that are not lost, but are yielded after others.

        :param repository: slug, or ``workspace/slug``
        :param q: BBQL condition, such as ``name ~ "release/"``
        """
        return cast("Iterator[Branch]", self._list(repository, "/branches", q))

    def branch(self, repository: str, name: str) -> Branch:
        """Return a branch.

        :raises BitbucketNotFoundError: the repository has no such branch
        """
        return cast("Branch", self._api.get(self._path(repository, f"/branches/{segment(name)}")))

    def create_branch(self, repository: str, name: str, commit: str) -> Branch:
        """Create a branch and return it. Costs one request.

        :param repository: slug, or ``workspace/slug``
        :param name: without ``refs/heads/``
        :param commit: full hash of its head
        :raises BitbucketBadRequestError: it exists, or there is no such commit
        :raises BitbucketAmbiguousError: sent, and the response was lost: it may have been created
        """
        body = {"name": name, "target": {"hash": commit}}
        return cast("Branch", self._api.post(self._path(repository, "/branches"), body))

    def delete_branch(self, repository: str, name: str) -> None:
        """Delete a branch.

        :raises BitbucketNotFoundError: there is none, or an earlier attempt whose response was lost has deleted it
        :raises BitbucketBadRequestError: it is the main branch
        """
        self._api.delete(self._path(repository, f"/branches/{segment(name)}"))

    def tags(self, repository: str, *, q: str | None = None) -> Iterator[Tag]:
        """Yield the tags by name. Parameters and costs as for :meth:`branches`."""
        return cast("Iterator[Tag]", self._list(repository, "/tags", q))

    def tag(self, repository: str, name: str) -> Tag:
        """Return a tag.

        :raises BitbucketNotFoundError: the repository has no such tag
        """
        return cast("Tag", self._api.get(self._path(repository, f"/tags/{segment(name)}")))

    def create_tag(self, repository: str, name: str, commit: str, message: str | None = None) -> Tag:
        """Create an annotated tag and return it. Costs one request.

        :param repository: slug, or ``workspace/slug``
        :param name: without ``refs/tags/``
        :param commit: full hash
        :param message: None: Bitbucket writes "Added tag ... for changeset ..."
        :raises BitbucketBadRequestError: it exists, or there is no such commit
        :raises BitbucketAmbiguousError: sent, and the response was lost: it may have been created
        """
        body = {"name": name, "target": {"hash": commit}, **({"message": message} if message else {})}
        return cast("Tag", self._api.post(self._path(repository, "/tags"), body))

    def delete_tag(self, repository: str, name: str) -> None:
        """Delete a tag.

        :raises BitbucketNotFoundError: there is none, or an earlier attempt whose response was lost has deleted it
        """
        self._api.delete(self._path(repository, f"/tags/{segment(name)}"))

    def hash_of_branch(self, repository: str, name: str) -> str:
        """Return the full hash of the head of a branch. Costs one request.

        :raises BitbucketNotFoundError: the repository has no such branch
        """
        with malformed_as_error(f"branch {name} of {repository}"):
            return text((self.branch(repository, name).get("target") or {}).get("hash"))

    def hash_of(self, repository: str, ref: str) -> str:
        """Return the full hash of a branch, a tag or a hash, searched in this order. Costs up to three requests.

        :param repository: slug, or ``workspace/slug``
        :param ref: name, or full or short hash; a full one costs no request
        :raises BitbucketNotFoundError: the repository has nothing of this name
        """
        if _FULL_HASH.fullmatch(ref):
            return ref
        try:
            return self.hash_of_branch(repository, ref)
        except BitbucketNotFoundError:
            pass
        try:
            found = self.tag(repository, ref).get("target") or {}
        except BitbucketNotFoundError:
            found = cast("Commit", self._api.get(f"{self._api.repository_path(repository)}/commit/{segment(ref)}"))
        with malformed_as_error(f"{ref} of {repository}"):
            return text(found.get("hash"))

    def _path(self, repository: str, below: str) -> str:
        return f"{self._api.repository_path(repository)}/refs{below}"

    def _list(self, repository: str, below: str, q: str | None) -> Iterator[dict[str, Any]]:
        params = {"sort": "name", **({"q": q} if q else {})}
        return self._api.paginate(self._path(repository, below), params, shrinking=True, identity=_identity)


def _identity(row: dict[str, Any]) -> Any:
    return (row.get("type"), row["name"]) if row.get("name") else None
