"""Waiting for a pipeline: what decides (:class:`PipelineWatch`), and the trigger that does it in the triggerer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from airflow.providers.common.compat.sdk import AirflowException
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.pipelines import stop_pipeline

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient, BitbucketError, PipelineOutcome

# Airflow up to 3.3 can fail a task whose trigger fires within seconds of the deferral: the scheduler still finds it queued
# (apache/airflow#66374, #71580). A trigger therefore never fires earlier than this.
FIRST_LOOK_SECONDS = 10.0
# While Bitbucket does not answer, looks get rarer, up to this.
SLOWEST_LOOK_SECONDS = 300.0


WaitStatus = Literal["succeeded", "failed", "paused", "timeout", "lost"]
OnPaused = Literal["wait", "fail"]


class PipelineEvent(TypedDict):
    """How a wait ended.

    :param status: ``succeeded`` or ``failed``: the pipeline is over. ``paused``: it waits for a person, and that was not to
        be waited for. ``timeout``: it was not over at the deadline. ``lost``: Bitbucket gave a definite answer that makes
        waiting pointless (gone, no access).
    :param pipeline: summary of the pipeline; only its ``uuid``, as given to the wait, when it was never seen
    :param message: a sentence for a person
    """

    status: WaitStatus
    pipeline: dict[str, Any]
    message: str


def checked_event(event: dict[str, Any] | None) -> PipelineEvent:
    """Return a trigger's event, if it is one.

    :raises AirflowException: for anything else, so that a task never succeeds by an event nobody understands
    """
    if not isinstance(event, dict) or event.get("status") not in get_args(WaitStatus):
        raise AirflowException(
            f"The trigger returned {event!r} instead of how the wait ended; was the provider changed while this task was "
            "deferred? Clear the task to try again."
        )
    return PipelineEvent(status=event["status"], pipeline=event["pipeline"], message=event["message"])


def polling_hook(bitbucket_conn_id: str, workspace: str | None, run_as: str | None = None) -> BitbucketHook:
    """Return a hook whose client tries each request once: a watch retries by itself, and who is killed has seconds."""
    from airflow_provider_bitbucket.client import NO_RETRIES

    return BitbucketHook(bitbucket_conn_id, workspace, run_as, retries=NO_RETRIES)


class PipelineWatch:
    """Decides, look after look, whether a wait is over and when to look again.

    It never sleeps: operators and sensors in a worker and the trigger in the triggerer sleep for ``pause`` seconds, each
    in its own way, and ask again. A fault on the way to Bitbucket is not a failure of the pipeline: looking goes on, less
    and less often, until the deadline.

    :param repository: repository, as given to the operator
    :param pipeline: uuid or build number
    :param poll_interval: seconds between two looks
    :param deadline: Unix time at which the wait is given up
    :param log: the task's or trigger's logger; changes of the pipeline's state are told there, once each
    :param told: what was told already, by the watch before this one
    :param on_paused: whether a pipeline that goes on only when a person does something is waited for
    """

    def __init__(
        self,
        repository: str,
        pipeline: str,
        *,
        poll_interval: float,
        deadline: float,
        log: Any,
        told: str = "",
        on_paused: OnPaused = "wait",
    ) -> None:
        self.repository = repository
        self.pipeline = pipeline
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.pause = min(poll_interval, max(deadline - time.time(), 0))
        self.log = log
        self._faults = 0
        self.told = told
        self.on_paused = on_paused
        self._summary: dict[str, Any] = {"uuid": pipeline}

    def look(self, client: BitbucketClient) -> PipelineEvent | None:
        """Ask Bitbucket once and return how the wait ended, or None: look again in ``pause`` seconds."""
        from airflow_provider_bitbucket.client import BitbucketError

        try:
            outcome = client.pipelines.outcome(self.repository, self.pipeline)
        except BitbucketError as error:
            return self.failed(error)
        return self.saw(outcome)

    def saw(self, outcome: PipelineOutcome) -> PipelineEvent | None:
        """Take in the state of the pipeline, wherever it was read."""
        if self._faults:
            self.log.info("Bitbucket answers again, after %d failed looks.", self._faults)
        self._faults = 0
        self._summary = outcome.summary()
        self._tell(outcome)
        if outcome.is_terminal:
            return self._event("succeeded" if outcome.is_successful else "failed", outcome.reason)
        if outcome.needs_person and self.on_paused == "fail":
            return self._event("paused", outcome.reason)
        return self._again(self.poll_interval, outcome.reason)

    def failed(self, error: BitbucketError) -> PipelineEvent | None:
        """Take in that a look failed."""
        from airflow_provider_bitbucket.client.retry import is_transient

        if not is_transient(error):
            return self._event("lost", str(error))
        self._faults += 1
        rarer = min(self.poll_interval * 2 ** min(self._faults, 10), max(SLOWEST_LOOK_SECONDS, self.poll_interval))
        pause = max(rarer, getattr(error, "retry_after", None) or 0)
        event = self._again(pause, f"Bitbucket could not be asked: {error}")
        if event is None:
            self.log.warning("Could not look at the pipeline; next look in %.0f s. %s", self.pause, error)
        return event

    def _tell(self, outcome: PipelineOutcome) -> None:
        if outcome.reason == self.told:
            return
        self.told = outcome.reason
        if outcome.needs_person:
            self.log.warning("%s Somebody has to go on there: %s", outcome.reason, outcome.url)
        else:
            self.log.info("%s %s", outcome.reason, outcome.url)

    def _again(self, pause: float, last: str) -> PipelineEvent | None:
        left = self.deadline - time.time()
        if left <= 0:
            return self._event("timeout", last)
        self.pause = min(pause, left)
        return None

    def _event(self, status: WaitStatus, message: str) -> PipelineEvent:
        return PipelineEvent(status=status, pipeline=self._summary, message=message)


class BitbucketPipelineTrigger(BaseTrigger):
    """Wait for a pipeline in the triggerer.

    :param bitbucket_conn_id: the connection
    :param workspace: workspace; None: the connection's
    :param repository: repository slug, or ``workspace/slug``
    :param pipeline: uuid or build number
    :param poll_interval: seconds between two looks
    :param deadline: Unix time at which the wait is given up
    :param stop_on_kill: stop the pipeline when somebody ends the deferred task (marks it, clears it, or fails its run);
        needs Airflow 3.3. Only who started a pipeline may ask for it.
    :param told: what the task's log says of the pipeline already
    :param run_as: in whose name, as the task found out; None where the connection has one credential for all
    :param on_paused: ``wait`` or ``fail``, for a pipeline that goes on only when a person does something
    """

    def __init__(
        self,
        *,
        bitbucket_conn_id: str,
        workspace: str | None,
        repository: str,
        pipeline: str,
        poll_interval: float,
        deadline: float,
        stop_on_kill: bool = False,
        told: str = "",
        run_as: str | None = None,
        on_paused: OnPaused = "wait",
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves its signature untyped
        self.bitbucket_conn_id = bitbucket_conn_id
        self.workspace = workspace
        self.repository = repository
        self.pipeline = pipeline
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.stop_on_kill = stop_on_kill
        self.told = told
        self.run_as = run_as
        self.on_paused = on_paused

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "bitbucket_conn_id": self.bitbucket_conn_id,
                "workspace": self.workspace,
                "repository": self.repository,
                "pipeline": self.pipeline,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "stop_on_kill": self.stop_on_kill,
                "told": self.told,
                "run_as": self.run_as,
                "on_paused": self.on_paused,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until the pipeline ended or the deadline has passed, and fire one :class:`PipelineEvent`."""
        yield TriggerEvent(await self._wait())  # type: ignore[no-untyped-call]  # Airflow leaves its signature untyped

    async def _wait(self) -> PipelineEvent:
        watch = PipelineWatch(
            self.repository,
            self.pipeline,
            poll_interval=self.poll_interval,
            deadline=self.deadline,
            log=self.log,
            told=self.told,
            on_paused=self.on_paused,
        )
        await asyncio.sleep(max(FIRST_LOOK_SECONDS, watch.pause))
        try:
            client = await self._client()
        except AirflowException as error:
            return PipelineEvent(status="lost", pipeline={"uuid": self.pipeline}, message=str(error))
        look = sync_to_async(watch.look, thread_sensitive=False)
        while (event := await look(client)) is None:
            await asyncio.sleep(watch.pause)
        return event

    async def on_kill(self) -> None:
        """Stop the pipeline when a person ends the deferred task; Airflow 3.3 and newer call this."""
        if self.stop_on_kill:
            said = await sync_to_async(stop_pipeline, thread_sensitive=False)(
                await self._client(), self.repository, self.pipeline
            )
            self.log.info("The task was ended while its pipeline was running. %s", said)

    async def _client(self) -> BitbucketClient:
        return await polling_hook(self.bitbucket_conn_id, self.workspace, self.run_as).aget_conn()
