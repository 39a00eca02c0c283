"""Create, fork and delete repositories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitbucket.operators.base import BitbucketRepositoryOperator
from airflow_provider_bitbucket.parameters import Kind, Templated, flag, name, name_if_given, required_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["BitbucketCreateRepositoryOperator", "BitbucketDeleteRepositoryOperator", "BitbucketForkRepositoryOperator"]


class BitbucketCreateRepositoryOperator(BitbucketRepositoryOperator):
    """Create an empty repository.

    **Under retry** there is one repository, wherever an attempt is killed and whichever response is lost. One that exists is left
    as it is.

    XCom: ``full_name``, ``uuid`` and ``url``. Costs one to three requests.

    :param project: key of its project; default: the oldest project of the workspace (templated)
    :param description: description (templated)
    :param is_private: False: the repository is public
    :param operator: ``repository`` (slug: lower-case letters, digits, ``_``, ``-`` and ``.``), and the parameters of
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises BitbucketBadRequestError: the slug is malformed, there is no such project, or the credentials may not create
        repositories
    """

    template_fields: Sequence[str] = (*BitbucketRepositoryOperator.template_fields, "project", "description")
    project = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketRepositoryOperator.parameter_kinds,
        "project": name_if_given,
        "description": name,
    }

    def __init__(
        self, *, project: str | None = None, description: str | None = None, is_private: bool = True, **operator: Any
    ) -> None:
        super().__init__(**operator)
        self.project = project
        self.description = description
        self.is_private = flag("is_private", is_private)

    def perform(self, context: Context) -> dict[str, Any]:
        """Create the repository unless it exists."""
        from airflow_provider_bitbucket.changes.repositories import ensure_repository

        fields = {"project": {"key": self.project} if self.project else None, "description": self.description}
        sent = {key: value for key, value in fields.items() if value is not None}
        return _summary(ensure_repository(self.hook.get_conn(), self.repository, is_private=self.is_private, **sent))


class BitbucketForkRepositoryOperator(BitbucketRepositoryOperator):
    """Fork a repository.

    **Under retry** there is one fork, wherever an attempt is killed and whichever response is lost. A fork of this name that
    exists is left as it is.

    XCom: ``full_name``, ``uuid`` and ``url`` of the fork. Costs one request for every 100 forks, and one or two to create it.

    :param name: name of the fork (templated)
    :param to_workspace: slug of the workspace that it goes to; default: that of the repository (templated)
    :param operator: ``repository`` to fork, and the parameters of
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises BitbucketBadRequestError: another repository has this name
    """

    template_fields: Sequence[str] = (*BitbucketRepositoryOperator.template_fields, "name", "to_workspace")
    name = Templated()
    to_workspace = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketRepositoryOperator.parameter_kinds,
        "name": required_name,
        "to_workspace": name_if_given,
    }

    def __init__(self, *, name: str, to_workspace: str | None = None, **operator: Any) -> None:
        super().__init__(**operator)
        self.name = name
        self.to_workspace = to_workspace

    def perform(self, context: Context) -> dict[str, Any]:
        """Fork the repository unless there is such a fork."""
        from airflow_provider_bitbucket.changes.repositories import ensure_fork

        return _summary(ensure_fork(self.hook.get_conn(), self.repository, self.name, self.to_workspace))


class BitbucketDeleteRepositoryOperator(BitbucketRepositoryOperator):
    """Delete a repository with all its branches, pull requests and pipelines. This cannot be undone.

    **Under retry** the result is the same as after one attempt: a repository that does not exist is no error, nor is one that
    the credentials cannot see, because Bitbucket does not distinguish them.

    XCom: whether this attempt deleted it. Costs one request.

    :param allow_delete: has to be True, so that no repository is deleted by mistake
    :param operator: ``repository``, and the parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises ValueError: ``allow_delete`` is not True; raised when the DAG file is parsed
    :raises BitbucketPermissionError: the credentials may not delete it, or it is read-only
    """

    def __init__(self, *, allow_delete: bool = False, **operator: Any) -> None:
        super().__init__(**operator)
        if allow_delete is not True:
            raise ValueError(f"allow_delete is {allow_delete!r}; expected True, which confirms that the repository is deleted")

    def perform(self, context: Context) -> bool:
        """Delete the repository if it exists."""
        from airflow_provider_bitbucket.changes.repositories import delete_repository

        return delete_repository(self.hook.get_conn(), self.repository)


def _summary(repository: Mapping[str, Any]) -> dict[str, Any]:
    url = ((repository.get("links") or {}).get("html") or {}).get("href")
    return {"full_name": repository.get("full_name"), "uuid": repository.get("uuid"), "url": url}
