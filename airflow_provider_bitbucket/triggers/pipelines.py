"""Waiting for a pipeline: what decides (:class:`PipelineWatch`), and the trigger that does it in the triggerer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from statistics import median_low
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from asgiref.sync import sync_to_async

from airflow_provider_bitbucket.hooks.task_attempt import decide_deferred
from airflow_provider_bitbucket.pipeline_runs.stop import stop_pipeline
from airflow_provider_bitbucket.triggers import polling
from airflow_provider_bitbucket.triggers import waiting as waits
from airflow_provider_bitbucket.triggers.waiting import polling_hook as polling_hook

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient, PipelineOutcome

#: After so many malformed pages in a row pipelines are asked for one by one, once: the list may be malformed for good.
_FAILED_PAGES = 2

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
        answer: PipelineOutcome | Exception
        try:
            answer = client.pipelines.outcome(self.repository, self.pipeline)
        except Exception as error:  # whatever it is, it says nothing about the pipeline: a failed poll
            answer = error
        event: PipelineEvent | None = self.take_in(answer)
        return event

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
        self._failed_pages = 0  # in a row
        self._numbers: dict[str, int] = {}  # build numbers of those waited for, as soon as they were seen
        self._singles = waits.Singles()

    def look(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[polling.Step]:
        """Look; see :class:`~airflow_provider_bitbucket.triggers.polling.Looker`. Subjects are uuids or build numbers."""
        self._numbers = {key: number for key, number in self._numbers.items() if key in waiting}
        self._singles.keep(waiting)
        missing, read = dict.fromkeys(reversed(due)), set[int]()  # who came last is the newest: from there pages go down
        # The page where those may stand whose numbers are not known yet; whether it was guessed from one of them, and whether
        # such guesses help.
        lucky = not self._is_list_unreadable()
        guess, from_one = int(lucky), False
        page = self._best_page(missing, waiting, read, guess) if lucky else 0
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

    def _is_list_unreadable(self) -> bool:
        """Return whether to ask for each pipeline alone this time: pages of the list were malformed again and again."""
        if self._failed_pages < _FAILED_PAGES:
            return False
        self._failed_pages = 0  # the list is tried again the next time
        return True

    def _read(self, page: int, waiting: Collection[str]) -> dict[str, Any]:
        from airflow_provider_bitbucket.client import BitbucketBadRequestError
        from airflow_provider_bitbucket.client.paging import LARGEST_PAGE
        from airflow_provider_bitbucket.client.pipeline_state import describes_end
        from airflow_provider_bitbucket.client.transport.malformed import is_malformed

        # Forgotten where the page shows nothing: a malformed build number can have made the page's number absurd.
        newest, self._newest = self._newest, 0
        try:
            rows = self._client.pipelines.newest(self._repository, page)
        except BitbucketBadRequestError:
            if page == 1:
                raise
            return {}  # refused for its number, which says nothing about any pipeline
        except Exception as error:
            self._failed_pages += is_malformed(error)
            if page == 1:
                self._newest = newest
            raise
        self._failed_pages = 0
        if rows:
            # Numbers count down along the list: most rows agree on the number at its top, whatever a malformed one claims.
            tops = (int(row["build_number"]) + position for position, row in enumerate(rows))
            self._newest = median_low(tops) + (page - 1) * LARGEST_PAGE
        answers = {}
        for row in rows:
            for key in {str(row["uuid"]), str(row["build_number"])} & set(waiting):
                self._numbers[key] = int(row["build_number"])
                if describes_end(row) and not isinstance(answer := self._evaluated(row), Exception):
                    answers[key] = answer
        return answers

    def _ask(self, key: str) -> PipelineOutcome | Exception:
        answer = self._singles.ask(key, lambda: self._client.pipelines.get(self._repository, key))
        if isinstance(answer, Exception):
            return answer
        outcome = self._evaluated(answer)
        if not isinstance(outcome, Exception):
            self._numbers[key] = outcome.build_number
            self._newest = max(self._newest, outcome.build_number)
        return outcome

    def _evaluated(self, pipeline: Mapping[str, Any]) -> PipelineOutcome | Exception:
        from airflow_provider_bitbucket.client.transport.malformed import read_or_error

        return read_or_error(
            lambda: self._client.pipelines.evaluate(self._repository, pipeline), f"a pipeline of {self._repository}"
        )


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
        """Stop the pipeline when a person ends the deferred task; Airflow 3.3 and newer call this.

        Airflow cancels a trigger again while this is running, if it takes more than some seconds: that does not end it.
        """
        if self.cancel_on_kill:
            self._kill = asyncio.ensure_future(self._stop_unless_wanted())  # kept, else it could be collected as garbage
            await asyncio.shield(self._kill)

    async def _stop_unless_wanted(self) -> None:
        if self.task_instance is not None:
            # Airflow also cancels the triggers of a triggerer that was suspended while another one took them over.
            decision = await sync_to_async(decide_deferred, thread_sensitive=False)(self.task_instance)
            if not decision.stop:
                self.log.info("The pipeline continues. %s", decision.reason)
                return
        stopped = await sync_to_async(stop_pipeline, thread_sensitive=False)(await self._client(), self.repository, self.pipeline)
        self.log.info("The task was ended while its pipeline was running. %s", stopped)
