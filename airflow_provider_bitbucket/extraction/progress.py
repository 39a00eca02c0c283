"""Estimate the requests of an extraction from the sizes of its lists, and log its progress."""

from __future__ import annotations

import contextvars
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.client.transport.budget import RateBudget
    from airflow_provider_bitbucket.extraction.extraction import RepositoryResult

log = logging.getLogger(__name__)

#: Seconds between two log lines on progress.
PROGRESS_SECONDS = 30.0

#: Requests for each row of the list that a dataset is read from, beside the pages of the list.
_PER_ROW: Mapping[str, float] = {
    "pull_request_commits": 1,
    "diffstats": 2,
    "reviews": 0.25,
    "build_statuses": 1,
    "pipeline_steps": 1,
    "test_reports": 3,
}
#: The same for options of ``pull_requests``. A timeline costs less, because most come from the feed, 50 entries a page.
_PER_OPTION: Mapping[str, float] = {"with_activity": 0.25, "with_commits": 1, "with_diffstat": 2}
#: Datasets that are read from a list that ``since`` does not filter, so that its size says nothing about the interval.
_UNFILTERED = ("pipelines", "pipeline_steps", "test_reports")


@dataclass(frozen=True)
class Estimate:
    """About how many requests reading a repository takes.

    :param repository: ``workspace/repository``
    :param rows: size of the list that the dataset is read from; None: Bitbucket does not report it
    :param requests: pages of the list, and the requests for each of its rows; None likewise
    """

    repository: str
    rows: int | None
    requests: int | None


class _Counted(Exception):
    """The first page of a list was read."""


class Progress:
    """What an extraction needs, has spent and is waiting for.

    :param dataset: name of the dataset
    :param budget: the request budget
    :param options: options with which the dataset is read
    :param is_whole: whether it is read without ``since``
    """

    def __init__(self, dataset: str, budget: RateBudget, options: Mapping[str, Any], *, is_whole: bool) -> None:
        self._dataset = dataset
        self._budget = budget
        self._per_row = _PER_ROW.get(dataset, 0) + sum(cost for name, cost in _PER_OPTION.items() if options.get(name))
        self._has_size = is_whole or dataset not in _UNFILTERED
        self._expected: dict[str, int] = {}
        self._lock = Lock()
        self._has_warned = False
        self._repositories = 1
        self._sent_before = budget.sent
        self._began = time.monotonic()

    def observe(self, client: BitbucketClient, repository: str) -> BitbucketClient:
        """Return a client that reports the size of the first list that is read with it."""

        def on_page(size: int | None, pagelen: int) -> None:
            with self._lock:
                if repository in self._expected or size is None or not self._has_size:
                    return
                self._expected[repository] = self._requests(size, pagelen)
            self._warn()

        return client.with_options(on_page=on_page)

    def estimate(self, client: BitbucketClient, repository: str, read: Any) -> Estimate:
        """Return the estimate for a repository. Costs one request: the first one of the extraction.

        :param read: called with a client, returns the records
        """
        sizes: list[tuple[int | None, int]] = []

        def on_page(size: int | None, pagelen: int) -> None:
            sizes.append((size, pagelen))
            raise _Counted

        with suppress(_Counted):
            next(iter(read(client.with_options(on_page=on_page))), None)
        if not sizes:
            return Estimate(repository, None, 1)  # not a list, but one request
        size, pagelen = sizes[0]
        return Estimate(repository, size, None if size is None else self._requests(size, pagelen))

    @contextmanager
    def logged(self, results: Sequence[RepositoryResult]) -> Iterator[None]:
        """Log the progress every half a minute, also while all threads wait for the budget."""
        self._repositories, self._sent_before, self._began = len(results), self._budget.sent, time.monotonic()
        done = Event()

        def log_progress() -> None:
            while not done.wait(PROGRESS_SECONDS):
                log.info("%s", self.line(results))

        Thread(target=contextvars.copy_context().run, args=(log_progress,), name="bitbucket-progress", daemon=True).start()
        try:
            yield
        finally:
            done.set()

    def line(self, results: Sequence[RepositoryResult]) -> str:
        """Return the progress as a sentence: repositories, rows, requests, waits and the time left."""
        sent, begun = self._budget.sent - self._sent_before, sum(one.began_on is not None for one in results)
        rows, seconds = sum(one.rows for one in results), time.monotonic() - self._began
        total = self._total()
        of = f" of about {max(total, sent):,}" if total is not None else ""
        if wait := self._budget.free_in:
            until = datetime.now(UTC) + timedelta(seconds=wait)
            state = f"waiting for the request budget until {until:%H:%M:%S} UTC"
        else:
            state = f"{self._budget.remaining:,} requests of this hour are left"
        left = ""
        if total is not None and total > sent > 0:
            minutes = max(minutes_for(total - sent, self._budget), math.ceil((total - sent) * seconds / sent / 60))
            left = f"; about {minutes:,} min to go"
        return (
            f"{self._dataset}: {begun} of {len(results)} repositories begun, {rows:,} rows, {sent:,}{of} requests in "
            f"{seconds:.0f} s; {state}{left}."
        )

    def _requests(self, size: int, pagelen: int) -> int:
        return max(1, math.ceil(size / pagelen)) + math.ceil(size * self._per_row)

    def _total(self) -> int | None:
        """Return about how many requests all repositories take, from those whose size is known."""
        with self._lock:
            known = [*self._expected.values()]
        return math.ceil(sum(known) * self._repositories / len(known)) if known else None

    def _warn(self) -> None:
        """Log once, as soon as it is known, that the requests of this hour do not suffice."""
        needed = (self._total() or 0) - (self._budget.sent - self._sent_before)
        if self._has_warned or needed <= self._budget.remaining:
            return
        self._has_warned = True
        log.warning(
            "%s: about %s more requests are needed, and %s of this hour are left; waiting for the request budget, this takes "
            "about %s min.",
            self._dataset,
            f"{needed:,}",
            f"{self._budget.remaining:,}",
            f"{minutes_for(needed, self._budget):,}",
        )


def minutes_for(requests: int, budget: RateBudget) -> int:
    """Return about how many minutes the request budget takes for a number of requests; at least 1."""
    waited = max(requests - budget.remaining, 0) / budget.limit * 60
    return max(1, math.ceil(waited))
