"""Branch restrictions: who may push and merge, and which checks a merge needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import BranchRestriction

#: What makes two restrictions rules about the same: they can differ only in value, users and groups.
_IDENTITY = ("kind", "branch_match_kind", "pattern", "branch_type")


class BranchRestrictions(Resource):
    """Branch restrictions of a repository."""

    def list(self, repository: str, *, kind: str | None = None, pattern: str | None = None) -> Iterator[BranchRestriction]:
        """Yield the restrictions. Costs one request for every 100.

        :param repository: slug, or ``workspace/slug``
        :param kind: only those of this kind, such as ``require_approvals_to_merge``
        :param pattern: only those for this branch pattern, such as ``release/*``
        """
        params = {"kind": kind, "pattern": pattern}
        asked = {name: value for name, value in params.items() if value is not None}
        return cast("Iterator[BranchRestriction]", self._api.paginate(self._path(repository), asked))

    def get(self, repository: str, number: int) -> BranchRestriction:
        """Return a restriction by its ``id``.

        :raises BitbucketNotFoundError: there is none
        """
        return cast("BranchRestriction", self._api.get(self._path(repository, number)))

    def create(self, repository: str, restriction: Mapping[str, Any]) -> BranchRestriction:
        """Create a restriction and return it.

        :param repository: slug, or ``workspace/slug``
        :param restriction: ``kind``, ``branch_match_kind`` (``glob`` with ``pattern``, or ``branching_model`` with
            ``branch_type``), and by kind ``value`` or ``users`` and ``groups``
        :raises BitbucketAmbiguousError: sent, and the response was lost: it may have been created
        """
        return cast("BranchRestriction", self._api.post(self._path(repository), restriction))

    def update(self, repository: str, number: int, restriction: Mapping[str, Any]) -> BranchRestriction:
        """Change a restriction and return it; parameters as for :meth:`create`. What is not given stays as it is."""
        return cast("BranchRestriction", self._api.put(self._path(repository, number), restriction))

    def delete(self, repository: str, number: int) -> None:
        """Delete a restriction.

        :raises BitbucketNotFoundError: there is none, or an earlier attempt whose response was lost has deleted it
        """
        self._api.delete(self._path(repository, number))

    def ensure(self, repository: str, restriction: Mapping[str, Any]) -> BranchRestriction:
        """Return the restriction of this kind for these branches, created or updated where needed.

        Costs one request if it is as wanted, else two.

        :param repository: slug, or ``workspace/slug``
        :param restriction: as for :meth:`create`; users and groups that are not given are left as they are
        """
        wanted = {"pattern": "", **restriction}
        for found in self.list(repository, kind=str(restriction["kind"])):
            if all(_or_blank(found, name) == _or_blank(wanted, name) for name in _IDENTITY):
                if _has(found, restriction):
                    return found
                return self.update(repository, found["id"], wanted)
        return self.create(repository, wanted)

    def _path(self, repository: str, number: int | None = None) -> str:
        below = "" if number is None else f"/{segment(number)}"
        return f"{self._api.repository_path(repository)}/branch-restrictions{below}"


def _or_blank(restriction: Mapping[str, Any], name: str) -> Any:
    return restriction.get(name) or ""


def _has(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a restriction has what is wanted; accounts and groups count by what identifies them."""
    for name, value in wanted.items():
        if name in ("users", "groups"):
            if {_identity(one) for one in found.get(name) or ()} != {_identity(one) for one in value}:
                return False
        elif _or_blank(found, name) != (value or ""):
            return False
    return True


def _identity(account_or_group: Mapping[str, Any]) -> Any:
    return account_or_group.get("uuid") or account_or_group.get("slug")
