"""Start a Bitbucket pipeline and wait until it has finished."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import AirflowException, AirflowSkipException, AirflowTaskTimeout, conf

from airflow_provider_bitbucket.exceptions import (
    BitbucketMissingPipelineError,
    BitbucketPipelineFailedError,
    BitbucketPipelineLostError,
    BitbucketPipelinePausedError,
    BitbucketPipelineTimeoutError,
)
from airflow_provider_bitbucket.links import BitbucketPipelineLink, push_pipeline
from airflow_provider_bitbucket.operators.base import BitbucketRepositoryOperator
from airflow_provider_bitbucket.operators.masking import mask_literals, mask_rendered
from airflow_provider_bitbucket.operators.pipeline_kill import TaskKill
from airflow_provider_bitbucket.operators.pipeline_targets import TARGETS, check_targets, definition_text
from airflow_provider_bitbucket.parameters import (
    Kind,
    Templated,
    check_serializable,
    flag,
    mapping,
    name,
    name_if_given,
    normalize,
    number,
    one_of,
    seconds,
    variables,
)
from airflow_provider_bitbucket.pipeline_runs.policies import (
    STOP_AFTER_TIMEOUT,
    STOP_WHEN_KILLED,
    LogSteps,
    OnAmbiguous,
    OnMissingPipeline,
    OnPaused,
    SearchPolicy,
    StopPolicy,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bitbucket.hooks.task_attempt import TaskAttempt
    from airflow_provider_bitbucket.pipeline_runs.start import Started
    from airflow_provider_bitbucket.pipeline_runs.step_logs import StepLogs
    from airflow_provider_bitbucket.pipeline_runs.target import PipelineTarget
    from airflow_provider_bitbucket.triggers.pipelines import BitbucketPipelineTrigger
    from airflow_provider_bitbucket.triggers.wait_condition import WaitEvent

__all__ = ["BitbucketTriggerPipelineOperator"]

#: Stands for the pipeline's uuid until it is started, when it is checked that the task could be deferred.
_PLACEHOLDER_UUID = "{00000000-0000-0000-0000-000000000000}"


class BitbucketTriggerPipelineOperator(BitbucketRepositoryOperator):
    """Start a Bitbucket pipeline and, by default, wait until it has finished.

    The task fails when the pipeline does not end successfully; the error names the failed step, the end of its log and
    the failed test cases. Ending the task (marking or clearing it, stopping its run) stops the pipeline, as does a timeout. A
    task starts one pipeline, however often its worker dies: a retry continues with the one that is there, unless that has failed.

    XCom: ``pipeline_uuid``, ``build_number`` and ``pipeline_url`` right after the start, and as return value a small
    dictionary about the pipeline.

    :param branch: run on the head of this branch; give exactly one of ``branch``, ``tag``, ``commit``, ``pull_request``, except
        that ``commit`` may accompany ``branch`` or ``tag``
    :param tag: run on this tag
    :param commit: run on this commit: in the context of ``branch`` or ``tag``, or of ``custom_pipeline`` or ``selector`` alone
    :param pull_request: run on the pull request with this number
    :param custom_pipeline: name of the pipeline under ``custom:`` in ``bitbucket-pipelines.yml``; default: the pipeline
        that a push would run
    :param selector: any other selector, as ``{"type": ..., "pattern": ...}``; instead of ``custom_pipeline``
    :param variables: pipeline variables, ``{"KEY": "value"}``, or a list of
        ``{"key": ..., "value": ..., "secured": True}``; the values of secured ones are masked in Airflow and in Bitbucket
    :param pipeline_yaml: definition in the form of ``bitbucket-pipelines.yml`` that is run instead of the repository's. Variables
        are then sent in the address of the request, so secured ones are refused: set them as variables of the repository or
        environment
    :param on_missing_pipeline: where ``custom_pipeline`` does not exist: ``fail`` with the names of those that exist, or ``skip``
        the task
    :param wait_for_completion: False: succeed as soon as the pipeline is started
    :param deferrable: wait in the triggerer instead of a worker; default: ``[operators] default_deferrable``
    :param poll_interval: seconds between two polls of the pipeline
    :param timeout: seconds from the start of the pipeline until it is stopped and the task fails. ``execution_timeout``, from
        the start of the task, is honoured too, also while deferred.
    :param stop_on_timeout: False: after a timeout the pipeline continues; a retry waits for it again
    :param cancel_on_kill: False: the pipeline continues when the task is marked, cleared or killed, or its run is stopped
    :param on_paused: ``fail``: do not wait for a pipeline that is paused at a manual step, or halted; it is left as it is
    :param reuse_running: continue with a running pipeline of the same target and selector, started by any account with any
        variables. It is not stopped with the task.
    :param on_ambiguous: after a start whose response was lost, if its pipeline cannot be identified: ``fail`` with the list of
        candidates, or ``adopt_newest``
    :param log_steps: ``failed``: log the result of each step at the end, and show the last lines of the failed steps' logs in the
        error. ``all``: copy all steps' logs too; a wait in the worker copies them as they grow, at one request and one for each
        running step every ``poll_interval``. ``none``: neither
    :param operator: ``repository`` and the connection, as for
        :class:`~airflow_provider_bitbucket.operators.base.BitbucketRepositoryOperator`
    """

    template_fields = (
        *BitbucketRepositoryOperator.template_fields,
        *TARGETS,
        "custom_pipeline",
        "selector",
        "variables",
        "pipeline_yaml",
    )
    custom_pipeline = Templated()
    selector = Templated()
    pipeline_yaml = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **BitbucketRepositoryOperator.parameter_kinds,
        "branch": name,
        "tag": name,
        "commit": name,
        "pull_request": number,
        "custom_pipeline": name_if_given,
        "selector": mapping,
        "variables": variables,
        "pipeline_yaml": definition_text,
    }
    template_fields_renderers = {"selector": "json", "variables": "json", "pipeline_yaml": "yaml"}
    search_policy: ClassVar[SearchPolicy] = SearchPolicy()
    timeout_stop_policy: ClassVar[StopPolicy] = STOP_AFTER_TIMEOUT
    kill_stop_policy: ClassVar[StopPolicy] = STOP_WHEN_KILLED
    operator_extra_links = (BitbucketPipelineLink(),)

    def __init__(
        self,
        *,
        branch: str | None = None,
        tag: str | None = None,
        commit: str | None = None,
        pull_request: int | str | None = None,
        custom_pipeline: str | None = None,
        selector: dict[str, str] | None = None,
        variables: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
        pipeline_yaml: str | None = None,
        on_missing_pipeline: OnMissingPipeline = "fail",
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float = 30,
        timeout: float = 24 * 60 * 60,
        stop_on_timeout: bool = True,
        cancel_on_kill: bool = True,
        on_paused: OnPaused = "wait",
        reuse_running: bool = False,
        on_ambiguous: OnAmbiguous = "fail",
        log_steps: LogSteps = "failed",
        **operator: Any,
    ) -> None:
        super().__init__(**operator)
        self.branch = branch
        self.tag = tag
        self.commit = commit
        self.pull_request = pull_request
        self.custom_pipeline = custom_pipeline
        self.selector = selector
        self.variables = variables
        self.pipeline_yaml = pipeline_yaml
        self.on_missing_pipeline: OnMissingPipeline = one_of("on_missing_pipeline", on_missing_pipeline, OnMissingPipeline)
        self.wait_for_completion = flag("wait_for_completion", wait_for_completion)
        self.deferrable = flag("deferrable", deferrable)
        self.poll_interval = seconds("poll_interval", poll_interval)
        self.timeout = seconds("timeout", timeout)
        self.stop_on_timeout = flag("stop_on_timeout", stop_on_timeout)
        self.cancel_on_kill = flag("cancel_on_kill", cancel_on_kill)
        self.on_paused: OnPaused = one_of("on_paused", on_paused, OnPaused)
        self.reuse_running = flag("reuse_running", reuse_running)
        self.on_ambiguous: OnAmbiguous = one_of("on_ambiguous", on_ambiguous, OnAmbiguous)
        self.log_steps: LogSteps = one_of("log_steps", log_steps, LogSteps)
        self._running: str | None = None
        self._kill = TaskKill()
        self._attempt: TaskAttempt | None = None
        check_targets(self.task_id, {name: getattr(self, name) for name in TARGETS if getattr(self, name) is not None})

    @property
    def variables(self) -> Any:
        """The pipeline's variables."""
        return self._variables

    @variables.setter
    def variables(self, value: Any) -> None:
        # Airflow stores the rendered variables before it runs the task. It sets them here, which is the last chance to mask
        # secured ones. The first value is kept as it is (see Templated): it may be a template, or must never become one.
        if hasattr(self, "_variables"):
            self._variables = mask_rendered(value)
        else:
            self._variables = value
            mask_literals(value)

    def trigger(self, pipeline: str) -> BitbucketPipelineTrigger:
        """Return the trigger that waits for a pipeline, without a deadline.

        :param pipeline: uuid or build number
        """
        from airflow_provider_bitbucket.triggers.pipelines import BitbucketPipelineTrigger

        return BitbucketPipelineTrigger(
            bitbucket_conn_id=self.bitbucket_conn_id,
            workspace=self.workspace,
            repository=self.hook.full_name(self.repository),
            pipeline=pipeline,
            poll_interval=self.poll_interval,
            deadline=math.inf,
            cancel_on_kill=self.cancel_on_kill,
            run_as=self.hook.acting_user(),
            on_paused=self.on_paused,
        )

    def perform(self, context: Context) -> dict[str, Any]:
        """Start the pipeline, or continue with the one that an earlier try started, and wait for it.

        :return: what is worth knowing about the pipeline, JSON-native
        :raises BitbucketPipelineFailedError: it ended and was not successful
        :raises BitbucketPipelinePausedError: it waits for a person, and ``on_paused`` is ``fail``
        :raises BitbucketPipelineTimeoutError: it did not end in time, and was stopped
        :raises BitbucketMissingPipelineError: there is no such custom pipeline, and ``on_missing_pipeline`` is ``fail``
        :raises BitbucketAmbiguousStartError: the pipeline of an interrupted start cannot be identified
        """
        from airflow_provider_bitbucket.hooks.task_attempt import TaskAttempt
        from airflow_provider_bitbucket.triggers.blocking import BlockingWait

        began = time.time()
        self._attempt = TaskAttempt(context)
        trigger = self.trigger(_PLACEHOLDER_UUID)
        check_serializable(trigger)  # a task that cannot be deferred must not start a pipeline
        client = self.hook.get_conn("none")  # now, because a kill may come at any time after the start

        try:
            started = self._start(context)
        except BitbucketMissingPipelineError as error:
            if self.on_missing_pipeline == "fail":
                raise
            raise AirflowSkipException(str(error)) from error
        outcome, own = started.outcome, started.own
        if not self.wait_for_completion:
            self._running = None  # the task no longer stops it
            self._kill.check(outcome.url)
            return outcome.summary()

        cancel_on_kill = own and self.cancel_on_kill
        trigger = trigger.replace(pipeline=outcome.uuid, deadline=self._deadline(began), cancel_on_kill=cancel_on_kill)
        wait = BlockingWait(trigger, client, self.log)
        event = wait.poll()  # before deferring: a malformed bitbucket-pipelines.yml ends the pipeline at once
        if event is None and self.deferrable:
            self._kill.check(outcome.url)
            trigger = trigger.replace(last_reported=wait.condition.last_reported)
            # No timeout here: Airflow would fail the task without resuming it, and the pipeline would not be stopped.
            self.defer(trigger=trigger, method_name="execute_complete", kwargs={"own": own})
        steps = self._step_logs(outcome.summary())
        while event is None:
            steps.poll()
            self._kill.sleep(wait.condition.pause)
            self._kill.check(outcome.url)
            event = wait.poll()
        return self._conclude(event, own, steps)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None, own: bool = True) -> dict[str, Any]:
        """Continue after the wait in the triggerer; returns and raises as :meth:`perform`."""
        from airflow_provider_bitbucket.hooks.task_attempt import TaskAttempt
        from airflow_provider_bitbucket.triggers.wait_condition import checked_event

        self._attempt = TaskAttempt(context)
        normalize(self, self.parameter_kinds)
        return self._conclude(checked_event(event), own)

    def on_kill(self) -> None:
        """Stop the task's pipeline, unless its next try is to continue with it; see ``docs/pipelines.md``, Stopping."""
        self._kill.requested = True
        pipeline, attempt = self._running, self._attempt
        if pipeline is None or attempt is None:
            return
        if isinstance(sys.exception(), AirflowTaskTimeout):  # execution_timeout: Airflow calls this when it has ended execute()
            stopped = self._stop_late(pipeline) if self.stop_on_timeout else "The pipeline continues."
            self.log.warning("The execution_timeout has passed. %s", stopped)
        elif self.cancel_on_kill:
            self._kill.handle(attempt.decide, lambda: self._stop(pipeline, self.kill_stop_policy), self.log)

    def _start(self, context: Context) -> Started:
        from airflow_provider_bitbucket.hooks.start_record import StartRecord, earlier_attempts, sibling_pipelines
        from airflow_provider_bitbucket.pipeline_runs.start import PipelineStart

        started = PipelineStart(
            self.hook.get_conn(),
            self.hook.get_conn("none"),
            self.hook.full_name(self.repository),
            self._target(),
            self.variables,
            self.pipeline_yaml,
            record=StartRecord(context),
            earlier=earlier_attempts(context),
            others=lambda: sibling_pipelines(context),
            wait=self.wait_for_completion,
            reuse_running=self.reuse_running,
            on_ambiguous=self.on_ambiguous,
            check_wanted=self._check_wanted,
            log=self.log,
            policy=self.search_policy,
        ).start_once()
        self._running = started.outcome.uuid if started.own else None
        if self._kill.requested:  # before Bitbucket's response
            self.on_kill()
        push_pipeline(context, started.outcome)
        return started

    def _target(self) -> PipelineTarget:
        from airflow_provider_bitbucket.pipeline_runs.target import PipelineTarget

        return PipelineTarget(self.branch, self.tag, self.commit, self.pull_request, self.custom_pipeline, self.selector)

    def _check_wanted(self) -> None:
        if self._kill.requested:
            raise AirflowException("The task was killed before its pipeline was started.")

    def _stop_late(self, pipeline: str) -> str:
        try:
            if self._attempt and not self._attempt.is_current():
                return "The pipeline continues: another try of the task has replaced this one."
        except Exception as error:  # a timeout stops the pipeline, whether or not Airflow answers
            self.log.warning("Airflow did not report whether another try has replaced this one: %s", error)
        return self._stop(pipeline, self.timeout_stop_policy)

    def _stop(self, pipeline: str, policy: StopPolicy) -> str:
        from airflow_provider_bitbucket.pipeline_runs.stop import stop_pipeline

        return stop_pipeline(self.hook.get_conn("none"), self.repository, pipeline, policy)

    def _conclude(self, event: WaitEvent, own: bool, steps: StepLogs | None = None) -> dict[str, Any]:
        from airflow_provider_bitbucket.pipeline_runs.failure import explain_failure
        from airflow_provider_bitbucket.triggers.blocking import poll_after_deadline

        uuid = event["found"]["uuid"]
        if event["status"] == "timeout":
            event = poll_after_deadline(self.trigger(uuid), self.hook.get_conn("none"), self.log) or event
        if event["status"] != "timeout":
            self._running = None
        if event["status"] in ("succeeded", "failed"):
            (steps or self._step_logs(event["found"])).finish()
        match event["status"]:
            case "timeout":
                continues = not own or not self.stop_on_timeout
                self._time_out(event["message"], "The pipeline continues." if continues else self._stop_late(uuid))
            case "lost":
                raise BitbucketPipelineLostError(f"{event['message']} The pipeline may still be running.")
            case "paused":
                raise BitbucketPipelinePausedError(f"{event['message']} It is left as it is.")
            case "failed":
                why = explain_failure(partial(self.hook.get_conn, "brief"), self.repository, uuid, logs=self.log_steps != "none")
                raise BitbucketPipelineFailedError(f"{event['message']}\n{why}")
        return event["found"]

    def _step_logs(self, pipeline: dict[str, Any]) -> StepLogs:
        from airflow_provider_bitbucket.pipeline_runs.step_logs import StepLogs

        return StepLogs(
            partial(self.hook.get_conn, "none"),
            self.repository,
            pipeline["uuid"],
            pipeline["url"],
            log=self.log,
            mode=self.log_steps,
        )

    def _time_out(self, last: str, stopped: str) -> NoReturn:
        message = f"The pipeline had not finished within {self._time_limit():.0f} s. {last} {stopped}"
        if self._time_limit() < self.timeout:
            raise AirflowTaskTimeout(message)  # as Airflow does where it counts the execution_timeout itself
        raise BitbucketPipelineTimeoutError(message)

    def _deadline(self, began: float) -> float:
        """Return when the wait times out; the request budget may have delayed the start of the pipeline."""
        limit = self.execution_timeout
        return min(time.time() + self.timeout, began + limit.total_seconds() if limit else math.inf)

    def _time_limit(self) -> float:
        """Seconds to wait; Airflow itself does not count ``execution_timeout`` while a task is deferred."""
        return min(self.timeout, self.execution_timeout.total_seconds() if self.execution_timeout else self.timeout)
