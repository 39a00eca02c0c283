"""Start a Bitbucket pipeline and wait until it is done."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from airflow.providers.common.compat.sdk import AirflowException, AirflowTaskTimeout, BaseOperator, conf, mask_secret

from airflow_provider_bitbucket.exceptions import (
    BitbucketPipelineFailedError,
    BitbucketPipelineLostError,
    BitbucketPipelineNotStoppedError,
    BitbucketPipelinePausedError,
    BitbucketPipelineTimeoutError,
)
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.credentials.acting_user import CONNECTION_KINDS
from airflow_provider_bitbucket.hooks.pipelines import explaining_hook, named_pipeline
from airflow_provider_bitbucket.hooks.rendering import LiteralMappingMixin
from airflow_provider_bitbucket.hooks.start_record import StartRecord, earlier_attempts, sibling_pipelines
from airflow_provider_bitbucket.hooks.task_attempt import TaskAttempt
from airflow_provider_bitbucket.links import BitbucketPipelineLink, push_pipeline
from airflow_provider_bitbucket.operators.pipeline_kill import TaskKill
from airflow_provider_bitbucket.operators.pipeline_targets import TARGETS, check_targets
from airflow_provider_bitbucket.parameters import (
    Kind,
    Templated,
    check_serializable,
    flag,
    is_template,
    literal,
    mapping,
    name,
    name_if_given,
    normalize,
    number,
    one_of,
    required_name,
    seconds,
    text,
    variables,
)
from airflow_provider_bitbucket.pipeline_runs.explain import explain_failure
from airflow_provider_bitbucket.pipeline_runs.policies import (
    STOP_AFTER_TIMEOUT,
    STOP_WHEN_KILLED,
    OnAmbiguous,
    SearchPolicy,
    StopPolicy,
)
from airflow_provider_bitbucket.pipeline_runs.start import PipelineStart
from airflow_provider_bitbucket.pipeline_runs.step_logs import LogSteps, StepLogs
from airflow_provider_bitbucket.pipeline_runs.stop import follow_stop, stop_pipeline, why_not_stopped
from airflow_provider_bitbucket.triggers.pipelines import (
    BitbucketPipelineTrigger,
    OnPaused,
    PipelineEvent,
    PipelineWatch,
    checked_event,
    polling_hook,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bitbucket.client import PipelineOutcome
    from airflow_provider_bitbucket.pipeline_runs.target import PipelineTarget


class BitbucketTriggerPipelineOperator(LiteralMappingMixin, BaseOperator):
    """Start a Bitbucket pipeline and, by default, wait until it has finished.

    The task fails when the pipeline does not end successfully; the error names the failed step, the end of its log and
    the failed test cases. Ending the task (marking or clearing it, stopping its run) stops the pipeline, as does a timeout. A
    task starts one pipeline, however often its worker dies: a retry continues with the one that is there, unless that has failed.

    XCom: ``pipeline_uuid``, ``build_number`` and ``pipeline_url`` right after the start, and as return value a small
    dictionary about the pipeline.

    :param repository: slug of the repository, or ``workspace/slug``
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
    :param wait_for_completion: False: succeed as soon as the pipeline is started
    :param deferrable: wait in the triggerer instead of a worker; default: ``[operators] default_deferrable``
    :param poll_interval: seconds between two polls of the pipeline
    :param timeout: seconds from the start of the pipeline until it is stopped and the task fails. ``execution_timeout``, from
        the start of the task, is honoured too, also while deferred.
    :param stop_on_timeout: False: after a timeout the pipeline continues; a retry waits for it again
    :param cancel_on_kill: False: the pipeline continues when the task is marked, cleared or killed, or its run is stopped
    :param on_paused: ``fail``: do not wait for a pipeline that is paused at a manual step, or halted; it is left as it is
    :param reuse_running: go on with a pipeline of the same target and selector that is running already, whoever started it and
        with which variables ever. It is not stopped with the task.
    :param on_ambiguous: when a start was lost and several pipelines, or one that is hardly it, could be what came of it:
        ``fail`` with their list, or ``adopt_newest``
    :param log_steps: ``failed``: when it is over, what became of each step, and in the error the end of the failed steps' logs.
        ``all``: all steps' logs too; a wait in the worker shows them as they grow, at a request for the steps and one for each
        running step every ``poll_interval``. ``none``: neither
    :param bitbucket_conn_id: connection of type ``bitbucket``
    :param workspace: workspace of the repository; default: the connection's
    :param run_as: in whose name, where the connection has credentials for each user; default: who triggered the run, else the
        connection's default user (templated)
    """

    template_fields = (
        "bitbucket_conn_id",
        "workspace",
        "run_as",
        "repository",
        *TARGETS,
        "custom_pipeline",
        "selector",
        "variables",
    )
    repository = Templated()
    custom_pipeline = Templated()
    selector = Templated()
    bitbucket_conn_id = Templated()
    run_as = Templated()
    #: The kind of each template field.
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **CONNECTION_KINDS,
        "repository": required_name,
        "branch": name,
        "tag": name,
        "commit": name,
        "pull_request": number,
        "custom_pipeline": name_if_given,
        "selector": mapping,
        "variables": variables,
    }
    template_fields_renderers = {"selector": "json", "variables": "json"}
    search_policy: ClassVar[SearchPolicy] = SearchPolicy()
    timeout_stop_policy: ClassVar[StopPolicy] = STOP_AFTER_TIMEOUT
    kill_stop_policy: ClassVar[StopPolicy] = STOP_WHEN_KILLED
    operator_extra_links = (BitbucketPipelineLink(),)
    ui_color = "#deebff"

    def __init__(
        self,
        *,
        repository: str,
        branch: str | None = None,
        tag: str | None = None,
        commit: str | None = None,
        pull_request: int | str | None = None,
        custom_pipeline: str | None = None,
        selector: dict[str, str] | None = None,
        variables: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
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
        bitbucket_conn_id: str = BitbucketHook.default_conn_name,
        workspace: str | None = None,
        run_as: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.repository = repository
        self.branch = branch
        self.tag = tag
        self.commit = commit
        self.pull_request = pull_request
        self.custom_pipeline = custom_pipeline
        self.selector = selector
        self.variables = variables
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
        self.bitbucket_conn_id = bitbucket_conn_id
        self.workspace = workspace
        self.run_as = run_as
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
            self._variables = _masked(value)
        else:
            self._variables = value
            _mask_literals(value)

    @cached_property
    def hook(self) -> BitbucketHook:
        """The hook that starts, stops and explains pipelines."""
        return BitbucketHook(self.bitbucket_conn_id, self.workspace, self.run_as)

    @cached_property
    def _polling(self) -> BitbucketHook:
        return polling_hook(self.bitbucket_conn_id, self.workspace, self.run_as)

    @cached_property
    def _explaining(self) -> BitbucketHook:
        return explaining_hook(self.bitbucket_conn_id, self.workspace, self.run_as)

    def execute(self, context: Context) -> dict[str, Any]:
        """Start the pipeline, or continue with the one that an earlier try started, and wait for it.

        :return: what is worth knowing about the pipeline, JSON-native
        :raises BitbucketPipelineFailedError: it ended and was not successful
        :raises BitbucketPipelinePausedError: it waits for a person, and ``on_paused`` is ``fail``
        :raises BitbucketPipelineTimeoutError: it did not end in time, and was stopped
        :raises BitbucketAmbiguousStartError: the pipeline of an interrupted start cannot be identified
        """
        began = time.time()
        self._attempt = TaskAttempt(context)
        normalize(self, self.parameter_kinds)
        trigger = BitbucketPipelineTrigger(
            bitbucket_conn_id=self.bitbucket_conn_id,
            workspace=self.workspace,
            repository=self.hook.full_name(self.repository),
            pipeline="",
            poll_interval=self.poll_interval,
            deadline=math.inf,  # until the pipeline is started
            cancel_on_kill=self.cancel_on_kill,
            run_as=self.hook.acting_user(),
            on_paused=self.on_paused,
        )
        check_serializable(trigger)  # a task that cannot be deferred must not start a pipeline
        look_with = self._polling.get_conn()  # now, because a kill may come at any time after the start

        outcome, own = self._start(context)
        if not self.wait_for_completion:
            self._running = None  # it is on its own now
            self._kill.check(outcome.url)
            return outcome.summary()

        trigger.deadline = self._deadline(began)
        watch = self._watch(outcome.uuid, trigger.deadline)
        event = watch.look(look_with)  # one poll before deferring: a broken bitbucket-pipelines.yml ends it at once
        if event is None and self.deferrable:
            self._kill.check(outcome.url)
            trigger.pipeline, trigger.told, trigger.cancel_on_kill = outcome.uuid, watch.told, own and self.cancel_on_kill
            # No timeout here: Airflow would fail the task without resuming it, and nobody would stop the pipeline.
            self.defer(trigger=trigger, method_name="execute_complete", kwargs={"own": own})
        steps = self._step_logs(outcome.summary())
        while event is None:
            steps.poll()
            self._kill.sleep(watch.pause)
            self._kill.check(outcome.url)
            event = watch.look(look_with)
        return self._conclude(event, own, steps)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None, own: bool = True) -> dict[str, Any]:
        """Continue after the wait in the triggerer; returns and raises as :meth:`execute`."""
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
            self._kill.handle(attempt.decide, lambda: self._stop_killed(pipeline), self.log)

    def _start(self, context: Context) -> tuple[PipelineOutcome, bool]:
        started = PipelineStart(
            self.hook.get_conn(),
            self._polling.get_conn(),
            self.hook.full_name(self.repository),
            self._target(),
            self.variables,
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
        outcome = started.outcome
        self._running = outcome.uuid if started.own else None
        if self._kill.requested:  # while Bitbucket had not answered yet
            self.on_kill()
        push_pipeline(context, outcome)
        return outcome, started.own

    def _target(self) -> PipelineTarget:
        from airflow_provider_bitbucket.pipeline_runs.target import PipelineTarget

        return PipelineTarget(self.branch, self.tag, self.commit, self.pull_request, self.custom_pipeline, self.selector)

    def _check_wanted(self) -> None:
        if self._kill.requested:
            raise AirflowException("The task was killed before its pipeline was started.")

    def _stop_late(self, pipeline: str) -> str:
        try:
            if self._attempt and not self._attempt.is_current():
                return "The pipeline continues: another try of the task has taken over."
        except Exception as error:  # a timeout stops the pipeline, whether or not Airflow can be asked
            self.log.warning("Airflow did not report whether another try has taken over: %s", error)
        return stop_pipeline(self._polling.get_conn(), self.repository, pipeline, self.timeout_stop_policy)

    def _stop_killed(self, pipeline: str) -> str:
        return stop_pipeline(self._polling.get_conn(), self.repository, pipeline, self.kill_stop_policy)

    def _conclude(self, event: PipelineEvent, own: bool, steps: StepLogs | None = None) -> dict[str, Any]:
        uuid = event["pipeline"]["uuid"]
        if event["status"] == "timeout":
            # It may have ended while the task waited for a worker to go on in; past its deadline a watch always decides.
            event = self._watch(uuid, deadline=0).look(self._polling.get_conn()) or event
        if event["status"] != "timeout":
            self._running = None
        if event["status"] in ("succeeded", "failed"):
            (steps or self._step_logs(event["pipeline"])).finish()
        match event["status"]:
            case "timeout":
                goes_on = not own or not self.stop_on_timeout
                self._give_up(event["message"], "It goes on." if goes_on else self._stop_late(uuid))
            case "lost":
                raise BitbucketPipelineLostError(f"{event['message']} The pipeline may still be running.")
            case "paused":
                raise BitbucketPipelinePausedError(f"{event['message']} {event['pipeline']['url']} It is left as it is.")
            case "failed":
                why = explain_failure(self._explaining.get_conn, self.repository, uuid, logs=self.log_steps != "none")
                raise BitbucketPipelineFailedError(f"{event['message']} {event['pipeline']['url']}\n{why}")
        return event["pipeline"]

    def _step_logs(self, pipeline: dict[str, Any]) -> StepLogs:
        return StepLogs(
            self._polling.get_conn, self.repository, pipeline["uuid"], pipeline["url"], log=self.log, mode=self.log_steps
        )

    def _give_up(self, last: str, stopped: str) -> NoReturn:
        message = f"The pipeline was not over within {self._time_limit():.0f} s. {last} {stopped}"
        if self._time_limit() < self.timeout:
            raise AirflowTaskTimeout(message)  # as where Airflow counts the execution_timeout itself
        raise BitbucketPipelineTimeoutError(message)

    def _deadline(self, began: float) -> float:
        """Return when the wait is over; until the pipeline was started the request budget may have kept it waiting."""
        limit = self.execution_timeout
        return min(time.time() + self.timeout, began + limit.total_seconds() if limit else math.inf)

    def _time_limit(self) -> float:
        """Seconds to wait; Airflow itself does not count ``execution_timeout`` while a task is deferred."""
        return min(self.timeout, self.execution_timeout.total_seconds() if self.execution_timeout else self.timeout)

    def _watch(self, pipeline: str, deadline: float) -> PipelineWatch:
        return PipelineWatch(
            self.repository,
            pipeline,
            poll_interval=self.poll_interval,
            deadline=deadline,
            log=self.log,
            on_paused=self.on_paused,
        )


def _masked(rendered: Any) -> Any:
    """Return rendered variables with the values of secured ones as text, because Airflow masks nothing else, and masked.

    Other malformed variables are returned unchanged; ``execute`` refuses them.

    :raises ValueError: the value of a secured variable is neither text nor an int
    """
    try:
        listed = literal("variables", rendered)
    except ValueError:  # text whose secrets cannot be found
        mask_secret(rendered)
        return rendered
    if not isinstance(listed, list | tuple):
        return listed
    taken = []
    for variable in listed:
        if _is_secured(variable):
            variable = {
                **variable,
                "value": text(f"The value of variable {variable.get('key')!r}", variable["value"], secret=True),
            }
            mask_secret(variable["value"])
        taken.append(variable)
    return taken


def _mask_literals(variables: Any) -> None:
    """Mask the secrets that the DAG file holds."""
    for variable in variables if isinstance(variables, list | tuple) else ():
        if _is_secured(variable) and isinstance(secret := variable["value"], str | int) and not is_template(str(secret)):
            mask_secret(str(secret))


def _is_secured(variable: Any) -> bool:
    return isinstance(variable, Mapping) and bool(variable.get("secured")) and "value" in variable


class BitbucketStopPipelineOperator(LiteralMappingMixin, BaseOperator):
    """Stop a pipeline and wait until it has finished. A pipeline that has already finished is no failure.

    Return value: the same small dictionary about the pipeline as :class:`BitbucketTriggerPipelineOperator` has.

    :param repository: slug of the repository, or ``workspace/slug``
    :param pipeline: uuid or build number
    :param timeout: seconds to wait until it is over. Bitbucket takes some to stop one.
    :param bitbucket_conn_id: connection of type ``bitbucket``
    :param workspace: workspace of the repository; default: the connection's
    :param run_as: in whose name, as for :class:`BitbucketTriggerPipelineOperator`
    """

    template_fields = ("bitbucket_conn_id", "workspace", "run_as", "repository", "pipeline")
    repository = Templated()
    pipeline = Templated()
    bitbucket_conn_id = Templated()
    run_as = Templated()
    parameter_kinds: ClassVar[Mapping[str, Kind]] = {
        **CONNECTION_KINDS,
        "repository": required_name,
        "pipeline": named_pipeline,
    }
    operator_extra_links = (BitbucketPipelineLink(),)
    ui_color = "#deebff"
    stop_policy: ClassVar[StopPolicy] = StopPolicy()

    def __init__(
        self,
        *,
        repository: str,
        pipeline: int | str,
        timeout: float = 120,
        bitbucket_conn_id: str = BitbucketHook.default_conn_name,
        workspace: str | None = None,
        run_as: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.repository = repository
        self.pipeline = pipeline
        self.timeout = seconds("timeout", timeout)
        self.bitbucket_conn_id = bitbucket_conn_id
        self.workspace = workspace
        self.run_as = run_as

    def execute(self, context: Context) -> dict[str, Any]:
        """Stop the pipeline.

        :return: what is worth knowing about the pipeline, JSON-native
        :raises ValueError: no pipeline is named
        :raises BitbucketPipelineNotStoppedError: it is not over after ``timeout``, or paused, which nobody can stop by the API
        :raises BitbucketError: Bitbucket refused
        """
        normalize(self, self.parameter_kinds)
        pipeline = self.pipeline
        hook = BitbucketHook(self.bitbucket_conn_id, self.workspace, self.run_as)
        client, name = hook.get_conn(), hook.full_name(self.repository)
        asked = client.pipelines.stop(name, pipeline)
        policy = replace(self.stop_policy, wait_seconds=self.timeout)
        outcome = follow_stop(client, name, pipeline, policy) if asked else None
        outcome = outcome or client.pipelines.outcome(name, pipeline)
        push_pipeline(context, outcome)
        if not outcome.is_terminal:
            raise BitbucketPipelineNotStoppedError(f"Bitbucket was asked to stop it. {why_not_stopped(outcome)}")
        self.log.info("%s %s", outcome.reason if asked else f"It had already finished. {outcome.reason}", outcome.url)
        return outcome.summary()
