"""Branching models of repositories and projects: development and production branch, prefixes of the other branches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.types import BranchingModelSettings, EffectiveBranchingModel


class BranchingModel(Resource):
    """The branching model of a repository."""

    def get(self, repository: str) -> EffectiveBranchingModel:
        """Return the branches and prefixes of the repository's own model. Costs one request.

        :param repository: slug, or ``workspace/slug``
        """
        return cast("EffectiveBranchingModel", self._api.get(self._path(repository, "branching-model")))

    def effective(self, repository: str) -> EffectiveBranchingModel:
        """Return the model that applies: the repository's own, or its project's. Costs one request."""
        return cast("EffectiveBranchingModel", self._api.get(self._path(repository, "effective-branching-model")))

    def settings(self, repository: str) -> BranchingModelSettings:
        """Return the settings of the repository's own model, also of what is disabled. Costs one request."""
        return cast("BranchingModelSettings", self._api.get(self._path(repository, "branching-model/settings")))

    def update(self, repository: str, settings: Mapping[str, Any]) -> BranchingModelSettings:
        """Change settings and return them all; what is not given stays as it is. Costs one request.

        :param repository: slug, or ``workspace/slug``
        :param settings: ``development`` and ``production`` (``name`` or ``use_mainbranch``, for production also ``enabled``),
            ``branch_types`` (a list of ``kind``, ``enabled``, ``prefix``)
        :raises BitbucketBadRequestError: the branch does not exist, or a prefix is malformed or begins another one
        """
        address = self._path(repository, "branching-model/settings")
        return cast("BranchingModelSettings", self._api.put(address, settings))

    def ensure(self, repository: str, settings: Mapping[str, Any]) -> BranchingModelSettings:
        """Return the settings, changed where they are not as wanted. Costs one request, or two if something changes.

        :param repository: slug, or ``workspace/slug``
        :param settings: as for :meth:`update`
        """
        current = self.settings(repository)
        return current if has_settings(current, settings) else self.update(repository, settings)

    def _path(self, repository: str, name: str) -> str:
        return f"{self._api.repository_path(repository)}/{name}"


def has_settings(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether settings of a branching model have all that is wanted."""
    for name in ("development", "production"):
        if not _contains(current.get(name), wanted.get(name)):
            return False
    kinds = {one.get("kind"): one for one in current.get("branch_types") or () if isinstance(one, dict)}
    return all(_contains(kinds.get(one.get("kind")), one) for one in wanted.get("branch_types") or ())


def _contains(current: Any, wanted: Mapping[str, Any] | None) -> bool:
    if not wanted:
        return True
    return isinstance(current, dict) and all(current.get(name) == value for name, value in wanted.items())
