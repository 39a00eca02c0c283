"""Read many repositories at a time, within the request budget, and record the cost and failure of each."""

from __future__ import annotations

import contextvars
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.client import BitbucketAuthError, BitbucketError
from airflow_provider_bitbucket.datasets import TooManyRowsError
from airflow_provider_bitbucket.datasets.intervals import OVERLAP
from airflow_provider_bitbucket.datasets.records import Incomplete, log_incomplete, malformed, well_formed
from airflow_provider_bitbucket.datasets.spool import MemoryBudget, Spool
from airflow_provider_bitbucket.extraction.progress import Progress

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.client.transport.budget import RateBudget
    from airflow_provider_bitbucket.datasets.people import Bots
    from airflow_provider_bitbucket.extraction.dataset import Dataset

log = logging.getLogger(__name__)

#: Repositories read at the same time. One thread alone can use up the request budget of an hour in minutes.
WORKERS = 10
#: Seconds to wait for threads when the reading is stopped. A pending request may take longer, and ends with the process.
_JOIN_SECONDS = 2.0
#: Limits of incomplete records: logged for a repository, and named in a summary.
_MOST_LOGGED, _MOST_NAMED = 10, 100
ON_REPOSITORY_ERROR = ("fail", "skip")


@dataclass
class RepositoryResult:
    """Result of reading a repository.

    :param repository: ``workspace/repository``
    :param rows: records read so far; 0 if it was skipped
    :param requests: number of requests, including retries
    :param seconds: duration; if repositories are read one by one, including the work of the consumer
    :param incomplete: number of incomplete records; see :attr:`Extraction.incomplete`
    :param error: reason why it could not be read; None if it could
    :param began_on: when its reading began; None if it has not. Earlier changes are included
    """

    repository: str
    rows: int = 0
    requests: int = 0
    seconds: float = 0.0
    incomplete: int = 0
    error: str | None = None
    began_on: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return ``repository``, ``rows``, ``requests``, ``seconds``, ``incomplete`` and ``error``, for XCom."""
        return {name: value for name, value in asdict(self).items() if name != "began_on"} | {"seconds": round(self.seconds, 1)}


class _Stopped(Exception):
    """The consumer stopped iterating, or another repository failed."""


class Extraction:
    """A reading of repositories: iterate over it, once, for their records in order.

    :param dataset: the dataset to read
    :param read: called with a repository, the start of the interval, a function for incomplete records and, if the dataset
        supports it, ``changed_since``; yields records
    :param repositories: full names
    :param since: start of the interval; None: from the beginning
    :param until: end of the interval, exclusive; None: until now
    :param budget: the request budget
    :param workers: number of repositories read at the same time
    :param on_repository_error: ``fail``: the first repository that cannot be read ends the reading; ``skip``: it is left
        out completely, unless all repositories fail or the credentials are refused (401)
    :param bots: names of accounts to treat as bots
    :param progress: logs the progress; default: without the sizes of lists
    :raises ValueError: ``on_repository_error`` is unknown or ``workers`` is less than 1
    """

    def __init__(
        self,
        dataset: Dataset,
        read: Callable[..., Iterator[Any]],
        repositories: Sequence[str],
        since: datetime | None,
        until: datetime | None,
        budget: RateBudget,
        *,
        workers: int = WORKERS,
        on_repository_error: str = "fail",
        bots: Bots | None = None,
        progress: Progress | None = None,
    ) -> None:
        if on_repository_error not in ON_REPOSITORY_ERROR:
            raise ValueError(f"on_repository_error is {on_repository_error!r}; expected one of {', '.join(ON_REPOSITORY_ERROR)}")
        if workers < 1:
            raise ValueError(f"workers is {workers}; expected at least 1")
        #: The dataset; records found to be incomplete when they become rows are counted here.
        self.dataset = dataset.reporting_to(self._row_is_incomplete)
        #: Result of each repository, in order.
        self.results = [RepositoryResult(name) for name in repositories]
        #: Start of the interval of each repository; may be changed before the reading.
        self.since = dict.fromkeys(repositories, since)
        #: End of the interval, exclusive.
        self.until = until
        self._changed_since: dict[str, datetime] = {}
        self._read = read
        self._budget = budget
        self._workers = min(workers, len(self.results))
        self._skips = on_repository_error == "skip"
        self._changed = Condition()
        self._stop = Event()
        self._failure: Exception | None = None
        self._bots = bots
        self._progress = progress or Progress(dataset.name, budget, {}, is_whole=since is None)
        self._incomplete: dict[tuple[str, str], Incomplete] = {}
        self._by_name = {one.repository: one for one in self.results}

    @property
    def skipped(self) -> list[RepositoryResult]:
        """Repositories that were left out."""
        return [one for one in self.results if one.error]

    @property
    def incomplete(self) -> list[Incomplete]:
        """Incomplete records of the repositories that were not skipped."""
        with self._changed:
            return [*self._incomplete.values()]

    @property
    def progress(self) -> str:
        """Progress as a sentence: repositories, rows, requests of about how many, waits and the time left."""
        return self._progress.line(self.results)

    def summary(self) -> dict[str, Any]:
        """Return ``repositories`` (cost of each), ``skipped`` (names) and ``incomplete`` (at most 100 records), for XCom."""
        return {
            "repositories": [one.as_dict() for one in self.results],
            "skipped": [one.repository for one in self.skipped],
            "incomplete": [one.as_dict() for one in self.incomplete[:_MOST_NAMED]],
        }

    @property
    def read_until(self) -> dict[str, datetime]:
        """Time up to which each repository was read; later changes are left to the next reading. Failed ones are missing."""
        read = {one.repository: one.began_on for one in self.results if one.began_on and not one.error}
        return {name: min(began, self.until or began) for name, began in read.items()}

    def resume_from(self, read_until: Mapping[str, datetime]) -> None:
        """Start where an earlier reading ended, minus an overlap, because clocks differ and changes appear late.

        :param read_until: :attr:`read_until` of the earlier reading; the start of other repositories is unchanged
        """
        for name, date in read_until.items():
            self.since[name] = date - self.dataset.spec.overlap
            if self.dataset.spec.reads_changes:
                self._changed_since[name] = date - OVERLAP

    def frame(self, max_rows: int | None = None) -> pd.DataFrame:
        """Read the records and return their frame.

        :param max_rows: limit of the rows; reading stops as soon as it is exceeded
        :raises TooManyRowsError: the limit was exceeded
        """
        return self.dataset.frame(self if max_rows is None else self._at_most(max_rows))

    def _at_most(self, rows: int) -> Iterator[Any]:
        for number, record in enumerate(self, 1):
            if number > rows:
                raise TooManyRowsError(f"{self.dataset.name} has more than {rows:,} rows")
            yield record

    def __iter__(self) -> Iterator[Any]:
        """Yield the records.

        :raises BitbucketError: a repository cannot be read. The log and a note of the error name it; publish none of the rows
        """
        with self._progress.logged(self.results):
            if self._workers > 1 or self._skips:
                yield from self._from_threads()
            else:
                for at, result in enumerate(self.results, 1):
                    yield from self._records(result)
                    self._log_cost(at, result)
        if self._bots and self._bots.unmet:
            log.warning("%s: bots that match none of the accounts read: %s", self.dataset.name, ", ".join(self._bots.unmet))
        if self.skipped:
            log.warning(
                "%s: left out %d of %d repositories that could not be read: %s",
                self.dataset.name,
                len(self.skipped),
                len(self.results),
                ", ".join(one.repository for one in self.skipped),
            )

    def _from_threads(self) -> Iterator[Any]:
        """Yield the records that threads read ahead, each one repository at a time, in the order of the repositories."""
        with TemporaryDirectory(prefix="bitbucket-", ignore_cleanup_errors=True) as folder:
            memory = MemoryBudget()
            spools = [Spool(Path(folder) / str(at), memory, self._notify) for at in range(len(self.results))]
            waiting: SimpleQueue[tuple[RepositoryResult, Spool]] = SimpleQueue()
            for pair in zip(self.results, spools, strict=True):
                waiting.put(pair)
            # In this thread's context, where Airflow keeps the destination of the log. Daemons, so that a process can end
            # without waiting an hour for the budget.
            threads = [
                Thread(target=contextvars.copy_context().run, args=(self._work, waiting), name=f"bitbucket-{at}", daemon=True)
                for at in range(self._workers)
            ]
            try:
                for thread in threads:
                    thread.start()
                for at, (result, spool) in enumerate(zip(self.results, spools, strict=True), 1):
                    if self._skips:  # no row before the repository is known to be complete
                        self._wait(lambda: bool(spool.complete or result.error))  # noqa: B023 - called before the next round
                    if result.error:
                        spool.discard()
                    else:
                        yield from spool.take(self._wait)
                        self._log_cost(at, result)
            finally:
                self._stop.set()
                until = time.monotonic() + _JOIN_SECONDS
                for thread in threads:
                    thread.join(max(until - time.monotonic(), 0.0))

    def _work(self, waiting: SimpleQueue[tuple[RepositoryResult, Spool]]) -> None:
        while not self._stop.is_set():
            try:
                result, spool = waiting.get_nowait()
            except Empty:
                return
            try:
                spool.fill(self._records(result))
            except _Stopped:
                return
            except Exception as error:
                if isinstance(error, RecursionError):  # too deeply nested to be pickled
                    error = malformed(self.dataset.name, result.repository, "", error)
                with self._changed:  # one step for the consumer, which must not take a failure for a skipped repository
                    if self._may_skip(error):
                        self._skip(result, error)
                    else:
                        self._failure = error
                        self._stop.set()
                self._notify()

    def _records(self, result: RepositoryResult) -> Iterator[Any]:
        """Yield the records of a repository, and record their cost."""
        began, sent = time.monotonic(), self._budget.sent_here
        result.began_on = datetime.now(UTC)
        try:
            for record in well_formed(self._read_repository(result.repository), self.dataset.name, result.repository):
                result.rows += 1
                yield record
                if self._stop.is_set():
                    raise _Stopped
        except (_Stopped, GeneratorExit):
            raise
        except Exception as error:
            error.add_note(f"Raised while reading {self.dataset.name} of {result.repository}.")
            log.error("%s of %s cannot be read: %s", self.dataset.name, result.repository, error)
            raise
        finally:
            result.requests, result.seconds = self._budget.sent_here - sent, time.monotonic() - began

    def _read_repository(self, name: str) -> Iterator[Any]:
        changes = {"changed_since": self._changed_since[name]} if name in self._changed_since else {}
        return self._read(name, self.since[name], self.report, **changes)

    def _row_is_incomplete(self, record: Incomplete) -> None:
        """Report a record that was counted as a row and is found to be incomplete when it becomes one."""
        self.report(record)
        if record.is_dropped and (result := self._result_of(record)):
            with self._changed:
                result.rows -= 1

    def report(self, record: Incomplete) -> None:
        """Count an incomplete record, and log the first ones of each repository."""
        result = self._result_of(record)
        with self._changed:
            key = record.repository, record.record
            is_new = key not in self._incomplete
            self._incomplete.setdefault(key, record)
            if result and is_new:
                result.incomplete += 1
        if result is None or result.incomplete <= _MOST_LOGGED:
            log_incomplete(record)
        elif is_new and result.incomplete == _MOST_LOGGED + 1:
            log.warning("Further incomplete %s of %s are counted and not logged.", self.dataset.name, result.repository)

    def _result_of(self, record: Incomplete) -> RepositoryResult | None:
        """Return the result of a record's repository, or of its workspace if that is read as a whole."""
        return self._by_name.get(record.repository) or self._by_name.get(record.repository.partition("/")[0])

    def _skip(self, result: RepositoryResult, error: Exception) -> None:
        result.rows, result.incomplete, result.error = 0, 0, str(error) or type(error).__name__
        self._incomplete = {key: one for key, one in self._incomplete.items() if self._result_of(one) is not result}

    def _may_skip(self, error: Exception) -> bool:
        """Return whether to continue with the others: refused credentials and bugs concern all of them."""
        if not self._skips or isinstance(error, BitbucketAuthError) or not isinstance(error, BitbucketError):
            return False
        return len(self.skipped) + 1 < len(self.results)

    def _wait(self, ready: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._failure or ready())
        if self._failure:
            raise self._failure

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _log_cost(self, at: int, result: RepositoryResult) -> None:
        log.info(
            "%s of %s (%d of %d): %s rows, %d requests, %.1f s; %s requests of this hour are left.",
            self.dataset.name,
            result.repository,
            at,
            len(self.results),
            f"{result.rows:,}",
            result.requests,
            result.seconds,
            f"{self._budget.remaining:,}",
        )
