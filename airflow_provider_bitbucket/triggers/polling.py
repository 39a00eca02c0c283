"""One poller for all that wait in the same repository with the same credentials.

Airflow 3.3 has shared streams (``BaseEventTrigger.shared_stream_key``); this is used instead, on every version:

- A stream is opened with the parameters of one trigger and is told neither who else waits, nor what for, nor how often it
  wants to look: it could not choose between a page of the list and single requests, nor let the shortest interval win. A
  registry beside it would be needed anyway, and that registry is all there is here.
- Its key is made before the connection is read, so it can not tell credentials apart; and it can not bound what several
  repositories spend together of one hourly budget, because each stream is alone.
- It wakes every trigger for every page; here only those are woken whose wait is over. Measured with 1,000 triggers and 10
  pages: 59 ms of CPU a round there, 7 ms here (``benchmarks/waiting.py``). A fault of the stream fails all its triggers,
  and an event trigger gives up triggerer queues.
- Airflow 3.1 and 3.2 have none, and two ways to wait would be one too many.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakValueDictionary

from asgiref.sync import sync_to_async

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.client.transport.budget import RateBudget

T = TypeVar("T")

# Of our own: a Bitbucket that hangs must not keep other triggers from the few threads that the event loop shares out.
_THREADS = ThreadPoolExecutor(thread_name_prefix="bitbucket", max_workers=32)

#: What all pollers of a credential may use of its requests an hour, at once and spread over the hour: together 80 % of
#: them in any hour. The rest is for starting, stopping and explaining.
AT_ONCE, EVENLY = 0.2, 0.6
#: From this on a longer interval is worth a line in the log.
SLOW = 1.5
#: So much of its pause has to be over for a wait that is looked for with another one's.
_NEARLY = 0.9
#: How long a last look may take after the deadline; then the wait ends without it.
LAST_LOOK_SECONDS = 5.0
_HOUR = 3600.0
#: While Bitbucket does not answer, looks get rarer, up to this.
SLOWEST_LOOK_SECONDS = 300.0
#: Other clients of the credential may need a moment too; what takes longer is told to those who wait.
_LONGEST_TURN = 60.0
#: How long one request keeps the credential's other pollers from sending theirs.
LONGEST_EXCLUSIVE_SECONDS = 10.0
#: The last look must not come before the deadline by the other of two clocks.
_AFTER_DEADLINE = 0.02


class Watch(Protocol):
    """What decides over one wait; it never asks by itself.

    ``poll_interval`` is in seconds, ``deadline`` in Unix time, ``pause`` the seconds until it wants to look again.
    """

    poll_interval: float
    deadline: float
    pause: float
    log: Any

    def take_in(self, answer: Any) -> Any | None:
        """Record an answer, or the error that came in its place, and return how the wait ended, or None."""

    def gave_up(self) -> Any:
        """Return how a wait ended that could not be decided until its deadline."""


#: What one request brought: what it asked for, and an answer or the error for each subject that it shows.
Step = tuple[Hashable, Mapping[str, Any]]


class Looker(Protocol):
    """Knows how a kind of thing is looked at with the fewest requests."""

    def __init__(self, client: BitbucketClient, repository: str) -> None: ...

    def look(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[Step]:
        """Yield after each request what it brought; runs in threads, one request at a time.

        :param due: subjects that have to be answered, each by its state or by an error
        :param waiting: all subjects that somebody waits for; what a request shows of them by the way is given too
        :raises BitbucketError: no further request makes sense now
        """


async def wait(
    looker: Callable[[BitbucketClient, str], Looker],
    client: BitbucketClient,
    repository: str,
    subject: str,
    watch: Watch,
    *,
    not_before: float = 0.0,
) -> Any:
    """Wait until a watch decides, sharing the requests with all that wait in the repository with the same credentials.

    :param looker: looks at subjects of a kind; the poller makes one for all who share it
    :param client: made for one try per request; that of the first who waits is used for all
    :param repository: slug, or ``workspace/slug``
    :param subject: what is waited for, as the looker knows it
    :param watch: decides; called in the context of the caller, so that its lines go to the log of its task
    :param not_before: seconds before which no look is made for this wait's sake
    :return: what the watch returned; at its deadline it is asked for the last time
    """
    poller = _line_of(client).poller(looker, client, client.full_name(repository))
    waiter = poller.join(subject, watch, not_before)
    try:
        async with asyncio.timeout_at(waiter.deadline + LAST_LOOK_SECONDS) as patience:
            return await waiter.event
    except TimeoutError:
        if not patience.expired():
            raise
        return watch.gave_up()
    finally:
        poller.leave(waiter)


@dataclass(eq=False, slots=True)
class _Waiter:
    """Somebody who waits; times are the event loop's.

    :param since: when it was last answered; at first, when it came
    :param pause: seconds from then on until its watch wants to know again
    :param source: what the last request asked for that answered it; who shares it shares a request
    """

    subject: str
    watch: Watch
    since: float
    pause: float
    deadline: float
    event: asyncio.Future[Any]
    source: Hashable = None
    context: contextvars.Context = field(default_factory=contextvars.copy_context)

    def due(self, stretch: float, share: float = 1.0) -> float:
        """Return when it is to look, or when a share of its pause is over."""
        return min(self.since + share * max(self.pause, self.watch.poll_interval * stretch), self.deadline)


class _Poller:
    """Asks for all who wait for the same kind of thing in a repository; lives as long as somebody waits."""

    def __init__(self, line: _Line, key: Hashable, looker: Looker) -> None:
        self._line = line
        self._key = key
        self._looker = looker
        self._waiters: dict[str, list[_Waiter]] = {}
        self._slow = False
        self._rest_until = 0.0
        self._wake_at = 0.0
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        #: Requests an hour, were nothing stretched.
        self.demand = 0.0
        # In a context of its own: what is logged here belongs to no single task.
        self._task = self._loop.create_task(self._run(), context=contextvars.Context(), name="bitbucket-poller")

    def join(self, subject: str, watch: Watch, not_before: float) -> _Waiter:
        now = self._loop.time()
        deadline = now + max(watch.deadline - time.time(), not_before) + _AFTER_DEADLINE
        waiter = _Waiter(subject, watch, now, max(watch.pause, not_before), deadline, self._loop.create_future())
        self._line.balance(self, max(self.demand, _HOUR / watch.poll_interval))
        self._waiters.setdefault(subject, []).append(waiter)
        self._rest_until = min(self._rest_until, now + waiter.pause)
        if self._slow:
            self._tell_pace(waiter)
        if waiter.due(self._line.stretch) < self._wake_at:
            self.wake()
        return waiter

    def leave(self, waiter: _Waiter) -> None:
        same = self._waiters.get(waiter.subject, [])
        if waiter not in same:
            return
        same.remove(waiter)
        if not same:
            del self._waiters[waiter.subject]
        if not self._waiters:
            self._line.remove(self._key, self)
            self._task.cancel()

    def wake(self) -> None:
        self._changed.set()

    def _all(self) -> list[_Waiter]:
        return [waiter for same in self._waiters.values() for waiter in same]

    async def _run(self) -> None:
        try:
            while self._waiters:
                self._changed.clear()
                if self._slow != self._line.slow:
                    self._slow = self._line.slow
                    for waiter in self._all():
                        self._tell_pace(waiter)
                stretch = self._line.stretch
                self._wake_at = max(min(waiter.due(stretch) for waiter in self._all()), self._rest_until)
                if self._wake_at <= self._loop.time():
                    await self._round()
                    continue
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(self._wake_at):
                        await self._changed.wait()
        except Exception as error:  # whatever it is: nobody may wait for ever for a poller that is gone
            self._line.remove(self._key, self)
            for waiter in self._all():
                self._finish(waiter, error)

    async def _round(self) -> None:
        started, stretch = self._loop.time(), self._line.stretch
        # Who came a moment later looks together with who came first, and is told together when it fails.
        due = [one for one in self._all() if one.due(stretch, _NEARLY) <= started]
        missing = dict.fromkeys(one.subject for one in due)
        steps, answered = self._looker.look([*missing], frozenset(self._waiters)), False
        try:
            # Until all are answered, not until there are no more steps: to find that out would take a place in the line.
            while missing and self._waiters and (step := await self._line.ask(lambda: next(steps, None))) is not None:
                source, answers = step
                answered = answered or bool(answers)
                missing = {subject: None for subject in missing if subject not in answers}
                for subject, answer in answers.items():
                    for waiter in [*self._waiters.get(subject, ())]:
                        waiter.source = source
                        self._tell(waiter, answer, started)  # what a round takes does not make the interval longer
        except Exception as error:  # whatever it is, it says nothing about the subjects: a failed poll
            unanswered = [one for one in due if one.since < started and not one.event.done()]
            for waiter in unanswered:
                self._tell(waiter, error, self._loop.time())
            # Who was not told yet will be, at the next look, and wants to look again after that: whose turn it would be must not
            # make the others wait for its sake. Where others were answered, what fails is a subject of its own.
            rest = min((one.pause for one in self._all()), default=0.0)
            refused = getattr(error, "status", None) == 429
            if refused or not answered:
                self._rest_until = self._loop.time() + rest
            if refused and getattr(error, "is_budgeted", False):
                self._line.hold_back(rest, error)
        for waiter in due:
            waiter.since = max(waiter.since, started)  # not again at once, even if it was forgotten
        self._line.balance(self, self._requests_an_hour())

    def _requests_an_hour(self) -> float:
        """Return what these waits cost: what is answered together costs once, at the shortest interval."""
        shortest: dict[Hashable, float] = {}
        for waiter in self._all():
            interval = waiter.watch.poll_interval
            shortest[waiter.source] = min(interval, shortest.get(waiter.source, interval))
        return sum(_HOUR / interval for interval in shortest.values())

    def _tell(self, waiter: _Waiter, answer: Any, since: float) -> None:
        try:
            event = waiter.context.run(waiter.watch.take_in, answer)
        except Exception as error:  # the failure could not be recorded either: ends this wait only
            event = error
        waiter.since, waiter.pause = since, waiter.watch.pause
        if event is not None:
            self._finish(waiter, event)

    def _finish(self, waiter: _Waiter, event: Any) -> None:
        if not waiter.event.done():
            if isinstance(event, Exception):
                waiter.event.set_exception(event)
            else:
                waiter.event.set_result(event)
        self.leave(waiter)

    def _tell_pace(self, waiter: _Waiter) -> None:
        asked, log = waiter.watch.poll_interval, waiter.watch.log
        if self._slow:
            waiter.context.run(
                log.warning, "%s Looking every %.0f s instead of every %.0f s.", self._line.why, asked * self._line.stretch, asked
            )
        else:
            waiter.context.run(log.info, "There is room in the request budget again: looking every %.0f s.", asked)


class _Line:
    """The pollers of one credential stand in a line: one request at a time, and so many an hour.

    One at a time is enough: the 10,000 an hour that Bitbucket grants at most are less than 3 a second. A request without a
    complete response after :data:`LONGEST_EXCLUSIVE_SECONDS` continues beside those of the other pollers. Of the hourly limit
    waiting takes a part at once and a part evenly (a token bucket), so never more than both together in any hour.
    """

    def __init__(self, budget: RateBudget) -> None:
        self._budget = budget
        self._pollers: dict[Hashable, _Poller] = {}
        self._clients: WeakValueDictionary[Hashable, BitbucketClient] = WeakValueDictionary()
        self._turn = asyncio.Lock()
        self._demand = 0.0  # requests an hour that all pollers need
        self._at_once = AT_ONCE * budget.limit  # requests that may be made without any spacing
        self._filled_on = asyncio.get_running_loop().time()
        self._woken_at = 1.0
        #: By how much every interval is longer than it was asked for.
        self.stretch = 1.0
        #: Whether that is worth telling.
        self.slow = False

    def poller(self, looker: Callable[[BitbucketClient, str], Looker], client: BitbucketClient, full_name: str) -> _Poller:
        who = client.auth.identity, client.base_url
        key = looker, who, full_name
        if key not in self._pollers:
            client = self._clients.setdefault(who, client)  # one for all repositories, because it keeps connections open
            self._pollers[key] = _Poller(self, key, looker(client, full_name))
        return self._pollers[key]

    def remove(self, key: Hashable, poller: _Poller) -> None:
        if self._pollers.get(key) is poller:
            del self._pollers[key]
            self.balance(poller, 0.0)

    def balance(self, poller: _Poller, demand: float) -> None:
        """Take in what a poller needs, in requests an hour."""
        self._demand += demand - poller.demand
        poller.demand = demand
        self._adjust()

    async def ask(self, request: Callable[[], T]) -> T:
        """Make one request in a thread, when its turn has come.

        A request that hangs holds up its own poller, whose waits end at their deadlines, and no other one.
        """
        async with self._turn:
            self._adjust()
            free_in = self._budget.free_in
            seconds = max((1 - self._at_once) * _HOUR / self._evenly, free_in if free_in <= _LONGEST_TURN else 0.0)
            if seconds > 0:
                await asyncio.sleep(seconds)
            self._at_once -= 1
            answer = asyncio.ensure_future(sync_to_async(request, thread_sensitive=False, executor=_THREADS)())
            try:
                await asyncio.wait([answer], timeout=LONGEST_EXCLUSIVE_SECONDS)
            except asyncio.CancelledError:
                answer.cancel()
                raise
        return await answer

    @property
    def why(self) -> str:
        """Why the intervals are stretched."""
        return (
            f"All that wait here with {self._budget.name} would need {self._demand:,.0f} requests an hour; of the "
            f"{self._budget.limit:,} that Bitbucket allows they get {self._evenly:,.0f}."
        )

    @property
    def _evenly(self) -> float:
        return EVENLY * self._budget.limit

    def _adjust(self) -> None:
        """Stretch all intervals when half of what may be used at once is gone, until it is all there again."""
        now, full = asyncio.get_running_loop().time(), AT_ONCE * self._budget.limit
        self._at_once = min(full, self._at_once + (now - self._filled_on) * self._evenly / _HOUR)
        self._filled_on = now
        near = self._at_once < full / 2 or (self.stretch > 1 and self._at_once < full)
        self.stretch = max(1.0, self._demand / self._evenly) if near else 1.0
        was_slow, self.slow = self.slow, self.stretch > SLOW or (self.slow and self.stretch > 1)
        # Who sleeps too long has to be woken, and who has something to tell; who sleeps too short will see.
        if self.slow != was_slow or self.stretch < 0.9 * self._woken_at:
            for poller in self._pollers.values():
                poller.wake()
            self._woken_at = self.stretch
        self._woken_at = max(self._woken_at, self.stretch)

    def hold_back(self, seconds: float, error: Exception) -> None:
        """Hold all requests of the credential back after a 429, that other repositories are not refused one by one.

        :param seconds: that the poller rests which was refused, of which five minutes count; the others go on at some time
            before, unless told otherwise
        """
        told = getattr(error, "retry_after", None) or 0.0
        seconds = min(seconds, SLOWEST_LOOK_SECONDS)
        self._budget.pause(max(told, random.uniform(0.5, 1.0) * seconds))  # noqa: S311 - jitter, no secret


_lines: dict[tuple[asyncio.AbstractEventLoop, RateBudget], _Line] = {}


def _line_of(client: BitbucketClient) -> _Line:
    """Return the line of a client's credential, for which its budget stands.

    It stays when nobody waits, because it knows what was used. Each event loop has its own: what waits in one can not be
    woken from another.
    """
    for key in [key for key in _lines if key[0].is_closed()]:
        del _lines[key]
    key = asyncio.get_running_loop(), client.budget
    if key not in _lines:
        _lines[key] = _Line(client.budget)
    return _lines[key]
