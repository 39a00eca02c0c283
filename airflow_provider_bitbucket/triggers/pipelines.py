"""Waiting for a pipeline: what decides (:class:`PipelineWatch`), and the trigger that does it in the triggerer."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from airflow.providers.common.compat.sdk import AirflowException
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.pipelines import stop_pipeline
from airflow_provider_bitbucket.triggers import polling

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
        self._fault: tuple[type[BitbucketError], int | None] | None = None
        self._last = "It could not be looked at in time."
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
        self._faults, self._fault = 0, None
        self._summary = outcome.summary()
        self._tell(outcome)
        if outcome.is_terminal:
            return self._event("succeeded" if outcome.is_successful else "failed", outcome.reason)
        if outcome.needs_person and self.on_paused == "fail":
            return self._event("paused", outcome.reason)
        return self._again(self.poll_interval, outcome.reason)

    def failed(self, error: BitbucketError) -> PipelineEvent | None:
        """Take in that a look failed; each kind of failure in a row is told once."""
        from airflow_provider_bitbucket.client.retry import is_transient

        if not is_transient(error):
            return self._event("lost", str(error))
        self._faults += 1
        rarer = min(self.poll_interval * 2 ** min(self._faults, 10), max(SLOWEST_LOOK_SECONDS, self.poll_interval))
        pause = max(rarer, getattr(error, "retry_after", None) or 0)
        event = self._again(pause, f"Bitbucket could not be asked: {error}")
        fault = type(error), error.status
        if event is None and fault != self._fault:
            self.log.warning(
                "Could not look at the pipeline; next look in %.0f s, then less and less often. %s", self.pause, error
            )
        self._fault = fault
        return event

    def gave_up(self) -> PipelineEvent:
        """Return the event of a wait whose last look did not come back in time."""
        return self._event("timeout", self._last)

    def _tell(self, outcome: PipelineOutcome) -> None:
        if outcome.reason == self.told:
            return
        self.told = outcome.reason
        if outcome.needs_person:
            self.log.warning("%s Somebody has to go on there: %s", outcome.reason, outcome.url)
        else:
            self.log.info("%s %s", outcome.reason, outcome.url)

    def _again(self, pause: float, last: str) -> PipelineEvent | None:
        self._last = last
        left = self.deadline - time.time()
        if left <= 0:
            return self._event("timeout", last)
        self.pause = min(pause, left)
        return None

    def _event(self, status: WaitStatus, message: str) -> PipelineEvent:
        return PipelineEvent(status=status, pipeline=self._summary, message=message)


class PipelineLooker:
    """Looks at the pipelines of a repository that somebody waits for, with as few requests as either way allows.

    A page of the list shows 100 pipelines, a single request one; both cost the same. So a page is read where at least two
    of those waited for stand on it, and the others are asked for one by one, however old they are. Where a pipeline stands
    follows from build numbers, which count without gaps; if they did not, it would be asked for singly.

    :param client: made for one try per request
    :param repository: slug, or ``workspace/slug``
    """

    def __init__(self, client: BitbucketClient, repository: str) -> None:
        self._client = client
        self._repository = repository
        self._newest = 0  # build number at the top of the list
        self._numbers: dict[str, int] = {}  # build numbers of those waited for, as soon as they were seen
        self._asked: dict[str, int] = {}  # when each was asked for singly, in requests
        self._requests = 0

    def look(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[polling.Step]:
        """Look; see :class:`~airflow_provider_bitbucket.triggers.polling.Looker`. Subjects are uuids or build numbers."""
        self._numbers = {key: number for key, number in self._numbers.items() if key in waiting}
        self._asked = {key: request for key, request in self._asked.items() if key in waiting}
        missing, read = dict.fromkeys(reversed(due)), set[int]()  # who came last is the newest: from there pages go down
        # The page where those may stand whose numbers are not known yet; whether it was guessed from one of them, and whether
        # such guesses help.
        guess, from_one, lucky = 1, False, True
        page = self._best_page(missing, waiting, read, guess)
        while missing:
            unplaced = {key for key in missing if not self._page(key, 0)}
            source: Hashable
            if page:
                source, answers = ("page", page), self._read(page, waiting)
                read.add(page)
                if page == guess:
                    found = len(unplaced & answers.keys()) > 1
                    guess, from_one, lucky = (page + 1 if found else 0), False, found or not from_one
            else:
                # The longest not asked for, so that one that always fails keeps nobody from being asked for.
                source = key = min(missing, key=lambda key: self._asked.get(key, 0))
                answers = {key: self._ask(key)}
                from_one = lucky and key in unplaced  # who waits together was often started together
                guess = self._page(key, 0) if from_one else 0
            missing = {key: None for key in missing if key not in answers}
            page = self._best_page(missing, waiting, read, guess) if page or guess else 0
            yield source, answers

    def _best_page(self, missing: Collection[str], waiting: Collection[str], read: Collection[int], guess: int) -> int:
        """Return the next page that is worth a request, 0 when none is."""
        expected = Counter(self._page(key, guess) for key in waiting)
        pages = {self._page(key, guess) for key in missing} - {0, *read}
        return min((page for page in pages if expected[page] > 1), default=0)

    def _page(self, key: str, otherwise: int) -> int:
        """Return the page that a pipeline should stand on now."""
        from airflow_provider_bitbucket.client.paging import LARGEST_PAGE

        if not self._newest or key not in self._numbers:
            return otherwise
        return max(self._newest - self._numbers[key], 0) // LARGEST_PAGE + 1

    def _read(self, page: int, waiting: Collection[str]) -> dict[str, Any]:
        from airflow_provider_bitbucket.client.paging import LARGEST_PAGE

        rows = self._client.pipelines.newest(self._repository, page)
        if rows:
            self._newest = rows[0]["build_number"] + (page - 1) * LARGEST_PAGE
        answers = {}
        for row in filter(_is_telling, rows):
            for key in {str(row["uuid"]), str(row["build_number"])} & set(waiting):
                self._numbers[key] = int(row["build_number"])
                answers[key] = self._client.pipelines.evaluate(self._repository, row)
        return answers

    def _ask(self, key: str) -> PipelineOutcome | Exception:
        """Ask for one pipeline; what is wrong with it alone is its answer, all else is raised."""
        from airflow_provider_bitbucket.client.retry import is_transient

        self._requests += 1
        self._asked[key] = self._requests
        try:
            outcome = self._client.pipelines.outcome(self._repository, key)
        except Exception as error:
            if is_transient(error):
                raise
            return error
        self._numbers[key] = outcome.build_number
        self._newest = max(self._newest, outcome.build_number)
        return outcome


def _is_telling(row: Mapping[str, Any]) -> bool:
    """Say whether a row of the list tells as much of a pipeline as a request for it alone.

    Nobody has recorded that it always does: what it leaves out of an end (who stopped it, which error) is asked for.
    """
    state = row.get("state") or {}
    if not (row.get("uuid") and row.get("build_number") and state.get("name")):
        return False
    if state["name"] != "COMPLETED":
        return True
    result = state.get("result") or {}
    return bool(result.get({"ERROR": "error", "STOPPED": "terminator"}.get(result.get("name", ""), "name")))


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
        """Wait until the pipeline ended or the deadline has passed, and fire one :class:`PipelineEvent`."""
        _, event = await asyncio.gather(asyncio.sleep(FIRST_LOOK_SECONDS), self._wait())
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # Airflow leaves its signature untyped

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
        try:
            client = await self._client()
        except AirflowException as error:
            return PipelineEvent(status="lost", pipeline={"uuid": self.pipeline}, message=str(error))
        event: PipelineEvent = await polling.wait(
            PipelineLooker, client, self.repository, self.pipeline, watch, not_before=FIRST_LOOK_SECONDS
        )
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
