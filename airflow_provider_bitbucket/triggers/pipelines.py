"""Wait for pipelines in the triggerer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from statistics import median_low
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async

from airflow_provider_bitbucket.hooks.task_attempt import decide_deferred
from airflow_provider_bitbucket.pipeline_runs.policies import OnPaused
from airflow_provider_bitbucket.pipeline_runs.stop import stop_pipeline
from airflow_provider_bitbucket.triggers.base import BitbucketWaitTrigger, WaitParameters
from airflow_provider_bitbucket.triggers.fetching import SingleRequests
from airflow_provider_bitbucket.triggers.wait_condition import Verdict, WaitState

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_provider_bitbucket.client import BitbucketClient, PipelineOutcome
    from airflow_provider_bitbucket.triggers.poller import FetchStep

__all__ = ["BitbucketPipelineTrigger"]

#: After this many malformed pages in a row all pipelines get requests of their own, once: the list may be malformed for good.
_FAILED_PAGES = 2


class PipelineFetcher:
    """Fetch the pipelines of a repository page by page or one by one, whichever takes fewer requests.

    A page of the list shows 100 pipelines, a single request one; both cost one request. So a page is read if it should show at
    least two of the pipelines with waiters; the others get requests of their own, however old they are. The page of a pipeline
    follows from its build number, because these are consecutive; a pipeline that is not on it gets a request of its own.

    :param client: makes one attempt per request
    :param repository: slug, or ``workspace/slug``
    """

    def __init__(self, client: BitbucketClient, repository: str) -> None:
        self._client = client
        self._repository = repository
        self._newest = 0  # build number at the top of the list
        self._failed_pages = 0  # in a row
        self._numbers: dict[str, int] = {}  # build numbers of those with waiters, once they are known
        self._singles = SingleRequests()

    def fetch(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[FetchStep]:
        """Yield outcomes by uuid or build number (:class:`StatusFetcher`)."""
        self._numbers = {key: number for key, number in self._numbers.items() if key in waiting}
        self._singles.keep(waiting)
        missing, read = dict.fromkeys(reversed(due)), set[int]()  # the last to join is the newest, on the first page
        # The page that may show those whose numbers are unknown; whether it was guessed from one of them, and whether to guess.
        may_guess = not self._is_list_unreadable()
        guess, from_one = int(may_guess), False
        page = self._best_page(missing, waiting, read, guess) if may_guess else 0
        while missing:
            unplaced = {key for key in missing if not self._page(key, 0)}
            source: Hashable
            if page:
                source, answers = ("page", page), self._read(page, waiting)
                read.add(page)
                if page == guess:
                    found = len(unplaced & answers.keys()) > 1
                    guess, from_one, may_guess = (page + 1 if found else 0), False, found or not from_one
            else:
                source = key = self._singles.in_order(missing)[0]
                answers = {key: self._ask(key)}
                from_one = may_guess and key in unplaced  # pipelines with waiters were often started together
                guess = self._page(key, 0) if from_one else 0
            missing = {key: None for key in missing if key not in answers}
            page = self._best_page(missing, waiting, read, guess) if page or guess else 0
            yield source, answers

    def _best_page(self, missing: Collection[str], waiting: Collection[str], read: Collection[int], guess: int) -> int:
        """Return the next page that is worth a request, 0 if none is."""
        expected = Counter(self._page(key, guess) for key in waiting)
        pages = {self._page(key, guess) for key in missing} - {0, *read}
        return min((page for page in pages if expected[page] > 1), default=0)

    def _page(self, key: str, otherwise: int) -> int:
        """Return the page that should show a pipeline now."""
        from airflow_provider_bitbucket.client.paging import LARGEST_PAGE

        if not self._newest or key not in self._numbers:
            return otherwise
        return max(self._newest - self._numbers[key], 0) // LARGEST_PAGE + 1

    def _is_list_unreadable(self) -> bool:
        """Return whether to skip the list this time, because several of its pages in a row were malformed."""
        if self._failed_pages < _FAILED_PAGES:
            return False
        self._failed_pages = 0  # the list is tried again the next time
        return True

    def _read(self, page: int, waiting: Collection[str]) -> dict[str, Any]:
        from airflow_provider_bitbucket.client import BitbucketBadRequestError
        from airflow_provider_bitbucket.client.paging import LARGEST_PAGE
        from airflow_provider_bitbucket.client.pipeline_state import describes_end
        from airflow_provider_bitbucket.client.transport.malformed import is_malformed

        # Forgotten if the page shows nothing: a malformed build number can have led to an absurd page.
        newest, self._newest = self._newest, 0
        try:
            rows = self._client.pipelines.newest(self._repository, page)
        except BitbucketBadRequestError:
            if page == 1:
                raise
            return {}  # refused because of its number, which says nothing about any pipeline
        except Exception as error:
            self._failed_pages += is_malformed(error)
            if page == 1:
                self._newest = newest
            raise
        self._failed_pages = 0
        if rows:
            # Build numbers decrease along the list: most rows agree on the one at its top, whatever a malformed row claims.
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
        answer = self._singles.send(key, lambda: self._client.pipelines.get(self._repository, key))
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


class BitbucketPipelineTrigger(BitbucketWaitTrigger):
    """Wait for a pipeline in the triggerer.

    :param pipeline: uuid or build number
    :param cancel_on_kill: stop the pipeline when a person ends the deferred task (marks it, clears it, or fails its run);
        needs Airflow 3.3. Only for a pipeline that the task itself has started.
    :param on_paused: ``wait`` or ``fail``, for a pipeline that continues only after manual action
    :param common: as for :class:`~airflow_provider_bitbucket.triggers.base.BitbucketWaitTrigger`
    """

    fetcher = PipelineFetcher
    label = "the pipeline"
    fields = ("pipeline", "cancel_on_kill", "on_paused")

    def __init__(
        self,
        *,
        pipeline: str,
        cancel_on_kill: bool = False,
        on_paused: OnPaused = "wait",
        **common: Unpack[WaitParameters],
    ) -> None:
        super().__init__(**common)
        self.pipeline = pipeline
        self.cancel_on_kill = cancel_on_kill
        self.on_paused: OnPaused = on_paused

    @property
    def subject(self) -> str:
        """Uuid or build number."""
        return self.pipeline

    @property
    def known(self) -> dict[str, Any]:
        """The pipeline, as it was named."""
        return {"uuid": self.pipeline}

    def evaluate(self, response: PipelineOutcome) -> WaitState:
        """Return what the state of a pipeline means for the wait."""
        verdict: Verdict | None = None
        if response.is_terminal:
            verdict = "succeeded" if response.is_successful else "failed"
        elif response.needs_person and self.on_paused == "fail":
            verdict = "paused"
        return WaitState(verdict, response.reason, response.url, response.summary(), needs_person=response.needs_person)

    async def on_kill(self) -> None:
        """Stop the pipeline when a person ends the deferred task; Airflow 3.3 and newer call this.

        Airflow cancels a trigger again if this takes more than some seconds; the stop continues nevertheless.
        """
        if self.cancel_on_kill:
            self._kill = asyncio.ensure_future(self._stop_if_ended())  # kept, else it could be collected as garbage
            await asyncio.shield(self._kill)

    async def _stop_if_ended(self) -> None:
        if self.task_instance is not None:
            # Airflow also cancels the triggers of a triggerer that was suspended and has been replaced by another one.
            decision = await sync_to_async(decide_deferred, thread_sensitive=False)(self.task_instance)
            if not decision.stop:
                self.log.info("The pipeline continues. %s", decision.reason)
                return
        stopped = await sync_to_async(stop_pipeline, thread_sensitive=False)(await self._client(), self.repository, self.pipeline)
        self.log.info("The task was ended while its pipeline was running. %s", stopped)
