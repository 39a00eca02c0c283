"""Report runs as build statuses of a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_bitbucket.notifications.base import BitbucketNotifier
from airflow_provider_bitbucket.operators.build_statuses import BuildState, build_state
from airflow_provider_bitbucket.parameters import Kind, Templated, is_blank, name_if_given, required_name
from airflow_provider_bitbucket.parameters import name as optional_name

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.hooks.runs import Run

__all__ = ["BitbucketBuildStatusNotifier"]

#: State of a task, and of a DAG in its callbacks -> state of its build status; any other state is in progress.
_STATES = {
    "success": "SUCCESSFUL",
    "failed": "FAILED",
    "upstream_failed": "FAILED",
    "skipped": "STOPPED",
    "removed": "STOPPED",
}


class BitbucketBuildStatusNotifier(BitbucketNotifier):
    """Report a task or a DAG as a build status of a commit: in progress at the start, its result at the end, in place.

    The same object serves all callbacks, because they know the state::

        status = BitbucketBuildStatusNotifier(repository="api", commit="{{ params.commit }}")

        with DAG("deploy", on_success_callback=status, on_failure_callback=status, ...):
            BashOperator(task_id="start", on_execute_callback=status, on_success_callback=status, on_failure_callback=status, ...)

    Each task and each DAG has one status, whose key is the same in all runs, so that it changes in place. As a callback of a
    DAG the notifier also stops the statuses of the run's tasks that are still in progress, as those of killed tasks are;
    otherwise they would block merges. Costs one request; two more with a short hash, and at the end of a run.

    :param commit: hash of the commit, full or short (templated)
    :param state: SUCCESSFUL, FAILED, INPROGRESS or STOPPED (templated); default: that of the task or DAG
    :param key: identity of the status within the commit, of which 40 characters count (templated); default: one for the DAG, or
        for the task. Deadline alerts need one where Airflow does not name the DAG (before 3.2)
    :param name: title (templated); default: the ids of DAG and task
    :param description: a sentence (templated); default: none
    :param url: address that the status leads to (templated); default: the task's log, or the run
    :param refname: branch or tag whose pull requests alone show the status (templated); default: all that contain the commit
    :param notifier: ``repository`` and the other parameters of
        :class:`~airflow_provider_bitbucket.notifications.base.BitbucketNotifier`
    """

    template_fields: Sequence[str] = (
        *BitbucketNotifier.template_fields,
        "commit",
        "state",
        "key",
        "name",
        "description",
        "url",
        "refname",
    )
    commit = Templated()
    key = Templated()
    name = Templated()
    url = Templated()
    refname = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketNotifier.parameter_kinds,
        "commit": required_name,
        "state": lambda parameter, value: None if is_blank(value) else build_state(parameter, value),
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
        state: BuildState | None = None,
        key: str | None = None,
        name: str | None = None,
        description: str | None = None,
        url: str | None = None,
        refname: str | None = None,
        **notifier: Any,
    ) -> None:
        super().__init__(**notifier)
        self.commit = commit
        self.state = state
        self.key = key
        self.name = name
        self.description = description
        self.url = url
        self.refname = refname

    def report(self, client: BitbucketClient, run: Run) -> None:
        """Report the status, and stop those that the run has left in progress."""
        from airflow_provider_bitbucket.changes.build_statuses import full_hash, set_build_status, status_key, stop_unfinished

        if not (self.key or run.dag_id):
            raise ValueError("key is None; expected text, because the context of this deadline alert names no DAG")
        commit = full_hash(client, self.repository, self.commit)
        status = set_build_status(
            client,
            self.repository,
            commit,
            key=self.key or status_key(run.dag_id, run.task_id, run.map_index),
            state=self.state or _state_of(run),
            url=self.url or run.url,
            name=self.name or run.title or None,
            description=self.description,
            refname=self.refname,
        )
        self.log.info("Build status %s of commit %s is %s.", status.get("name"), commit, status.get("state"))
        if run.is_ended:
            for key in stop_unfinished(client, self.repository, commit, run.dag_id, run.run_url):
                self.log.info("Stopped build status %s, which a task of the run left in progress.", key)


def _state_of(run: Run) -> Any:
    # Only callbacks of failures run outside of the task's process, where its state is unknown.
    return _STATES.get(run.state or "failed", "INPROGRESS")
