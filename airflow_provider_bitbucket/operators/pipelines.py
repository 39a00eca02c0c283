"""Start a Bitbucket pipeline and wait until it is done."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowTaskTimeout, BaseOperator, conf, mask_secret

from airflow_provider_bitbucket.exceptions import (
    BitbucketPipelineFailedError,
    BitbucketPipelineLostError,
    BitbucketPipelineTimeoutError,
)
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.pipelines import explain_failure, start_pipeline, stop_pipeline
from airflow_provider_bitbucket.links import PIPELINE_URL_XCOM, BitbucketPipelineLink
from airflow_provider_bitbucket.triggers.pipelines import (
    BitbucketPipelineTrigger,
    PipelineEvent,
    PipelineWatch,
    checked_event,
    polling_hook,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

TARGETS = ("branch", "tag", "commit", "pull_request")


class BitbucketTriggerPipelineOperator(BaseOperator):
    """Start a Bitbucket pipeline and, unless told otherwise, wait until it is done.

    The task fails when the pipeline does not end successfully; the error names the failed step, the end of its log and
    the failed test cases. Killing the task, or running into a timeout, stops the pipeline.

    XCom: ``pipeline_uuid``, ``build_number`` and ``pipeline_url`` right after the start, and as return value a small
    dictionary about the pipeline.

    :param repository: slug of the repository, or ``workspace/slug``
    :param branch: run on the head of this branch; give exactly one of ``branch``, ``tag``, ``commit``, ``pull_request``
    :param tag: run on this tag
    :param commit: run on this commit (full hash)
    :param pull_request: run on the pull request with this number
    :param custom_pipeline: name of the pipeline under ``custom:`` in ``bitbucket-pipelines.yml``; default: the pipeline
        that a push would run
    :param selector: any other selector, as ``{"type": ..., "pattern": ...}``; instead of ``custom_pipeline``
    :param variables: pipeline variables, ``{"KEY": "value"}``, or a list of
        ``{"key": ..., "value": ..., "secured": True}``; the values of secured ones are masked in Airflow and in Bitbucket
    :param wait_for_completion: False: succeed as soon as the pipeline is started
    :param deferrable: wait in the triggerer instead of a worker; default: ``[operators] default_deferrable``
    :param poll_interval: seconds between two looks at the pipeline
    :param timeout: seconds to wait before the pipeline is stopped and the task fails. ``execution_timeout`` is honoured
        too, also while deferred.
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
    template_fields_renderers = {"selector": "json", "variables": "json"}
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
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = _seconds("poll_interval", poll_interval)
        self.timeout = _seconds("timeout", timeout)
        self.bitbucket_conn_id = bitbucket_conn_id
        self.workspace = workspace
        self.run_as = run_as
        self._running: str | None = None
        given = {name: getattr(self, name) for name in TARGETS if getattr(self, name) is not None}
        # Templates may turn out empty: which of them is left is checked when they are rendered, before the start.
        if not given or sum(not _is_template(value) for value in given.values()) > 1:
            raise ValueError(f"{self.task_id}: give exactly one of {', '.join(TARGETS)}; given: {', '.join(given) or 'none'}")

    @property
    def variables(self) -> Any:
        """The pipeline's variables."""
        return self._variables

    @variables.setter
    def variables(self, value: Any) -> None:
        # Airflow shows the rendered variables before it runs the task. It sets them here, which is the last moment to mask.
        self._variables = value
        for variable in value if isinstance(value, list | tuple) else ():
            if isinstance(variable, Mapping) and variable.get("secured"):
                secret = variable.get("value")
                if isinstance(secret, str) and not _is_template(secret):
                    mask_secret(secret)

    @cached_property
    def hook(self) -> BitbucketHook:
        """The hook that starts, stops and explains pipelines."""
        return BitbucketHook(self.bitbucket_conn_id, self.workspace, self.run_as)

    @cached_property
    def _polling(self) -> BitbucketHook:
        return polling_hook(self.bitbucket_conn_id, self.workspace, self.run_as)

    def execute(self, context: Context) -> dict[str, Any]:
        """Start the pipeline and wait for it.

        :return: what is worth knowing about the pipeline, JSON-native
        :raises BitbucketPipelineFailedError: it ended and was not successful
        :raises BitbucketPipelineTimeoutError: it did not end in time, and was stopped
        """
        trigger = BitbucketPipelineTrigger(
            bitbucket_conn_id=self.bitbucket_conn_id,
            workspace=self.workspace,
            repository=self.hook.full_name(self.repository),
            pipeline="",
            poll_interval=self.poll_interval,
            deadline=time.time() + self._time_limit(),
            stop_on_kill=True,
            run_as=self.hook.acting_user(),
        )
        _check_serializable(trigger)  # what can not be deferred must not be started
        look_with = self._polling.get_conn()  # now, because a kill may come at any time after the start

        what = {name: getattr(self, name) for name in (*TARGETS, "custom_pipeline", "selector", "variables")}
        given = {name: value for name, value in what.items() if value not in (None, "")}
        outcome = start_pipeline(self.hook.get_conn(), self.repository, **given)
        self._running = outcome.uuid
        for key, value in (
            ("pipeline_uuid", outcome.uuid),
            ("build_number", outcome.build_number),
            (PIPELINE_URL_XCOM, outcome.url),
        ):
            context["ti"].xcom_push(key=key, value=value)
        self.log.info("Started pipeline #%s: %s", outcome.build_number, outcome.url)
        if not self.wait_for_completion:
            self._running = None  # it is on its own now
            return outcome.summary()

        watch = self._watch(outcome.uuid, trigger.deadline)
        event = watch.look(look_with)  # one look before deferring: a broken bitbucket-pipelines.yml ends it at once
        if event is None and self.deferrable:
            trigger.pipeline, trigger.told = outcome.uuid, watch.told
            # No timeout here: Airflow would fail the task without resuming it, and nobody would stop the pipeline.
            self.defer(trigger=trigger, method_name="execute_complete")
        while event is None:
            time.sleep(watch.pause)
            event = watch.look(look_with)
        return self._conclude(event)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> dict[str, Any]:
        """Go on after the wait in the triggerer; returns and raises as :meth:`execute`."""
        return self._conclude(checked_event(event))

    def on_kill(self) -> None:
        """Stop the pipeline, if one was started and is not known to be over."""
        if self._running:
            said = stop_pipeline(self._polling.get_conn(), self.repository, self._running)
            self.log.warning("The task was killed while its pipeline was running. %s", said)

    def _conclude(self, event: PipelineEvent) -> dict[str, Any]:
        self._running = None
        uuid = event["pipeline"]["uuid"]
        if event["status"] == "timeout":
            # It may have ended while the task waited for a worker to go on in; past its deadline a watch always decides.
            event = self._watch(uuid, deadline=0).look(self._polling.get_conn()) or event
        client = self.hook.get_conn()
        match event["status"]:
            case "timeout":
                self._give_up(event["message"], stop_pipeline(client, self.repository, uuid))
            case "lost":
                raise BitbucketPipelineLostError(f"{event['message']} The pipeline may still be running.")
            case "failed":
                why = explain_failure(client, self.repository, uuid)
                raise BitbucketPipelineFailedError(f"{event['message']} {event['pipeline']['url']}\n{why}")
        return event["pipeline"]

    def _give_up(self, last: str, stopped: str) -> NoReturn:
        message = f"The pipeline was not over within {self._time_limit():.0f} s. {last} {stopped}"
        if self._time_limit() < self.timeout:
            raise AirflowTaskTimeout(message)  # as where Airflow counts the execution_timeout itself
        raise BitbucketPipelineTimeoutError(message)

    def _time_limit(self) -> float:
        """Seconds to wait; Airflow itself does not count ``execution_timeout`` while a task is deferred."""
        return min(self.timeout, self.execution_timeout.total_seconds() if self.execution_timeout else self.timeout)

    def _watch(self, pipeline: str, deadline: float) -> PipelineWatch:
        return PipelineWatch(self.repository, pipeline, poll_interval=self.poll_interval, deadline=deadline, log=self.log)


def _is_template(value: Any) -> bool:
    """Say whether a value is known only when the task runs."""
    return "{{" in value or "{%" in value if isinstance(value, str) else not isinstance(value, int)


def _seconds(name: str, value: float) -> float:
    if not isinstance(value, int | float) or value <= 0:
        raise ValueError(f"{name} is {value!r}; expected seconds, more than 0")
    return value


def _check_serializable(trigger: BitbucketPipelineTrigger) -> None:
    """Refuse parameters that could not be handed to the triggerer."""
    _, kwargs = trigger.serialize()
    for name, value in kwargs.items():
        try:
            json.dumps(value)
        except TypeError:
            raise TypeError(f"{name} is a {type(value).__name__}; expected a plain text or number") from None
