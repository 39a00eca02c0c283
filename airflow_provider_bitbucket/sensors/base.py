"""The base of all sensors: polling, deferring, timeouts and failures."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Required, TypedDict

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_bitbucket.exceptions import BitbucketLostError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.credentials.acting_user import CONNECTION_KINDS
from airflow_provider_bitbucket.hooks.rendering import LiteralMappingMixin
from airflow_provider_bitbucket.parameters import Kind, Templated, flag, normalize, required_name, seconds

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from typing import Unpack

    from airflow.providers.common.compat.sdk import AirflowException, Context

    from airflow_provider_bitbucket.triggers.base import BitbucketWaitTrigger, WaitParameters
    from airflow_provider_bitbucket.triggers.blocking import BlockingWait
    from airflow_provider_bitbucket.triggers.wait_condition import WaitEvent

__all__ = ["BitbucketSensor", "SensorParameters"]


class AirflowSensorParameters(TypedDict, total=False):
    """Parameters that Airflow gives every sensor."""

    task_id: Required[str]
    poke_interval: timedelta | float
    timeout: timedelta | float
    soft_fail: bool
    mode: Literal["poke", "reschedule"]
    exponential_backoff: bool
    max_wait: timedelta | float | None
    silent_fail: bool
    never_fail: bool
    dag: Any
    task_group: Any
    default_args: dict[str, Any] | None
    params: Any
    owner: str
    email: Any
    email_on_retry: bool
    email_on_failure: bool
    retries: int | None
    retry_delay: timedelta | float
    retry_exponential_backoff: float
    max_retry_delay: timedelta | float | None
    retry_policy: Any
    start_date: Any
    end_date: Any
    depends_on_past: bool
    ignore_first_depends_on_past: bool
    wait_for_past_depends_before_skipping: bool
    wait_for_downstream: bool
    priority_weight: int
    weight_rule: Any
    queue: str
    pool: str | None
    pool_slots: int
    execution_timeout: timedelta | None
    on_execute_callback: Callable[[Context], None] | list[Callable[[Context], None]] | None
    on_failure_callback: Callable[[Context], None] | list[Callable[[Context], None]] | None
    on_success_callback: Callable[[Context], None] | list[Callable[[Context], None]] | None
    on_retry_callback: Callable[[Context], None] | list[Callable[[Context], None]] | None
    on_skipped_callback: Callable[[Context], None] | list[Callable[[Context], None]] | None
    pre_execute: Any
    post_execute: Any
    trigger_rule: str
    resources: dict[str, Any] | None
    run_as_user: str | None
    map_index_template: str | None
    max_active_tis_per_dag: int | None
    max_active_tis_per_dagrun: int | None
    executor: str | None
    executor_config: dict[str, Any] | None
    do_xcom_push: bool
    multiple_outputs: bool
    inlets: Any
    outlets: Any
    doc: str | None
    doc_md: str | None
    doc_json: str | None
    doc_yaml: str | None
    doc_rst: str | None
    task_display_name: str | None
    logger_name: str | None
    allow_nested_operators: bool
    render_template_as_native_obj: bool | None


class SensorParameters(AirflowSensorParameters, total=False):
    """Parameters of every sensor of this provider, as :class:`BitbucketSensor` documents them."""

    repository: Required[str]
    deferrable: bool
    bitbucket_conn_id: str
    workspace: str | None
    run_as: str | None


class BitbucketSensor(LiteralMappingMixin, BaseSensorOperator):
    """Wait for a state in a repository; the base of all sensors.

    Each kind returns the trigger that it waits with; a wait in the worker uses the trigger's fetcher and condition. If the state
    can no longer be reached, the sensor fails without retries (``soft_fail``: is skipped), because a retry would find the same.

    :param repository: slug of the repository, or ``workspace/slug``
    :param deferrable: wait in the triggerer instead of a worker; default: ``[operators] default_deferrable``
    :param bitbucket_conn_id: connection of type ``bitbucket``
    :param workspace: workspace of the repository; default: the connection's
    :param run_as: acting user, where the connection has credentials for each user; default: the user who triggered the run, else
        the connection's default user (templated)
    :param sensor: as for every sensor: ``poke_interval`` and ``timeout`` in seconds, ``mode``, ``soft_fail``, ...
    """

    template_fields: Sequence[str] = ("bitbucket_conn_id", "workspace", "run_as", "repository")
    ui_color = "#deebff"

    repository = Templated()
    run_as = Templated()
    bitbucket_conn_id = Templated()
    #: The kind of each template field.
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {**CONNECTION_KINDS, "repository": required_name}

    #: Beginning of the sentence that reports a timeout.
    unmet: ClassVar[str]
    lost_error: ClassVar[type[AirflowException]] = BitbucketLostError

    def __init__(
        self,
        *,
        repository: str,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        bitbucket_conn_id: str = BitbucketHook.default_conn_name,
        workspace: str | None = None,
        run_as: str | None = None,
        **sensor: Unpack[AirflowSensorParameters],
    ) -> None:
        if (poke_interval := sensor.get("poke_interval")) is not None:
            sensor["poke_interval"] = seconds("poke_interval", poke_interval, zero=True)
        if (timeout := sensor.get("timeout")) is not None:
            sensor["timeout"] = seconds("timeout", timeout, zero=True)
        super().__init__(**sensor)
        self.repository = repository
        self.deferrable = flag("deferrable", deferrable)
        self.bitbucket_conn_id = bitbucket_conn_id
        self.workspace = workspace
        self.run_as = run_as

    @cached_property
    def hook(self) -> BitbucketHook:
        """The hook, whose client is created once."""
        return BitbucketHook(self.bitbucket_conn_id, self.workspace, self.run_as)

    def trigger(self, **common: Unpack[WaitParameters]) -> BitbucketWaitTrigger:
        """Build the sensor's trigger from its rendered parameters.

        :param common: parameters of all triggers
        :raises ValueError: a parameter is malformed
        """
        raise NotImplementedError  # each kind has its own

    @cached_property
    def _trigger(self) -> BitbucketWaitTrigger:
        return self.trigger(
            bitbucket_conn_id=self.bitbucket_conn_id,
            workspace=self.workspace,
            repository=self.hook.full_name(self.repository),
            poll_interval=self.poke_interval,
            deadline=math.inf,  # until it is deferred: in a worker Airflow counts the timeout
            run_as=self.hook.acting_user(),
        )

    @cached_property
    def _wait(self) -> BlockingWait:
        from airflow_provider_bitbucket.triggers.blocking import BlockingWait

        return BlockingWait(self._trigger, self.hook.get_conn("none"), self.log)

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once; in deferrable mode, defer unless that ends the wait."""
        normalize(self, self.parameter_kinds)
        event = self._wait.poll()
        if event is not None:
            return PokeReturnValue(is_done=True, xcom_value=self._conclude(event))
        if self.deferrable:
            deadline, last_reported = time.time() + self._time_limit(), self._wait.condition.last_reported
            trigger = self._trigger.replace(deadline=deadline, last_reported=last_reported)
            self.defer(trigger=trigger, method_name="execute_complete")
        return PokeReturnValue(is_done=False)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Continue after the wait in the triggerer."""
        from airflow_provider_bitbucket.triggers.blocking import poll_after_deadline
        from airflow_provider_bitbucket.triggers.wait_condition import checked_event

        normalize(self, self.parameter_kinds)
        ended = checked_event(event)
        if ended["status"] == "timeout":
            ended = poll_after_deadline(self._trigger, self.hook.get_conn("none"), self.log) or ended
        return self._conclude(ended)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume as in a worker, where ``soft_fail`` does not skip a task that lost access; Airflow would skip it."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSkipException as skip:
            if isinstance(skip.__cause__, BitbucketLostError) and not self.never_fail:
                raise skip.__cause__ from None
            raise

    def _conclude(self, event: WaitEvent) -> dict[str, Any]:
        match event["status"]:
            case "timeout":
                # As Airflow does where it counts them itself: an execution_timeout is retried, a sensor's timeout is not.
                kind = AirflowTaskTimeout if self._time_limit() < self.timeout else AirflowSensorTimeout
                raise kind(f"{self.unmet} within {self._time_limit():.0f} s. {event['message']}")
            case "lost":
                raise self.lost_error(event["message"])
            case "failed":
                raise AirflowFailException(self._failure(event))
        return event["found"]

    def _failure(self, event: WaitEvent) -> str:
        return event["message"]

    def _time_limit(self) -> float:
        """Seconds to wait; Airflow itself does not count ``execution_timeout`` while a task is deferred."""
        return min(self.timeout, self.execution_timeout.total_seconds() if self.execution_timeout else self.timeout)
