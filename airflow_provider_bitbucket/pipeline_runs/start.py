"""Start a pipeline once, even if attempts of the task are killed at any point."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_bitbucket.pipeline_runs.policies import OnAmbiguous, SearchPolicy
from airflow_provider_bitbucket.pipeline_runs.search import Attempt, PipelineSearch

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient, Clock, PipelineOutcome
    from airflow_provider_bitbucket.pipeline_runs.target import PipelineTarget

# Consecutive starts whose response is lost, within one attempt of the task.
_MAX_LOST = 2


class Record(Protocol):
    """Keeps what was started for the next attempt of the task."""

    @property
    def is_kept(self) -> bool:
        """Whether the next attempt can read it."""

    def read(self) -> dict[str, Any] | None:
        """Return the record of an earlier attempt, None if there is none."""

    def write(self, **fields: Any) -> None:
        """Replace the record."""

    def forget(self) -> None:
        """Delete the record."""


@dataclass(frozen=True)
class EarlierAttempts:
    """What is known of earlier attempts of a task that kept no record.

    :param since: when they can have begun at the earliest; None if unknown
    :param is_only_starter: whether no other instance of the task can have started a matching pipeline
    """

    since: datetime | None
    is_only_starter: bool


@dataclass(frozen=True)
class Started:
    """The pipeline of a task.

    :param outcome: its state
    :param own: whether the task started it; a task stops only a pipeline that it started
    """

    outcome: PipelineOutcome
    own: bool = True


class PipelineStart:
    """Find the pipeline that an earlier attempt of the task has started, or start one.

    :param client: retries reads and waits for the request budget
    :param start_client: starts the pipeline; makes one attempt per request and does not wait for the request budget, so that
        nothing delays the start after the record is written
    :param repository: ``workspace/slug``
    :param target: what to run on
    :param variables: as for ``client.pipelines.trigger``
    :param definition: YAML that is run instead of the repository's; as for ``client.pipelines.trigger``
    :param record: keeps what was started
    :param earlier: used where no record is kept; None for the first attempt
    :param others: returns the uuids of pipelines that other tasks of the DAG run have started
    :param wait: whether the task waits for the pipeline to finish; else a pipeline that was started is sufficient
    :param reuse_running: adopt a running pipeline of the same target, started by any account
    :param on_ambiguous: what to do when the task's pipeline cannot be identified
    :param check_wanted: called right before each start; raises when the pipeline is no longer wanted
    :param log: the task's logger
    :param policy: how long to search
    :param clock: time source; default: the system's
    """

    def __init__(
        self,
        client: BitbucketClient,
        start_client: BitbucketClient,
        repository: str,
        target: PipelineTarget,
        variables: Any = None,
        definition: str | None = None,
        *,
        record: Record,
        earlier: EarlierAttempts | None,
        others: Callable[[], Collection[str]],
        wait: bool,
        reuse_running: bool,
        on_ambiguous: OnAmbiguous,
        check_wanted: Callable[[], None],
        log: Any,
        policy: SearchPolicy,
        clock: Clock | None = None,
    ) -> None:
        from airflow_provider_bitbucket.client.transport.clock import SYSTEM_CLOCK

        self._client = client
        self._start_client = start_client
        self._repository = repository
        self._target = target
        self._variables = variables
        self._definition = definition
        self._asked = {"repository": repository, "target": target.request}
        if definition is not None:  # another definition is another pipeline
            self._asked["definition"] = hashlib.sha256(definition.encode()).hexdigest()
        self._record = record
        self._earlier = earlier
        self._others = others
        self._wait = wait
        self._reuse_running = reuse_running
        self._check_wanted = check_wanted
        self._log = log
        self._clock = clock or SYSTEM_CLOCK
        self._search = PipelineSearch(client, repository, target, on_ambiguous=on_ambiguous, policy=policy, clock=self._clock)

    def start_once(self) -> Started:
        """Return the pipeline that this or an earlier attempt started.

        :raises BitbucketAmbiguousStartError: the pipeline of an interrupted start cannot be identified
        :raises BitbucketAmbiguousError: the responses to all starts were lost, and no pipeline was created
        :raises BitbucketMissingPipelineError: there is no such custom pipeline; the message names those that exist
        :raises BitbucketError: Bitbucket refused
        :raises ValueError: the variables are malformed, or the pull request cannot run
        """
        return self._continued() or self._reused() or Started(self._start())

    def _continued(self) -> Started | None:
        """Return the pipeline of an earlier attempt, None if a new one is needed."""
        record = self._record.read()
        if record is None:
            # _reused() finds a running pipeline of any account.
            return None if self._record.is_kept or self._reuse_running else self._adopt(self._find_running(), own=True)
        if record["asked"] != self._asked:
            self._log.warning("An earlier attempt started another pipeline (%s); it is left alone.", record["asked"])
            return None
        if uuid := record.get("uuid"):
            outcome: PipelineOutcome | None = self._search.retry(lambda: self._client.pipelines.outcome(self._repository, uuid))
        else:
            self._log.info("An earlier attempt ended while it started a pipeline. Searching for that pipeline.")
            outcome = self._search.find_attempted(record["attempt"], self._others)
        return self._adopt(outcome, own=record.get("own", True))

    def _adopt(self, outcome: PipelineOutcome | None, *, own: bool) -> Started | None:
        if outcome is None:
            return None
        # Without a wait a pipeline that was started is sufficient, unless it was stopped, as a kill of the task does.
        is_sufficient = outcome.is_successful or (not self._wait and outcome.status != "STOPPED")
        if outcome.is_terminal and not is_sufficient:
            self._log.info(
                "The pipeline of an earlier attempt has finished: %s %s Starting a new one.", outcome.reason, outcome.url
            )
            return None
        self._record.write(asked=self._asked, uuid=outcome.uuid, own=own)
        self._log.info("Continuing with the pipeline of an earlier attempt. %s %s", outcome.reason, outcome.url)
        return Started(outcome, own)

    def _find_running(self) -> PipelineOutcome | None:
        if self._earlier is None:
            return None
        self._log.info("Airflow before 3.3 keeps no record of what an earlier attempt started. Searching running pipelines.")
        return self._search.find_running(
            since=self._earlier.since, is_only_starter=self._earlier.is_only_starter, others=self._others()
        )

    def _reused(self) -> Started | None:
        if not self._reuse_running or (outcome := self._search.find_reusable()) is None:
            return None
        self._record.write(asked=self._asked, uuid=outcome.uuid, own=False)
        self._log.info("Reusing a running pipeline of the same target. %s %s", outcome.reason, outcome.url)
        return Started(outcome, own=False)

    def _start(self) -> PipelineOutcome:
        from airflow_provider_bitbucket.client import BitbucketAmbiguousError, BitbucketError

        lost: list[Attempt] = []
        refusals = 0
        while True:
            request = self._search.retry(lambda: self._prepare())
            attempt = self._record_attempt(lost)
            try:
                started = self._start_client.pipelines.start(self._repository, request)
            except BitbucketAmbiguousError as error:
                self._log.warning("Checking whether the pipeline was started nevertheless. %s", error)
                found = self._search.find_attempted(attempt, self._others)
                if found is None:
                    self._log.info("No pipeline was started.")
                    lost.append(attempt)
                    if len(lost) == _MAX_LOST:
                        raise
                    continue
                outcome = found
            except BitbucketError as error:
                if not lost:
                    self._record.forget()  # nothing was started, so the next attempt has nothing to search for
                refusals += 1
                self._back_off(error, refusals)
                continue
            else:
                outcome = self._client.pipelines.evaluate(self._repository, started)
            self._record.write(asked=self._asked, uuid=outcome.uuid)
            self._log.info("Started pipeline #%s: %s", outcome.build_number, outcome.url)
            return outcome

    def _prepare(self) -> dict[str, Any]:
        return self._client.pipelines.prepare(self._repository, self._target, self._variables, self._definition)

    def _record_attempt(self, lost: Sequence[Attempt]) -> Attempt:
        """Record that a pipeline is about to be started. Pipelines of lost starts may still appear, so they stay in range."""
        attempt = self._search.snapshot()
        self._check_wanted()
        if lost:
            attempt["newest"] = lost[0]["newest"]
        self._record.write(asked=self._asked, attempt=attempt)
        return attempt

    def _back_off(self, error: Exception, refusals: int) -> None:
        """Wait before the next attempt of a start that was refused.

        :raises Exception: the error, if another attempt is pointless
        """
        from airflow_provider_bitbucket.client.transport.retry import RetryPolicy, is_transient
        from airflow_provider_bitbucket.pipeline_runs.missing import missing_pipeline

        if error_for_missing := missing_pipeline(self._client, self._repository, self._target, self._definition, error):
            raise error_for_missing from error
        policy = RetryPolicy()
        seconds = policy.wait_seconds(refusals, error)
        if not is_transient(error) or refusals >= policy.attempts or seconds > policy.max_seconds:
            raise error
        self._log.warning("The pipeline could not be started yet; retrying in %.0f s. %s", seconds, error)
        self._clock.sleep(seconds)
