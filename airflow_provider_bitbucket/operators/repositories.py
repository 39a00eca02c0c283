"""List the repositories of a workspace, to spread work over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.credentials.acting_user import CONNECTION_KINDS
from airflow_provider_bitbucket.hooks.rendering import LiteralMappingMixin
from airflow_provider_bitbucket.parameters import Kind, Templated, name, normalize, required_number, timestamp

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class BitbucketListRepositoriesOperator(LiteralMappingMixin, BaseOperator):
    """List the repositories of a workspace, so that others are mapped over them::

        repositories = BitbucketListRepositoriesOperator(task_id="repositories", project="PAY")
        BitbucketToSqlOperator.partial(task_id="load", ...).expand(repositories=repositories.output)

    Costs one request for every 100 repositories.

    :param project: key of the project that they are in (templated); None, or a template that renders to nothing: of any
    :param name: text that their names contain, in capitals or not (templated); likewise
    :param updated_since: moment since which they changed, ISO 8601 (templated); likewise. A push counts, a pull request need not
    :param batch_size: how many repositories each mapped task gets. Airflow maps over 1,024 values at most, unless its
        ``[core] max_map_length`` says otherwise
    :param bitbucket_conn_id: the connection (templated)
    :param workspace: workspace to list; default: the connection's (templated)
    :param run_as: in whose name, as for :class:`~airflow_provider_bitbucket.hooks.bitbucket.BitbucketHook` (templated)
    :return: slugs, oldest repository first; lists of them where ``batch_size`` is more than 1
    :raises ValueError: ``updated_since`` is no moment; ``batch_size`` is less than 1
    :raises BitbucketError: they can not be listed
    """

    template_fields: Sequence[str] = ("project", "name", "updated_since", "bitbucket_conn_id", "workspace", "run_as")
    bitbucket_conn_id = Templated()
    run_as = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **CONNECTION_KINDS,
        "project": name,
        "name": name,
        "updated_since": timestamp,
    }
    ui_color = "#deebff"

    def __init__(
        self,
        *,
        project: str | None = None,
        name: str | None = None,
        updated_since: Any = None,
        batch_size: int = 1,
        bitbucket_conn_id: str = BitbucketHook.default_conn_name,
        workspace: str | None = None,
        run_as: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.project = project
        self.name = name
        self.updated_since = updated_since
        self.batch_size = required_number("batch_size", batch_size)
        self.bitbucket_conn_id = bitbucket_conn_id
        self.workspace = workspace
        self.run_as = run_as

    def execute(self, context: Context) -> list[str] | list[list[str]]:
        """List."""
        normalize(self, self.parameter_kinds)
        hook = BitbucketHook(self.bitbucket_conn_id, self.workspace, self.run_as)
        found = hook.list_repositories(self.project, self.name, self.updated_since)
        self.log.info("Found %s repositories.", f"{len(found):,}")
        if self.batch_size == 1:
            return found
        return [found[at : at + self.batch_size] for at in range(0, len(found), self.batch_size)]
