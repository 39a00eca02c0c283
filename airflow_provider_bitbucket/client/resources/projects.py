"""Projects, which group the repositories of a workspace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import (
    Account,
    BranchingModelSettings,
    DefaultReviewer,
    EffectiveBranchingModel,
    Project,
)


class Projects(Resource):
    """Projects of a workspace, by key; the parameter ``workspace`` is a slug, by default the client's."""

    def list(self, workspace: str | None = None) -> Iterator[Project]:
        """Yield the projects. Costs one request for every 100."""
        return cast("Iterator[Project]", self._api.paginate(f"{self._api.workspace_path(workspace)}/projects"))

    def get(self, key: str, workspace: str | None = None) -> Project:
        """Return a project.

        :raises BitbucketNotFoundError: there is none, or it cannot be seen
        """
        return cast("Project", self._api.get(self._path(key, workspace)))

    def create(self, key: str, name: str, workspace: str | None = None, **fields: Any) -> Project:
        """Create a project and return it.

        :param key: letters, digits and underscores, beginning with a letter
        :param name: title
        :param fields: ``description``, ``is_private``
        :raises BitbucketBadRequestError: the key is taken or malformed
        :raises BitbucketAmbiguousError: sent, and the response was lost: it may have been created
        """
        address = f"{self._api.workspace_path(workspace)}/projects"
        return cast("Project", self._api.post(address, {"key": key, "name": name, **fields}))

    def update(self, key: str, workspace: str | None = None, **fields: Any) -> Project:
        """Change a project, or create it, and return it.

        :param fields: ``name``, ``description``, ``is_private``; ``key`` for another key
        """
        return cast("Project", self._api.put(self._path(key, workspace), fields))

    def delete(self, key: str, workspace: str | None = None) -> None:
        """Delete a project without repositories.

        :raises BitbucketError: it still has repositories
        :raises BitbucketNotFoundError: there is none, or an earlier attempt whose response was lost has deleted it
        """
        self._api.delete(self._path(key, workspace))

    def default_reviewers(self, key: str, workspace: str | None = None) -> Iterator[DefaultReviewer]:
        """Yield the default reviewers of its repositories, each with its ``user``. Costs one request for every 100."""
        rows = self._api.paginate(self._path(key, workspace, "/default-reviewers"))
        return cast("Iterator[DefaultReviewer]", rows)

    def default_reviewer(self, key: str, account: str, workspace: str | None = None) -> DefaultReviewer:
        """Return a default reviewer by uuid or account id.

        :raises BitbucketNotFoundError: the account is not one
        """
        address = self._path(key, workspace, f"/default-reviewers/{segment(account)}")
        return cast("DefaultReviewer", self._api.get(address))

    def add_default_reviewer(self, key: str, account: str, workspace: str | None = None) -> Account:
        """Add a default reviewer by uuid or account id and return the account; nothing changes if it is one already."""
        address = self._path(key, workspace, f"/default-reviewers/{segment(account)}")
        return cast("Account", self._api.put(address))

    def remove_default_reviewer(self, key: str, account: str, workspace: str | None = None) -> None:
        """Remove a default reviewer by uuid or account id.

        :raises BitbucketNotFoundError: it is none, or an earlier attempt whose response was lost has removed it
        """
        self._api.delete(self._path(key, workspace, f"/default-reviewers/{segment(account)}"))

    def branching_model(self, key: str, workspace: str | None = None) -> EffectiveBranchingModel:
        """Return the branching model that its repositories have unless they have their own."""
        return cast("EffectiveBranchingModel", self._api.get(self._path(key, workspace, "/branching-model")))

    def branching_model_settings(self, key: str, workspace: str | None = None) -> BranchingModelSettings:
        """Return the settings of its branching model, also of what is disabled."""
        return cast("BranchingModelSettings", self._api.get(self._path(key, workspace, "/branching-model/settings")))

    def update_branching_model(
        self, key: str, settings: Mapping[str, Any], workspace: str | None = None
    ) -> BranchingModelSettings:
        """Change settings of its branching model and return them all; as for :meth:`BranchingModel.update`."""
        address = self._path(key, workspace, "/branching-model/settings")
        return cast("BranchingModelSettings", self._api.put(address, settings))

    def _path(self, key: str, workspace: str | None, below: str = "") -> str:
        return f"{self._api.workspace_path(workspace)}/projects/{segment(key)}{below}"
