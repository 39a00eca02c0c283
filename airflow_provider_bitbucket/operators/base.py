"""Base classes of operators that act in Bitbucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.credentials.acting_user import CONNECTION_KINDS
from airflow_provider_bitbucket.hooks.rendering import LiteralMappingMixin
from airflow_provider_bitbucket.parameters import Kind, Templated, normalize, required_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class BitbucketOperator(LiteralMappingMixin, BaseOperator):
    """Reach Bitbucket through a connection; the base of operators.

    A subclass adds its own template fields and their kinds to the base's, and implements :meth:`perform`::

        template_fields = (*BitbucketOperator.template_fields, "title")
        title = Templated()
        parameter_kinds = {**BitbucketOperator.parameter_kinds, "title": required_name}

    What another task returned is never rendered as a template.

    :param bitbucket_conn_id: connection of type ``bitbucket`` (templated)
    :param workspace: slug of the workspace; default: the connection's (templated)
    :param run_as: the acting user, by name in Airflow, where the connection has credentials for each user; default: the user
        who triggered the DAG run, else the connection's default user (templated)
    :param operator: parameters that every Airflow operator has, such as ``task_id`` and ``retries``
    """

    template_fields: Sequence[str] = ("bitbucket_conn_id", "workspace", "run_as")
    bitbucket_conn_id = Templated()
    run_as = Templated()
    #: The kind of each template field.
    parameter_kinds: ClassVar[Mapping[str, Kind]] = CONNECTION_KINDS
    ui_color = "#deebff"

    def __init__(
        self,
        *,
        bitbucket_conn_id: str = BitbucketHook.default_conn_name,
        workspace: str | None = None,
        run_as: str | None = None,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.bitbucket_conn_id = bitbucket_conn_id
        self.workspace = workspace
        self.run_as = run_as

    @cached_property
    def hook(self) -> BitbucketHook:
        """The hook, with one client for the whole task. Use it after the parameters are normalized."""
        return BitbucketHook(self.bitbucket_conn_id, self.workspace, self.run_as)

    def execute(self, context: Context) -> Any:
        """Normalize the rendered parameters, then :meth:`perform`.

        :raises ValueError: names the first parameter that is malformed; no request has been made then
        """
        normalize(self, self.parameter_kinds)
        return self.perform(context)

    def perform(self, context: Context) -> Any:
        """Do the operator's work with normalized parameters, and return its XCom."""
        raise NotImplementedError(f"{type(self).__name__} has to implement perform()")


class BitbucketRepositoryOperator(BitbucketOperator):
    """Act in one repository; the base of operators that do.

    :param repository: slug of the repository, or ``workspace/slug`` (templated)
    :param operator: parameters of :class:`BitbucketOperator`
    """

    template_fields: Sequence[str] = (*BitbucketOperator.template_fields, "repository")
    repository = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {**BitbucketOperator.parameter_kinds, "repository": required_name}

    def __init__(self, *, repository: str, **operator: Any) -> None:
        super().__init__(**operator)
        self.repository = repository
