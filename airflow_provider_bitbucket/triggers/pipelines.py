"""Waiting for a pipeline: what decides (:class:`PipelineWatch`), and the trigger that does it in the triggerer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from asgiref.sync import sync_to_async

from airflow_provider_bitbucket.hooks.pipelines import stop_pipeline
from airflow_provider_bitbucket.hooks.task_attempt import decide_deferred
from airflow_provider_bitbucket.triggers import polling
from airflow_provider_bitbucket.triggers import waiting as waits
from airflow_provider_bitbucket.triggers.waiting import polling_hook as polling_hook

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient, PipelineOutcome

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
    checked = waits.checked_event(event, get_args(WaitStatus))
    return PipelineEvent(status=checked["status"], pipeline=checked["pipeline"], message=checked["message"])


class PipelineWatch(waits.Watch):
    """Decides over the wait for a pipeline.

    :param repository: repository, as given to the operator
    :param pipeline: uuid or build number
    :param on_paused: whether a pipeline that goes on only when a person does something is waited for
    :param how: as for :class:`~airflow_provider_bitbucket.triggers.waiting.Watch`
    """

    def __init__(self, repository: str, pipeline: str, *, on_paused: OnPaused = "wait", **how: Any) -> None:
        super().__init__("the pipeline", **how)
        self.repository = repository
        self.pipeline = pipeline
        self.on_paused = on_paused
        self._summary: dict[str, Any] = {"uuid": pipeline}

    def look(self, client: BitbucketClient) -> PipelineEvent | None:
        """Ask Bitbucket once and return how the wait ended, or None: look again in ``pause`` seconds."""
        from airflow_provider_bitbucket.client import BitbucketError

        try:
            outcome = client.pipelines.outcome(self.repository, self.pipeline)
        except BitbucketError as error:
            event: PipelineEvent | None = self.failed(error)
            return event
        return self.saw(outcome)

    def saw(self, outcome: PipelineOutcome) -> PipelineEvent | None:
        """Take in the state of the pipeline, wherever it was read."""
        self._answered()
        self._summary = outcome.summary()
        self._tell(outcome)
        if outcome.is_terminal:
            return self._event("succeeded" if outcome.is_successful else "failed", outcome.reason)
        if outcome.needs_person and self.on_paused == "fail":
            return self._event("paused", outcome.reason)
        event: PipelineEvent | None = self._again(self.poll_interval, outcome.reason)
        return event

    def _tell(self, outcome: PipelineOutcome) -> None:
        if outcome.reason == self.told:
            return
        self.told = outcome.reason
        if outcome.needs_person:
            self.log.warning("%s Somebody has to go on there: %s", outcome.reason, outcome.url)
        else:
            self.log.info("%s %s", outcome.reason, outcome.url)

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
        self._singles = waits.Singles()

    def look(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[polling.Step]:
        """Look; see :class:`~airflow_provider_bitbucket.triggers.polling.Looker`. Subjects are uuids or build numbers."""
        self._numbers = {key: number for key, number in self._numbers.items() if key in waiting}
        self._singles.keep(waiting)
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
                source = key = self._singles.in_turn(missing)[0]
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
        from airflow_provider_bitbucket.client.pipeline_state import is_identified

        rows = [*filter(is_identified, self._client.pipelines.newest(self._repository, page))]
        if rows:
            self._newest = int(rows[0]["build_number"]) + (page - 1) * LARGEST_PAGE
        answers = {}
        for row in filter(_is_telling, rows):
            for key in {str(row["uuid"]), str(row["build_number"])} & set(waiting):
                self._numbers[key] = int(row["build_number"])
                answers[key] = self._client.pipelines.evaluate(self._repository, row)
        return answers

    def _ask(self, key: str) -> PipelineOutcome | Exception:
        answer: PipelineOutcome | Exception = self._singles.ask(
            key, lambda: self._client.pipelines.outcome(self._repository, key)
        )
        if not isinstance(answer, Exception):
            self._numbers[key] = answer.build_number
            self._newest = max(self._newest, answer.build_number)
        return answer


def _is_telling(row: Mapping[str, Any]) -> bool:
    """Say whether a row of the list, which says of which pipeline it is, tells as much of a pipeline as a request for it alone.

    Nobody has recorded that it always does: what it leaves out of an end (who stopped it, which error) is asked for.
    """
    state = row.get("state") or {}
    if state.get("name") != "COMPLETED":
        return bool(state.get("name"))
    result = state.get("result") or {}
    return bool(result.get({"ERROR": "error", "STOPPED": "terminator"}.get(result.get("name", ""), "name")))


class BitbucketPipelineTrigger(waits.BitbucketWaitTrigger):
    """Wait for a pipeline in the triggerer.

    :param pipeline: uuid or build number
    :param cancel_on_kill: stop the pipeline when a person ends the deferred task (marks it, clears it, or fails its run);
        needs Airflow 3.3. Only for a pipeline that the task itself has started.
    :param on_paused: ``wait`` or ``fail``, for a pipeline that goes on only when a person does something
    :param common: as for :class:`~airflow_provider_bitbucket.triggers.waiting.BitbucketWaitTrigger`
    """

    looker = PipelineLooker
    own_fields = ("pipeline", "cancel_on_kill", "on_paused")

    def __init__(self, *, pipeline: str, cancel_on_kill: bool = False, on_paused: OnPaused = "wait", **common: Any) -> None:
        super().__init__(**common)
        self.pipeline = pipeline
        self.cancel_on_kill = cancel_on_kill
        self.on_paused = on_paused

    @property
    def subject(self) -> str:
        """What is waited for, as the looker knows it."""
        return self.pipeline

    def watch(self, log: Any) -> PipelineWatch:
        """Return what decides over the wait."""
        return PipelineWatch(self.repository, self.pipeline, on_paused=self.on_paused, **self.pace(log))

    def lost(self, message: str) -> PipelineEvent:
        """Return the event of a wait that could not begin."""
        return PipelineEvent(status="lost", pipeline={"uuid": self.pipeline}, message=message)

    async def on_kill(self) -> None:
        """Stop the pipeline when a person ends the deferred task; Airflow 3.3 and newer call this."""
        if not self.cancel_on_kill:
            return
        if self.task_instance is not None:
            # Airflow also cancels the triggers of a triggerer that was suspended while another one took them over.
            decision = await sync_to_async(decide_deferred, thread_sensitive=False)(self.task_instance)
            if not decision.stop:
                self.log.info("The pipeline continues. %s", decision.reason)
                return
        stopped = await sync_to_async(stop_pipeline, thread_sensitive=False)(await self._client(), self.repository, self.pipeline)
        self.log.info("The task was ended while its pipeline was running. %s", stopped)
