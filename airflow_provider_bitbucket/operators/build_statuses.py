"""Report the build status of a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow_provider_bitbucket.hooks.runs import Run
from airflow_provider_bitbucket.operators.base import BitbucketRepositoryOperator
from airflow_provider_bitbucket.parameters import Kind, Templated, name_if_given, one_of, required_name
from airflow_provider_bitbucket.parameters import name as optional_name

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["BitbucketBuildStatusOperator"]

BuildState = Literal["FAILED", "INPROGRESS", "STOPPED", "SUCCESSFUL"]


def build_state(parameter: str, value: Any) -> str:
    """Return a state of a build, in upper case.

    :raises ValueError: the value is none
    """
    state: str = one_of(parameter, value.strip().upper() if isinstance(value, str) else value, BuildState)
    return state


class BitbucketBuildStatusOperator(BitbucketRepositoryOperator):
    """Report the build status of a commit, so that a DAG is a check of its pull requests.

    Tasks with the same key change one status in place: report INPROGRESS first and the result last, with a trigger rule that
    runs the last task whatever has happened. :class:`~airflow_provider_bitbucket.notifications.build_statuses.\
BitbucketBuildStatusNotifier` does so without tasks.

    **Under retry** there is one status: Bitbucket overwrites the status of a key, so an attempt after a lost answer or a kill
    at any point has the effect of one. XCom: ``key``, ``state``, ``url`` and ``commit``. Costs one request, two with a short
    hash.

    :param commit: hash of the commit, full or short (templated)
    :param state: SUCCESSFUL, FAILED, INPROGRESS or STOPPED (templated)
    :param key: identity of the status within the commit; longer ones are shortened to the 40 characters that Bitbucket allows;
        default: one key for the DAG (templated)
    :param name: title; default: the DAG's id (templated)
    :param description: a sentence; default: none (templated)
    :param url: address that the status leads to; default: the DAG run in Airflow (templated)
    :param refname: branch or tag whose pull requests alone show the status; default: all that contain the commit (templated)
    :param operator: ``repository`` and the parameters of :class:`~airflow_provider_bitbucket.operators.base.BitbucketOperator`
    :raises BitbucketNotFoundError: the repository or commit does not exist
    """

    template_fields: Sequence[str] = (
        *BitbucketRepositoryOperator.template_fields,
        "commit",
        "state",
        "key",
        "name",
        "description",
        "url",
        "refname",
    )
    commit = Templated()
    state = Templated()
    key = Templated()
    name = Templated()
    url = Templated()
    refname = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketRepositoryOperator.parameter_kinds,
        "commit": required_name,
        "state": build_state,
        "key": name_if_given,
        "name": name_if_given,
        "description": optional_name,
        "url": name_if_given,
        "refname": name_if_given,
    }

    def __init__(
        self,
        *,
        commit: str,
        state: BuildState | str,
        key: str | None = None,
        name: str | None = None,
        description: str | None = None,
        url: str | None = None,
        refname: str | None = None,
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.commit = commit
        self.state = state
        self.key = key
        self.name = name
        self.description = description
        self.url = url
        self.refname = refname

    def perform(self, context: Context) -> dict[str, Any]:
        """Report the status."""
        from airflow_provider_bitbucket.changes.build_statuses import set_build_status, status_key

        run = Run.of(context)
        status = set_build_status(
            self.hook.get_conn(),
            self.repository,
            self.commit,
            key=self.key or status_key(run.dag_id),
            state=self.state,
            url=self.url or run.url,
            name=self.name or run.dag_id,
            description=self.description,
            refname=self.refname,
        )
        self.log.info("Build status %s of %s is %s.", status["key"], self.commit, status["state"])
        return {"key": status["key"], "state": status["state"], "url": status["url"], "commit": self.commit}
