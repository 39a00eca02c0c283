"""Decide which pipeline in Bitbucket an attempt of a task has started."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from airflow_provider_bitbucket.exceptions import BitbucketAmbiguousStartError
from airflow_provider_bitbucket.pipeline_runs.policies import OnAmbiguous, SearchPolicy

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient, Clock, PipelineOutcome
    from airflow_provider_bitbucket.pipeline_runs.target import PipelineTarget

T = TypeVar("T")
log = logging.getLogger(__name__)


class Attempt(TypedDict):
    """Snapshot of a repository, recorded before a pipeline is started.

    :param newest: build number of the repository's newest pipeline
    :param at: Bitbucket's time, ISO 8601
    """

    newest: int
    at: str


class PipelineSearch:
    """Find the pipeline of a task among those of a repository.

    :param client: retries reads and waits for the request budget
    :param repository: slug, or ``workspace/slug``
    :param target: target of the task's pipeline
    :param on_ambiguous: what to do when the pipeline cannot be identified
    :param policy: how long to search
    :param clock: time source; default: the system's
    """

    def __init__(
        self,
        client: BitbucketClient,
        repository: str,
        target: PipelineTarget,
        *,
        on_ambiguous: OnAmbiguous,
        policy: SearchPolicy,
        clock: Clock | None = None,
    ) -> None:
        from airflow_provider_bitbucket.client.transport.clock import SYSTEM_CLOCK

        self._client = client
        self._repository = repository
        self._target = target
        self._on_ambiguous = on_ambiguous
        self._policy = policy
        self._clock = clock or SYSTEM_CLOCK

    def retry(self, read: Callable[[], T]) -> T:
        """Return the result of a read; retry transient errors, malformed responses included, until the outage limit."""
        from airflow_provider_bitbucket.client.transport.retry import is_transient

        deadline = self._clock.monotonic() + self._policy.outage_seconds
        while True:
            try:
                return read()
            except Exception as error:
                if not is_transient(error) or self._clock.monotonic() > deadline:
                    raise
                log.warning("Reading from Bitbucket failed (%s); retrying in %g s.", error, self._policy.retry_seconds)
            self._clock.sleep(self._policy.retry_seconds)

    def snapshot(self) -> Attempt:
        """Return the state of the repository before a start. Costs one request."""
        from airflow_provider_bitbucket.pipeline_runs.candidates import snapshot

        taken = self.retry(lambda: snapshot(self._client, self._repository))
        return Attempt(newest=taken.newest, at=taken.at.isoformat())

    def find_attempted(self, attempt: Attempt, others: Callable[[], Collection[str]] = tuple) -> PipelineOutcome | None:
        """Return the pipeline that an attempt has started, None if it has started none. Takes 20 seconds and six requests.

        :param attempt: snapshot from before the start
        :param others: returns the uuids of pipelines of other tasks; called last, because they report theirs during the search
        :raises BitbucketAmbiguousStartError: the pipeline cannot be identified
        """
        from airflow_provider_bitbucket.pipeline_runs.candidates import acting_account, started_since

        creator = self.retry(lambda: acting_account(self._client))
        newest = attempt["newest"]
        for read in range(self._policy.reads):
            if read:
                self._clock.sleep(self._policy.pause_seconds)
            outcomes = self._outcomes(lambda: started_since(self._client, self._repository, self._target, newest, creator))
        known = others()
        found = [outcome for outcome in outcomes if outcome.uuid not in known]
        created = _created(found[0]) if len(found) == 1 else None
        is_certain = created is not None and created - datetime.fromisoformat(attempt["at"]) <= self._start_window
        return self._select(found, is_certain, "whose response was lost")

    def find_running(
        self, *, since: datetime | None, is_only_starter: bool, others: Collection[str] = ()
    ) -> PipelineOutcome | None:
        """Return the running pipeline that an earlier attempt of a task has started, where no attempt could keep a record.

        Costs two requests, and more while a candidate is being parsed.

        :param since: earliest start of the earlier attempts; None if unknown
        :param is_only_starter: whether no other instance of the task can have started a matching pipeline
        :param others: uuids of pipelines of other tasks
        :raises BitbucketAmbiguousStartError: the pipeline cannot be identified
        """
        from airflow_provider_bitbucket.pipeline_runs.candidates import acting_account, may_be_started_by, shows_selector

        creator = acting_account(self._client)
        outcomes = [
            outcome
            for outcome in self._unfinished()
            if may_be_started_by(outcome.pipeline, creator) and outcome.uuid not in others
        ]
        if since is not None:
            earliest = since - self._start_window  # this machine's clock may differ from Bitbucket's
            outcomes = [outcome for outcome in outcomes if (_created(outcome) or earliest) >= earliest]
        is_certain = is_only_starter and len(outcomes) == 1 and shows_selector(outcomes[0].pipeline)
        return self._select(outcomes, is_certain, "of an earlier attempt")

    def find_reusable(self) -> PipelineOutcome | None:
        """Return the newest unfinished pipeline of the target, started by any account.

        Costs one request, and more while a candidate is being parsed.
        """
        from airflow_provider_bitbucket.pipeline_runs.candidates import shows_selector

        return next((outcome for outcome in self._unfinished() if shows_selector(outcome.pipeline)), None)

    @property
    def _start_window(self) -> timedelta:
        return timedelta(seconds=self._policy.start_window_seconds)

    def _outcomes(self, read: Callable[[], list[dict[str, Any]]]) -> list[PipelineOutcome]:
        return self.retry(lambda: [self._client.pipelines.evaluate(self._repository, row) for row in read()])

    def _unfinished(self) -> list[PipelineOutcome]:
        """Return the unfinished pipelines of the target, read again until all show their selector or the reads are used up."""
        from airflow_provider_bitbucket.pipeline_runs.candidates import shows_selector, unfinished

        outcomes: list[PipelineOutcome] = []
        for read in range(self._policy.reads):
            if read:
                self._clock.sleep(self._policy.pause_seconds)
            outcomes = self._outcomes(lambda: unfinished(self._client, self._repository, self._target))
            if all(shows_selector(outcome.pipeline) for outcome in outcomes):
                break
        return outcomes

    def _select(self, found: Sequence[PipelineOutcome], is_certain: bool, which: str) -> PipelineOutcome | None:
        """Return the newest candidate, None if there is none.

        :raises BitbucketAmbiguousStartError: there are candidates, and none may be adopted
        """
        if not found:
            return None
        if is_certain or self._on_ambiguous == "adopt_newest":
            return found[0]
        listed = "\n".join(f"  {one.url} of {one.pipeline.get('created_on')}: {one.reason}" for one in found)
        raise BitbucketAmbiguousStartError(
            f"Cannot determine whether the start {which} created one of these pipelines:\n{listed}\nNo other pipeline is "
            "started, because that could run it twice, and the task is not retried. Check them; then clear this task to "
            'start a new pipeline, or continue with the newest one: on_ambiguous="adopt_newest".'
        )


def _created(outcome: PipelineOutcome) -> datetime | None:
    """Return when a pipeline was created, None if its timestamp is malformed."""
    try:
        created = datetime.fromisoformat(outcome.pipeline["created_on"])
    except (KeyError, TypeError, ValueError):
        return None
    return created if created.tzinfo else created.replace(tzinfo=UTC)
