"""One poller for all waits in the same repository with the same credentials.

Airflow 3.3 has shared streams (``BaseEventTrigger.shared_stream_key``); this is used instead, on every version:

- A stream is opened with the parameters of one trigger. It does not know which other triggers share it, their subjects or their
  intervals, so it could not choose between a page of the list and single requests, nor apply the shortest interval. It would
  need a registry beside it, and that registry is all there is here.
- Its key is made before the connection is read, so it cannot distinguish credentials; and it cannot limit what several
  repositories use together of one hourly quota, because each stream is separate.
- It wakes every trigger for every page; here only those are woken whose wait has ended. Measured with 1,000 triggers and 10
  pages: 59 ms of CPU a round there, 7 ms here (``benchmarks/waiting.py``). An error of the stream fails all its triggers,
  and an event trigger cannot use triggerer queues.
- Airflow 3.1 and 3.2 have none, and two ways to wait would be one too many.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_bitbucket.triggers.poll_policy import DEFAULT_POLICY, PollPolicy
from airflow_provider_bitbucket.triggers.request_scheduler import RequestScheduler, scheduler_of

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.triggers.wait_condition import WaitCondition, WaitEvent

#: A wait is polled together with another one if this share of its pause has passed.
_NEARLY = 0.9
_HOUR = 3600.0
#: The last poll must not precede the deadline by the other of two clocks.
_AFTER_DEADLINE = 0.02


#: The result of one request: what it asked for, and a response or an error for each subject that it shows.
FetchStep = tuple[Hashable, Mapping[str, Any]]


class StatusFetcher(Protocol):
    """Fetch the states of subjects of one kind in a repository with as few requests as possible."""

    def __init__(self, client: BitbucketClient, repository: str) -> None: ...

    def fetch(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[FetchStep]:
        """Yield the result of each request; runs in threads, one request at a time.

        :param due: subjects that must be answered, each by its state or by an error
        :param waiting: all subjects with waiters; what a request shows of them in passing is yielded too
        :raises BitbucketError: no further request is useful now
        """


async def wait(
    fetcher: type[StatusFetcher],
    client: BitbucketClient,
    repository: str,
    subject: str,
    condition: WaitCondition,
    *,
    not_before: float = 0.0,
    policy: PollPolicy = DEFAULT_POLICY,
) -> WaitEvent:
    """Wait until a condition is met, sharing requests with all waits in the repository with the same credentials.

    :param fetcher: fetches states of a kind; the poller has one instance for all waits that share it
    :param client: makes one attempt per request; that of the first wait is used for all
    :param repository: slug, or ``workspace/slug``
    :param subject: what is waited for, as the fetcher calls it
    :param condition: decides; called in the context of the caller, so that its lines go to the log of its task
    :param not_before: seconds before which no poll is made for this wait
    :param policy: durations
    :return: how the wait ended
    """
    scheduler = scheduler_of(client, policy)
    key = fetcher, client.auth.identity, client.base_url, client.full_name(repository)
    poller = scheduler.poller(
        key, lambda: Poller(scheduler, key, fetcher(scheduler.client(client), client.full_name(repository)))
    )
    waiter = poller.join(subject, condition, not_before)
    try:
        async with asyncio.timeout_at(waiter.deadline + policy.final_poll_seconds) as patience:
            return await waiter.event
    except TimeoutError:
        if not patience.expired():
            raise
        return condition.on_deadline()
    finally:
        poller.leave(waiter)


@dataclass(eq=False, slots=True)
class Waiter:
    """One wait in a poller; times are the event loop's.

    :param since: when it was last answered; at first, when it joined
    :param pause: seconds from then on until its condition wants the next poll
    :param source: what the last request asked for that answered it; waits with the same source share a request
    """

    subject: str
    condition: WaitCondition
    since: float
    pause: float
    deadline: float
    event: asyncio.Future[WaitEvent]
    source: Hashable = None
    context: contextvars.Context = field(default_factory=contextvars.copy_context)

    def due(self, stretch: float, share: float = 1.0) -> float:
        """Return when it is due, or when a share of its pause has passed."""
        return min(self.since + share * max(self.pause, self.condition.poll_interval * stretch), self.deadline)


class Poller:
    """Poll for all waits for the same kind of subject in a repository; it exists as long as it has waiters.

    :param scheduler: sends the requests
    :param key: its key there
    :param fetcher: fetches the states
    """

    def __init__(self, scheduler: RequestScheduler, key: Hashable, fetcher: StatusFetcher) -> None:
        self._scheduler = scheduler
        self._key = key
        self._fetcher = fetcher
        self._waiters: dict[str, list[Waiter]] = {}
        self._is_slow = False
        self._rest_until = 0.0
        self._wake_at = 0.0
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        #: Requests an hour at the intervals that were requested.
        self.demand = 0.0
        # A context of its own: what is logged here belongs to no single task.
        self._task = self._loop.create_task(self._run(), context=contextvars.Context(), name="bitbucket-poller")

    def join(self, subject: str, condition: WaitCondition, not_before: float) -> Waiter:
        """Add a wait."""
        now = self._loop.time()
        deadline = now + max(condition.deadline - time.time(), not_before) + _AFTER_DEADLINE
        waiter = Waiter(subject, condition, now, max(condition.pause, not_before), deadline, self._loop.create_future())
        self._scheduler.set_demand(self, max(self.demand, _HOUR / condition.poll_interval))
        self._waiters.setdefault(subject, []).append(waiter)
        self._rest_until = min(self._rest_until, now + waiter.pause)
        if self._is_slow:
            self._report_pace(waiter)
        if waiter.due(self._scheduler.stretch) < self._wake_at:
            self.wake()
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """Remove a wait; the last one ends the poller."""
        same = self._waiters.get(waiter.subject, [])
        if waiter not in same:
            return
        same.remove(waiter)
        if not same:
            del self._waiters[waiter.subject]
        if not self._waiters:
            self._scheduler.remove(self._key, self)
            self._task.cancel()

    def wake(self) -> None:
        """Compute the next poll again."""
        self._changed.set()

    def waiters(self) -> list[Waiter]:
        """Return all waits."""
        return [waiter for same in self._waiters.values() for waiter in same]

    async def _run(self) -> None:
        try:
            while self._waiters:
                self._changed.clear()
                if self._is_slow != self._scheduler.is_slow:
                    self._is_slow = self._scheduler.is_slow
                    for waiter in self.waiters():
                        self._report_pace(waiter)
                stretch = self._scheduler.stretch
                self._wake_at = max(min(waiter.due(stretch) for waiter in self.waiters()), self._rest_until)
                if self._wake_at <= self._loop.time():
                    await self._poll()
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(self._wake_at):
                        await self._changed.wait()
        except Exception as error:  # any error: no wait may depend on a poller that has ended
            self._scheduler.remove(self._key, self)
            for waiter in self.waiters():
                self._finish(waiter, error)

    async def _poll(self) -> None:
        """Fetch until all waits that are due are answered."""
        started, stretch = self._loop.time(), self._scheduler.stretch
        # Waits that joined shortly after others are polled together with them, and a failure counts for all of them.
        due = [one for one in self.waiters() if one.due(stretch, _NEARLY) <= started]
        missing = dict.fromkeys(one.subject for one in due)
        steps, is_answered = self._fetcher.fetch([*missing], frozenset(self._waiters)), False
        try:
            # Until all are answered, not until there are no more steps: asking for one more would count as a request.
            while missing and self._waiters and (step := await self._scheduler.send(lambda: next(steps, None))) is not None:
                source, answers = step
                is_answered = is_answered or bool(answers)
                missing = {subject: None for subject in missing if subject not in answers}
                for subject, answer in answers.items():
                    for waiter in [*self._waiters.get(subject, ())]:
                        waiter.source = source
                        self._deliver(waiter, answer, started)  # the duration of a poll does not extend the interval
        except Exception as error:  # any error says nothing about the subjects: a failed poll
            self._on_failure([one for one in due if one.since < started and not one.event.done()], error, is_answered)
        for waiter in due:
            waiter.since = max(waiter.since, started)  # not again at once, even if it was not answered
        self._scheduler.set_demand(self, self._requests_an_hour())

    def _on_failure(self, unanswered: Sequence[Waiter], error: Exception, is_answered: bool) -> None:
        """Deliver an error and rest, unless it concerns some of the subjects only.

        Waits that did not get the error will get it with the next poll, and then pause on their own account: they must not delay
        the others. If other subjects were answered, the error concerns one of its own.
        """
        for waiter in unanswered:
            self._deliver(waiter, error, self._loop.time())
        rest = min((one.pause for one in self.waiters()), default=0.0)
        is_refused = getattr(error, "status", None) == 429
        if is_refused or not is_answered:
            self._rest_until = self._loop.time() + rest
        if is_refused and getattr(error, "is_budgeted", False):
            self._scheduler.pause(rest, error)

    def _requests_an_hour(self) -> float:
        """Return the cost of these waits: those that are answered together cost one request at the shortest interval."""
        shortest: dict[Hashable, float] = {}
        for waiter in self.waiters():
            interval = waiter.condition.poll_interval
            shortest[waiter.source] = min(interval, shortest.get(waiter.source, interval))
        return sum(_HOUR / interval for interval in shortest.values())

    def _deliver(self, waiter: Waiter, answer: Any, since: float) -> None:
        try:
            event: WaitEvent | Exception | None = waiter.context.run(waiter.condition.on_answer, answer)
        except Exception as error:  # the failure could not be recorded either: ends this wait only
            event = error
        waiter.since, waiter.pause = since, waiter.condition.pause
        if event is not None:
            self._finish(waiter, event)

    def _finish(self, waiter: Waiter, event: WaitEvent | Exception) -> None:
        if not waiter.event.done():
            if isinstance(event, Exception):
                waiter.event.set_exception(event)
            else:
                waiter.event.set_result(event)
        self.leave(waiter)

    def _report_pace(self, waiter: Waiter) -> None:
        interval, log = waiter.condition.poll_interval, waiter.condition.log
        if self._is_slow:
            waiter.context.run(log.warning, "%s", self._scheduler.slow_reason(interval))
        else:
            waiter.context.run(log.info, "The request budget suffices again; polling every %.0f s.", interval)
