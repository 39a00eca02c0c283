"""Wait for a Bitbucket pipeline that something else started."""

from __future__ import annotations

import math
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_bitbucket.exceptions import BitbucketPipelineLostError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.pipelines import explain_failure
from airflow_provider_bitbucket.triggers.pipelines import (
    BitbucketPipelineTrigger,
    PipelineEvent,
    PipelineWatch,
    checked_event,
    polling_hook,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class BitbucketPipelineSensor(BaseSensorOperator):
    """Wait until a pipeline is done; it is successful, or the sensor fails (``soft_fail``: is skipped).

    A failed pipeline fails the sensor for good: another try would find the same pipeline failed. The pipeline is never
    stopped, because somebody else started it. Returns a small dictionary about the pipeline.

    :param repository: slug of the repository, or ``workspace/slug``
    :param pipeline: uuid or build number of the pipeline
    :param deferrable: wait in the triggerer instead of a worker; default: ``[operators] default_deferrable``
    :param bitbucket_conn_id: connection of type ``bitbucket``
    :param workspace: workspace of the repository; default: the connection's
    :param run_as: in whose name, where the connection has credentials for each user; default: who triggered the run, else the
        connection's default user (templated)
    """

    template_fields = ("bitbucket_conn_id", "workspace", "run_as", "repository", "pipeline")
    ui_color = "#deebff"

    def __init__(
        self,
        *,
        repository: str,
        pipeline: str | int,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        bitbucket_conn_id: str = BitbucketHook.default_conn_name,
        workspace: str | None = None,
        run_as: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.repository = repository
        self.pipeline = pipeline
        self.deferrable = deferrable
        self.bitbucket_conn_id = bitbucket_conn_id
        self.workspace = workspace
        self.run_as = run_as

    @cached_property
    def hook(self) -> BitbucketHook:
        """The hook, with its client made once."""
        return polling_hook(self.bitbucket_conn_id, self.workspace, self.run_as)

    @cached_property
    def _watch(self) -> PipelineWatch:
        # Without a deadline: poking ends when Airflow says so.
        return PipelineWatch(
            self.hook.full_name(self.repository),
            str(self.pipeline),
            poll_interval=self.poke_interval,
            deadline=math.inf,
            log=self.log,
        )

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; in deferrable mode the first look that finds the pipeline running hands over to the triggerer."""
        event = self._watch.look(self.hook.get_conn())
        if event is not None:
            return PokeReturnValue(is_done=True, xcom_value=self._conclude(event))
        if self.deferrable:
            self.defer(
                trigger=BitbucketPipelineTrigger(
                    bitbucket_conn_id=self.bitbucket_conn_id,
                    workspace=self.workspace,
                    repository=self._watch.repository,
                    pipeline=str(self.pipeline),
                    poll_interval=self.poke_interval,
                    deadline=time.time() + self._time_limit(),
                    told=self._watch.told,
                    run_as=self.hook.acting_user(),
                ),
                method_name="execute_complete",
            )
        return PokeReturnValue(is_done=False)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Go on after the wait in the triggerer."""
        return self._conclude(checked_event(event))

    def _conclude(self, event: PipelineEvent) -> dict[str, Any]:
        match event["status"]:
            case "timeout":
                raise AirflowSensorTimeout(f"The pipeline was not over within {self._time_limit():.0f} s. {event['message']}")
            case "lost":
                raise BitbucketPipelineLostError(event["message"])
            case "failed":
                why = explain_failure(self.hook.get_conn(), self.repository, event["pipeline"]["uuid"])
                raise AirflowFailException(f"{event['message']} {event['pipeline']['url']}\n{why}")
        return event["pipeline"]

    def _time_limit(self) -> float:
        """Seconds to wait; Airflow itself does not count ``execution_timeout`` while a task is deferred."""
        return min(self.timeout, self.execution_timeout.total_seconds() if self.execution_timeout else self.timeout)
