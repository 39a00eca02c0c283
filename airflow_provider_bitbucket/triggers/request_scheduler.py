"""Pacing of the requests that all waits of a credential make in one event loop."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol, TypeVar, cast
from weakref import WeakValueDictionary

from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.client.transport.budget import RateBudget
    from airflow_provider_bitbucket.triggers.poll_policy import PollPolicy

T = TypeVar("T")

# Separate from the few threads that the event loop shares: a Bitbucket that hangs must not block other triggers.
_THREADS = ThreadPoolExecutor(thread_name_prefix="bitbucket", max_workers=32)

#: Shares of a credential's hourly quota that all its waits may use at once and evenly spread: together at most 80 % in any hour.
#: The rest is for starting, stopping and explaining.
BURST_SHARE, STEADY_SHARE = 0.2, 0.6
#: Intervals that are longer than requested by at least this factor are logged.
_NOTABLE_STRETCH = 1.5
_HOUR = 3600.0
#: Longest wait for the request budget here; a longer one is an error that each wait reports.
_LONGEST_PACING_SECONDS = 60.0


class ScheduledPoller(Protocol):
    """The part of a poller that the scheduler needs.

    ``demand`` is in requests an hour, at the intervals that its waits requested.
    """

    demand: float

    def wake(self) -> None:
        """Make it compute its next poll again."""


P = TypeVar("P", bound=ScheduledPoller)


class RequestScheduler:
    """Sends the requests of all pollers of one credential, one at a time, within their share of the hourly quota.

    One at a time is enough: the 10,000 an hour that Bitbucket grants at most are less than 3 a second. A request without a
    complete response after ``exclusive_seconds`` continues beside those of the other pollers. The share is a token bucket: a part
    may be used at once and a part evenly, so never more than both together in any hour.

    :param budget: request budget of the credential
    :param policy: durations; that of the first wait applies to all that share the scheduler
    """

    def __init__(self, budget: RateBudget, policy: PollPolicy) -> None:
        self._budget = budget
        self._policy = policy
        self._pollers: dict[Hashable, ScheduledPoller] = {}
        self._clients: WeakValueDictionary[Hashable, BitbucketClient] = WeakValueDictionary()
        self._lock = asyncio.Lock()
        self._demand = 0.0  # requests an hour that all pollers need
        self._burst = BURST_SHARE * budget.limit  # requests that may be sent without spacing
        self._refilled_at = asyncio.get_running_loop().time()
        self._woken_at_stretch = 1.0
        #: Factor by which every interval is longer than requested.
        self.stretch = 1.0
        #: Whether the factor is worth a log line.
        self.is_slow = False

    def client(self, client: BitbucketClient) -> BitbucketClient:
        """Return the client that all pollers of the same credential and address share, because it keeps connections open."""
        return self._clients.setdefault((client.auth.identity, client.base_url), client)

    def poller(self, key: Hashable, create: Callable[[], P]) -> P:
        """Return the poller with a key, created if there is none."""
        if key not in self._pollers:
            self._pollers[key] = create()
        return cast("P", self._pollers[key])  # a key stands for one kind of poller

    def remove(self, key: Hashable, poller: ScheduledPoller) -> None:
        """Remove a poller that has no waiters."""
        if self._pollers.get(key) is poller:
            del self._pollers[key]
            self.set_demand(poller, 0.0)

    def set_demand(self, poller: ScheduledPoller, demand: float) -> None:
        """Record how many requests an hour a poller needs."""
        self._demand += demand - poller.demand
        poller.demand = demand
        self._adjust()

    async def send(self, request: Callable[[], T]) -> T:
        """Send one request in a thread as soon as the pacing allows and no other one is being sent.

        A request that hangs delays its own poller only, whose waits end at their deadlines.
        """
        async with self._lock:
            self._adjust()
            free_in = self._budget.free_in
            pacing = free_in if free_in <= _LONGEST_PACING_SECONDS else 0.0
            seconds = max((1 - self._burst) * _HOUR / self._steady, pacing)
            if seconds > 0:
                await asyncio.sleep(seconds)
            self._burst -= 1
            response = asyncio.ensure_future(sync_to_async(request, thread_sensitive=False, executor=_THREADS)())
            try:
                await asyncio.wait([response], timeout=self._policy.exclusive_seconds)
            except asyncio.CancelledError:
                response.cancel()
                raise
        return await response

    def pause(self, seconds: float, error: Exception) -> None:
        """Pause all requests of the credential after a 429, so that other repositories are not refused one by one.

        :param seconds: pause of the poller that was refused, of which at most the longest back-off counts; the others continue
            some time before its end, unless Bitbucket requested more
        """
        requested = getattr(error, "retry_after", None) or 0.0
        seconds = min(seconds, self._policy.longest_back_off_seconds)
        self._budget.pause(max(requested, random.uniform(0.5, 1.0) * seconds))  # noqa: S311 - jitter, no secret

    def slow_reason(self, interval: float) -> str:
        """Return why and how much a polling interval in seconds is stretched, as a sentence."""
        return (
            f"Waits using {self._budget.name} need {self._demand:,.0f} requests/hour, more than their share of "
            f"{self._steady:,.0f} of the {self._budget.limit:,} that Bitbucket allows; polling every "
            f"{interval * self.stretch:.0f} s instead of every {interval:.0f} s."
        )

    @property
    def _steady(self) -> float:
        return STEADY_SHARE * self._budget.limit

    def _adjust(self) -> None:
        """Stretch all intervals when half of the burst is used up, until all of it is available again."""
        now, full = asyncio.get_running_loop().time(), BURST_SHARE * self._budget.limit
        self._burst = min(full, self._burst + (now - self._refilled_at) * self._steady / _HOUR)
        self._refilled_at = now
        is_short = self._burst < full / 2 or (self.stretch > 1 and self._burst < full)
        self.stretch = max(1.0, self._demand / self._steady) if is_short else 1.0
        was_slow, self.is_slow = self.is_slow, self.stretch > _NOTABLE_STRETCH or (self.is_slow and self.stretch > 1)
        # Wake pollers that sleep too long or have to log; the others re-check on their own.
        if self.is_slow != was_slow or self.stretch < 0.9 * self._woken_at_stretch:
            for poller in self._pollers.values():
                poller.wake()
            self._woken_at_stretch = self.stretch
        self._woken_at_stretch = max(self._woken_at_stretch, self.stretch)


_schedulers: dict[tuple[asyncio.AbstractEventLoop, RateBudget], RequestScheduler] = {}


def scheduler_of(client: BitbucketClient, policy: PollPolicy) -> RequestScheduler:
    """Return the scheduler of a client's credential, identified by its request budget, in the running event loop.

    It stays when nothing waits, because it knows what was used. Each event loop has its own: a task of one loop cannot be woken
    from another.
    """
    for key in [key for key in _schedulers if key[0].is_closed()]:
        del _schedulers[key]
    key = asyncio.get_running_loop(), client.budget
    if key not in _schedulers:
        _schedulers[key] = RequestScheduler(client.budget, policy)
    return _schedulers[key]
