"""List the repositories of a workspace, to spread work over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitbucket.operators.base import BitbucketOperator
from airflow_provider_bitbucket.parameters import Kind, name, required_number, timestamp

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["BitbucketListRepositoriesOperator"]


class BitbucketListRepositoriesOperator(BitbucketOperator):
    """List the repositories of a workspace, so that other tasks are mapped over them::

        repositories = BitbucketListRepositoriesOperator(task_id="repositories", project="PAY")
        BitbucketToSqlOperator.partial(task_id="load", ...).expand(repositories=repositories.output)

    Costs one request for every 100 repositories.

    :param project: key of the project that they are in (templated); None, or a template that renders to nothing: of any
    :param name: text that their names contain, in any case (templated); likewise
    :param updated_since: time since which they changed, ISO 8601 (templated); likewise. A push counts, a pull request need not
    :param batch_size: how many repositories each mapped task gets. Airflow maps over 1,024 values at most, unless its
        ``[core] max_map_length`` sets another limit
    :param operator: ``workspace`` to list, and the other parameters of
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :return: slugs, oldest repository first; lists of them where ``batch_size`` is more than 1
    :raises ValueError: ``updated_since`` is not a timestamp; ``batch_size`` is less than 1
    :raises BitbucketError: they cannot be listed
    """

    template_fields: Sequence[str] = (*BitbucketOperator.template_fields, "project", "name", "updated_since")
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketOperator.parameter_kinds,
        "project": name,
        "name": name,
        "updated_since": timestamp,
    }

    def __init__(
        self,
        *,
        project: str | None = None,
        name: str | None = None,
        updated_since: Any = None,
        batch_size: int = 1,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.project = project
        self.name = name
        self.updated_since = updated_since
        self.batch_size = required_number("batch_size", batch_size)

    def perform(self, context: Context) -> list[str] | list[list[str]]:
        """List the repositories and return their slugs."""
        found = self.hook.list_repositories(self.project, self.name, self.updated_since)
        self.log.info("Found %s repositories.", f"{len(found):,}")
        if self.batch_size == 1:
            return found
        return [found[at : at + self.batch_size] for at in range(0, len(found), self.batch_size)]
