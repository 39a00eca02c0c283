"""What all sensors share: looking, handing over to the triggerer, timeouts and failures."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

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
from airflow_provider_bitbucket.triggers.waiting import BitbucketWaitTrigger, Watch, checked_event, look, polling_hook

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import AirflowException, Context

    from airflow_provider_bitbucket.triggers.polling import Looker


class BitbucketSensor(LiteralMappingMixin, BaseSensorOperator):
    """Wait for something in a repository; the base of all sensors.

    A kind says what it waits for by the trigger it makes. That does the same in a worker, whether the wait is handed over to
    the triggerer or not. What can not come about any more fails the sensor for good (``soft_fail``: skips it): another try
    would find the same.

    :param repository: slug of the repository, or ``workspace/slug``
    :param deferrable: wait in the triggerer instead of a worker; default: ``[operators] default_deferrable``
    :param bitbucket_conn_id: connection of type ``bitbucket``
    :param workspace: workspace of the repository; default: the connection's
    :param run_as: in whose name, where the connection has credentials for each user; default: who triggered the run, else the
        connection's default user (templated)
    :param sensor: as for every sensor: ``poke_interval`` and ``timeout`` in seconds, ``mode``, ``soft_fail``, ...
    """

    template_fields: Sequence[str] = ("bitbucket_conn_id", "workspace", "run_as", "repository")
    ui_color = "#deebff"

    repository = Templated()
    run_as = Templated()
    bitbucket_conn_id = Templated()
    #: The kind of each template field.
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {**CONNECTION_KINDS, "repository": required_name}

    #: What is waited for, as the sentence of a timeout calls it.
    what: ClassVar[str]
    lost_error: ClassVar[type[AirflowException]] = BitbucketLostError

    def __init__(
        self,
        *,
        repository: str,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        bitbucket_conn_id: str = BitbucketHook.default_conn_name,
        workspace: str | None = None,
        run_as: str | None = None,
        **sensor: Any,
    ) -> None:
        for duration in ("poke_interval", "timeout"):
            if sensor.get(duration) is not None:
                sensor[duration] = seconds(duration, sensor[duration], zero=True)
        super().__init__(**sensor)
        self.repository = repository
        self.deferrable = flag("deferrable", deferrable)
        self.bitbucket_conn_id = bitbucket_conn_id
        self.workspace = workspace
        self.run_as = run_as

    @cached_property
    def hook(self) -> BitbucketHook:
        """The hook, with its client made once."""
        return polling_hook(self.bitbucket_conn_id, self.workspace, self.run_as)

    def trigger(self, **common: Any) -> BitbucketWaitTrigger:
        """Return what waits, by the parameters as they are rendered.

        :param common: what all triggers are made with
        :raises ValueError: a parameter is not what was expected
        """
        raise NotImplementedError  # each kind says it

    @cached_property
    def _trigger(self) -> BitbucketWaitTrigger:
        return self.trigger(
            bitbucket_conn_id=self.bitbucket_conn_id,
            workspace=self.workspace,
            repository=self.hook.full_name(self.repository),
            poll_interval=self.poke_interval,
            deadline=math.inf,  # until it is handed over: poking ends when Airflow says so
            run_as=self.hook.acting_user(),
        )

    @cached_property
    def _watch(self) -> Watch:
        return self._trigger.watch(self.log)

    @cached_property
    def _looker(self) -> Looker:
        return type(self._trigger).looker(self.hook.get_conn(), self._trigger.repository)

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; in deferrable mode the first look that does not decide it hands over to the triggerer."""
        normalize(self, self.parameter_kinds)
        event = look(self._looker, self._trigger.subject, self._watch)
        if event is not None:
            return PokeReturnValue(is_done=True, xcom_value=self._conclude(event))
        if self.deferrable:
            self._trigger.deadline = time.time() + self._time_limit()
            self._trigger.told = self._watch.told
            self.defer(trigger=self._trigger, method_name="execute_complete")
        return PokeReturnValue(is_done=False)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Go on after the wait in the triggerer."""
        normalize(self, self.parameter_kinds)
        ended: Mapping[str, Any] = checked_event(event)
        if ended["status"] == "timeout":
            ended = self._seen_late() or ended
        return self._conclude(ended)

    def _seen_late(self) -> Mapping[str, Any] | None:
        """Look once more: what was seen last can be an interval old, or older where many waited in line. None: nothing was."""
        self._watch.deadline = 0  # past it, a watch decides
        seen: Mapping[str, Any] | None = look(self._looker, self._trigger.subject, self._watch)
        return None if self._watch.is_blind else seen

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on as in a worker, where ``soft_fail`` does not skip what could not be looked at: Airflow skips any error here."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSkipException as skip:
            if isinstance(skip.__cause__, BitbucketLostError) and not self.never_fail:
                raise skip.__cause__ from None
            raise

    def _conclude(self, event: Mapping[str, Any]) -> dict[str, Any]:
        match event["status"]:
            case "timeout":
                # As where Airflow counts them itself: an execution_timeout is retried, a sensor's timeout is not.
                kind = AirflowTaskTimeout if self._time_limit() < self.timeout else AirflowSensorTimeout
                raise kind(f"{self.what} within {self._time_limit():.0f} s. {event['message']}")
            case "lost":
                raise self.lost_error(event["message"])
            case "failed":
                raise AirflowFailException(self._why(event))
        return self._found(event)

    def _found(self, event: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = event["found"]
        return found

    def _why(self, event: Mapping[str, Any]) -> str:
        return str(event["message"])

    def _time_limit(self) -> float:
        """Seconds to wait; Airflow itself does not count ``execution_timeout`` while a task is deferred."""
        return min(self.timeout, self.execution_timeout.total_seconds() if self.execution_timeout else self.timeout)
