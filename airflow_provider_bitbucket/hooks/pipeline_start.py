"""Start a pipeline once, whatever dies: what the tries of a task leave each other, and what they conclude from it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.hooks.pipeline_search import (
    Attempt,
    OnAmbiguous,
    find_attempted,
    find_reusable,
    find_running,
    note_attempt,
    patiently,
    target_of,
)
from airflow_provider_bitbucket.links import PIPELINE_UUID_XCOM

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_bitbucket.client import BitbucketClient, PipelineOutcome

_KEY = "bitbucket_pipeline"
# Of starts whose answer is lost, one after the other, within one try of the task.
_MOST_LOST = 2


class StartRecord:
    """What a try of a task leaves the next one: which pipeline it was about to start, and which one it has started.

    Airflow keeps it from 3.3 on (``task_state_store``), also when a person clears the task. That begins a new chain of tries,
    with other ``max_tries``, and what an earlier chain left does not count. Where somebody has changed the DAG's ``retries`` at
    the same time, ``max_tries`` can come out the same; then the run has been cleared once more, too.

    :param context: of the running task
    """

    def __init__(self, context: Context) -> None:
        self._store: Any = context.get("task_state_store")
        self._max_tries = context["ti"].max_tries
        self._told_by = {"retries": context["task"].retries, "cleared": getattr(context["dag_run"], "clear_number", None)}

    @property
    def is_kept(self) -> bool:
        """Whether this Airflow keeps it for the next try."""
        return self._store is not None

    def read(self) -> dict[str, Any] | None:
        """Return what an earlier try of this chain has left."""
        left = self._store.get(_KEY) if self._store is not None else None
        if not isinstance(left, dict) or left.get("max_tries") != self._max_tries:
            return None
        return left if any(left.get(name) == value for name, value in self._told_by.items()) else None

    def is_readable(self) -> bool:
        """Return whether this try can read what it has written; Airflow refuses a try that a later one has replaced."""
        return self._store is not None and self._store.get(_KEY) is not None

    def write(self, **fields: Any) -> None:
        """Leave something in place of what was left before."""
        if self._store is not None:
            self._store.set(_KEY, {"max_tries": self._max_tries, **self._told_by, **fields})

    def forget(self) -> None:
        """Leave nothing."""
        if self._store is not None:
            self._store.delete(_KEY)


@dataclass(frozen=True)
class Started:
    """The pipeline of a task.

    :param outcome: how it stands
    :param own: whether the task started it; nobody stops what others have started
    """

    outcome: PipelineOutcome
    own: bool = True


class PipelineStart:
    """Finds the pipeline that this chain of tries has started, or starts it.

    :param client: asks patiently, and waits for the request budget
    :param start_with: starts; makes one try, so that nothing lies between what is noted before it and the start. It asks
        nothing else: it does not wait for the request budget.
    :param repository: ``workspace/slug``
    :param what: as for ``client.pipelines.trigger``
    :param context: of the running task
    :param wait: whether the task waits for the end; else a pipeline that was started is all it wants
    :param reuse_running: take a pipeline of the same target that is running, whoever started it
    :param on_ambiguous: what to do when it can not be told which pipeline is the task's own
    :param check_wanted: raises when the pipeline is not to be started any more; asked right before each start
    :param log: the task's logger
    """

    def __init__(
        self,
        client: BitbucketClient,
        start_with: BitbucketClient,
        repository: str,
        what: Mapping[str, Any],
        *,
        context: Context,
        wait: bool,
        reuse_running: bool,
        on_ambiguous: OnAmbiguous,
        check_wanted: Callable[[], None],
        log: Any,
    ) -> None:
        self._client = client
        self._start_with = start_with
        self._repository = repository
        self._what = what
        self._target = target_of(what)
        self._asked = {"repository": repository, "target": self._target}
        self._context = context
        self._record = StartRecord(context)
        self._wait = wait
        self._reuse_running = reuse_running
        self._on_ambiguous = on_ambiguous
        self._check_wanted = check_wanted
        self._log = log

    def start_once(self) -> Started:
        """Return the pipeline that this or an earlier try started.

        :raises BitbucketAmbiguousStartError: it can not be told which one that is
        :raises BitbucketAmbiguousError: the answers to all starts were lost, and none of them came about
        :raises BitbucketError: Bitbucket refused
        :raises ValueError: what is to run is not said, or said twice
        """
        return self._earlier() or self._reused() or Started(self._start())

    def _earlier(self) -> Started | None:
        """Return the pipeline of an earlier try, unless a new one is due."""
        left = self._record.read()
        if left is None:
            # What may be reused is looked for afterwards, whoever started it.
            return None if self._record.is_kept or self._reuse_running else self._taken(self._still_running(), own=True)
        if left["asked"] != self._asked:
            self._log.warning("An earlier try asked for another pipeline (%s); it is left alone.", left["asked"])
            return None
        if uuid := left.get("uuid"):
            outcome: PipelineOutcome | None = patiently(lambda: self._client.pipelines.outcome(self._repository, uuid))
        else:
            self._log.info("An earlier try ended while it started a pipeline. Looking for what has become of that.")
            outcome = self._attempted(left["attempt"])
        return self._taken(outcome, own=left.get("own", True))

    def _taken(self, outcome: PipelineOutcome | None, *, own: bool) -> Started | None:
        if outcome is None:
            return None
        # Who does not wait wants no more than that it was started; unless it was stopped, as a kill of the task does.
        enough = outcome.is_successful or (not self._wait and outcome.status != "STOPPED")
        if outcome.is_terminal and not enough:
            self._log.info("The earlier try's pipeline is over: %s %s A new one is started.", outcome.reason, outcome.url)
            return None
        self._record.write(asked=self._asked, uuid=outcome.uuid, own=own)
        self._log.info("Going on with the pipeline of an earlier try. %s %s", outcome.reason, outcome.url)
        return Started(outcome, own)

    def _still_running(self) -> PipelineOutcome | None:
        """Before Airflow 3.3: what a retry can find out without a word from the try before."""
        ti, dag = self._context["ti"], self._context["dag"]
        first_try = ti.max_tries - (self._context["task"].retries or 0) + 1  # of this chain: a clear raises max_tries
        if ti.try_number <= first_try:
            return None
        self._log.info("Airflow before 3.3 keeps no record of what an earlier try started. Looking for what is running.")
        alone = dag.max_active_runs == 1 and (ti.map_index is None or ti.map_index < 0)
        return find_running(
            self._client,
            self._repository,
            self._target,
            since=self._context["dag_run"].start_date,
            certain=alone,
            on_ambiguous=self._on_ambiguous,
            others=self._of_others(),
        )

    def _reused(self) -> Started | None:
        if not self._reuse_running or (outcome := find_reusable(self._client, self._repository, self._target)) is None:
            return None
        self._record.write(asked=self._asked, uuid=outcome.uuid, own=False)
        self._log.info("A pipeline of the same target is running already and is used. %s %s", outcome.reason, outcome.url)
        return Started(outcome, own=False)

    def _start(self) -> PipelineOutcome:
        from airflow_provider_bitbucket.client import BitbucketAmbiguousError, BitbucketError

        lost: list[Attempt] = []
        refusals = 0
        while True:
            request = patiently(
                lambda: self._client.pipelines.prepare(self._repository, self._target, self._what.get("variables"))
            )
            attempt = self._noted(lost)
            try:
                started = self._start_with.pipelines.start(self._repository, request)
            except BitbucketAmbiguousError as error:
                self._log.warning("Looking whether a pipeline was started nevertheless. %s", error)
                found = self._attempted(attempt)
                if found is None:
                    self._log.info("None was.")
                    lost.append(attempt)
                    if len(lost) == _MOST_LOST:
                        raise
                    continue
                outcome = found
            except BitbucketError as error:
                if not lost:
                    self._record.forget()  # nothing was started, so the next try has nothing to look for
                refusals += 1
                self._wait_after(error, refusals)
                continue
            else:
                outcome = self._client.pipelines.evaluate(self._repository, started)
            self._record.write(asked=self._asked, uuid=outcome.uuid)
            self._log.info("Started pipeline #%s: %s", outcome.build_number, outcome.url)
            return outcome

    def _noted(self, lost: Sequence[Attempt]) -> Attempt:
        """Note that a pipeline is about to be started. What was lost before may still show up, and is looked for, too."""
        attempt = note_attempt(self._client, self._repository)
        self._check_wanted()
        if lost:
            attempt["newest"] = lost[0]["newest"]
        self._record.write(asked=self._asked, attempt=attempt)
        return attempt

    def _wait_after(self, error: Exception, refusals: int) -> None:
        """Wait until a start that was refused is worth another try.

        :raises Exception: the error, when it is not
        """
        from airflow_provider_bitbucket.client.transport.retry import RetryPolicy, is_transient

        patience = RetryPolicy()
        seconds = patience.wait_seconds(refusals, error)
        if not is_transient(error) or refusals >= patience.attempts or seconds > patience.max_seconds:
            raise error
        self._log.warning("The pipeline could not be started yet; next try in %.0f s. %s", seconds, error)
        time.sleep(seconds)

    def _attempted(self, attempt: Any) -> PipelineOutcome | None:
        return find_attempted(
            self._client, self._repository, self._target, attempt, on_ambiguous=self._on_ambiguous, others=self._of_others
        )

    def _of_others(self) -> set[str]:
        """Return the pipelines of the other tasks like this one in this DAG run, mapped ones too."""
        ti, task = self._context["ti"], self._context["task"]
        alike = [one.task_id for one in self._context["dag"].tasks if one.task_type == task.task_type]
        return set(ti.xcom_pull(task_ids=alike, key=PIPELINE_UUID_XCOM) or ())
