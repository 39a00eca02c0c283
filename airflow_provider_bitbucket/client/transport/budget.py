"""The request budget of a credential: 1,000 requests in any hour, shared by all threads of the process.

Source: support.atlassian.com/bitbucket-cloud/docs/api-request-limits (rolling hour; counted per user, per access token,
per OAuth consumer). Only access tokens and anonymous callers are told their limit (``X-RateLimit-*``), so requests are
counted here.

Other processes use up the same budget and can not be asked. A 429 tells that together it is spent: what this process has sent
in the last hour is its share then. From there on a place becomes free for it when its own oldest request leaves the hour,
which nobody else takes; beyond its share it asks now and then whether there is more again, rarely while the answer is no, and
soon as often as it likes when others have stopped.

A ``Retry-After`` says when to go on, and nothing about anybody's share. It is believed until going on then has been in vain
time and again; a second or none, told to a hundred tasks for the rest of an hour, would be a storm.
"""

from __future__ import annotations

import logging
import math
import random
import threading
from collections import deque
from collections.abc import Mapping
from datetime import timedelta

from airflow_provider_bitbucket.client.transport.clock import SYSTEM_CLOCK, Clock
from airflow_provider_bitbucket.client.transport.errors import BitbucketRateLimitError
from airflow_provider_bitbucket.client.transport.retry import credible_wait, whole_number

log = logging.getLogger(__name__)

WINDOW_SECONDS = 3600.0
DEFAULT_LIMIT = 1000
#: Requests an hour; a larger number in a header is malformed.
_MOST_CREDIBLE_LIMIT = 1_000_000
_SHORTEST_WAIT = 0.001  # below that it is rounding, not waiting
#: Seconds until the first and until any further try beyond this process's share.
_FIRST_TRY, _RAREST_TRY = 180.0, 1800.0
#: A short ``Retry-After`` that was waited for in vain so often is believed no more. So many granted requests make up for one
#: refused: fewer refusals than that are what a fast client of an honest server may meet.
_BELIEVED, _MAKE_UP = 3.0, 4


class RateBudget:
    """A moving window that paces: who asks for a place waits until there is one.

    :param name: what log lines call it; never the credential itself
    :param cap: requests an hour that the user allows; None: what Bitbucket says, else 1,000
    :param clock: where time comes from
    """

    def __init__(self, name: str = "these credentials", cap: int | None = None, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        self._cap: int | None = None
        self._told: int | None = None
        self._clock = clock
        #: Requests of this process so far, repeated ones included.
        self.sent = 0
        self._here = threading.local()
        self._sent: deque[float] = deque()
        self._refused_until = 0.0
        self._refused_on = -math.inf  # when it was told last that this process has had its share
        self._share: int | None = None  # of this process, as a 429 showed; None: nobody else is known to use it
        self._try_every = _FIRST_TRY
        self._next_try = 0.0
        self._in_vain = 0.0  # how often it was refused again though it had waited as long as it was told
        self._near_limit = False
        self._lock = threading.RLock()  # a signal handler may ask from within: it stops the pipeline of a killed task
        self.lower_cap(cap)

    @property
    def limit(self) -> int:
        """Requests in any hour: the user's cap, else what Bitbucket told, else 1,000."""
        return self._cap or self._told or DEFAULT_LIMIT

    @property
    def remaining(self) -> int:
        """Requests that could be sent at once, as far as this process knows."""
        with self._lock:
            return 0 if self._wait()[0] else self.limit - len(self._sent)

    @property
    def free_in(self) -> float:
        """Seconds until a request could be sent, as far as this process knows; 0 when one could be sent at once."""
        with self._lock:
            return self._wait()[0]

    @property
    def sent_here(self) -> int:
        """Requests of the calling thread so far, repeated ones included: what a piece of work cost among others."""
        return getattr(self._here, "sent", 0)

    def lower_cap(self, cap: int | None) -> None:
        """Take over a cap that is lower than the present one: of several clients the most cautious counts.

        :param cap: requests an hour; None asks for nothing
        """
        if cap is not None and cap < 1:
            raise ValueError(f"rate limit is {cap}; expected at least 1 request an hour")
        if cap is not None:
            self._cap = min(cap, self._cap or cap)

    def acquire(self, patience: float = math.inf) -> float:
        """Take one place in the window; waits for it, with a log line that says how long and why.

        :param patience: seconds that the caller waits at most
        :return: seconds that were waited
        :raises BitbucketRateLimitError: the wait would be longer
        """
        waited, told = 0.0, ""
        while True:
            seconds, why = self.try_acquire()
            if not seconds:
                return waited
            if waited + seconds > patience:
                refused = BitbucketRateLimitError(
                    f"{why or 'The budget is nearly used up'}; the next request is possible in {seconds:.0f} s, which is longer "
                    f"than this one waits ({patience:.0f} s)."
                )
                refused.retry_after, refused.is_budgeted = seconds, True
                raise refused
            if why and why != told:
                told = why
                until = self._clock.now() + timedelta(seconds=seconds)
                log.warning("%s; waiting %.0f s, until %s UTC.", why, seconds, f"{until:%H:%M}")
            self._clock.sleep(seconds)
            waited += seconds

    def try_acquire(self, *, anyway: bool = False) -> tuple[float, str]:
        """Take one place in the window if there is one.

        :param anyway: take one even if there is none
        :return: 0 when there was one; else the seconds until there is one, and why (empty when it is only spacing)
        """
        with self._lock:
            seconds, why = self._wait()
            if anyway or not seconds:
                if self._share is not None and len(self._sent) >= self._share:
                    self._space_tries()
                self._sent.append(self._clock.monotonic())
                self._here.last = self._sent[-1]
                self.sent += 1
                self._here.sent = self.sent_here + 1
            return seconds, why

    def pause(self, seconds: float) -> None:
        """Hold all requests of this credential back: Bitbucket answered 429 to one of them."""
        with self._lock:
            self._refused_until = max(self._refused_until, self._clock.monotonic() + seconds)

    def refused(self, seconds: float | None) -> None:
        """Take in a 429: unless Bitbucket says when to go on and that is true, what was sent in the last hour is our share.

        :param seconds: until which Bitbucket refuses everything (``Retry-After``), None when it does not say
        """
        with self._lock:
            self._wait()  # forgets what is older than an hour
            if self._sent:
                self._sent.pop()  # what is refused is not counted
            if seconds is not None:
                in_vain = self._waited_in_vain(seconds)
                self.pause(seconds + random.uniform(0, 1))  # noqa: S311 - jitter, no secret
                if not in_vain:
                    return
            now = self._clock.monotonic()
            together = getattr(self._here, "last", now) <= self._refused_on  # it was sent before that was told
            again = self._share is not None and now < self._next_try and not together
            self._share, self._refused_on = len(self._sent), now
            self._try_every = min(self._try_every * 2, _RAREST_TRY) if again else self._try_every
            self._space_tries()

    def granted(self) -> None:
        """Take in that a request was answered."""
        with self._lock:
            self._in_vain = max(self._in_vain - 1 / _MAKE_UP, 0)
            if self._share is None or len(self._sent) <= self._share:
                return
            self._share = len(self._sent)
            self._try_every /= 4
            self._next_try = min(self._next_try, self._clock.monotonic() + self._try_every)
            if self._try_every < 1:
                self._share, self._try_every = None, _FIRST_TRY  # there is more than this process can use

    def _waited_in_vain(self, told: float) -> bool:
        """Say whether to wait as long as Bitbucket tells has been tried often enough."""
        now = self._clock.monotonic()
        if now >= self._refused_until:  # else it was sent before that was told
            soon = self._share is not None or self._refused_until > max(now - _FIRST_TRY, 0)
            self._in_vain = min(self._in_vain + 1, _BELIEVED) if soon else 0.0
        return told < _FIRST_TRY and self._in_vain >= _BELIEVED

    def _space_tries(self) -> None:
        # Not all processes at once: they may well have been refused at the same moment.
        self._next_try = self._clock.monotonic() + random.uniform(0.5, 1.0) * self._try_every  # noqa: S311 - jitter

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over what Bitbucket tells.

        ``X-RateLimit-Limit`` is the allowance an hour, not the rest of it (access tokens; anonymous callers get
        ``60, 60;w=3600``); ``X-RateLimit-NearLimit`` becomes ``true`` when little of it is left (about a fifth), whoever
        used it; ``X-RateLimit-Remaining`` and ``-Reset`` (seconds, not an instant) come to anonymous callers only.
        """
        limit = whole_number(headers.get("X-RateLimit-Limit", "").partition(",")[0])
        if limit and limit <= _MOST_CREDIBLE_LIMIT:
            self._told = limit
        if near := headers.get("X-RateLimit-NearLimit", ""):
            self._set_near_limit(near.strip().lower() == "true")
        reset = whole_number(headers.get("X-RateLimit-Reset", ""))
        if headers.get("X-RateLimit-Remaining", "").strip() == "0" and reset is not None:
            self.pause(credible_wait(reset))

    def _set_near_limit(self, near: bool) -> None:
        if near and not self._near_limit:
            log.warning(
                "Bitbucket says that the budget for %s is nearly used up (%s requests an hour); one request every %.1f s "
                "until it says otherwise.",
                self.name,
                f"{self.limit:,}",
                WINDOW_SECONDS / self.limit,
            )
        self._near_limit = near

    def _wait(self) -> tuple[float, str]:
        now = self._clock.monotonic()
        while self._sent and self._sent[0] <= now - WINDOW_SECONDS + _SHORTEST_WAIT:
            self._sent.popleft()
        waits = [(self._refused_until - now, f"Bitbucket refuses further requests for {self.name} (429)")]
        if len(self._sent) >= self.limit:
            used = f"Budget for {self.name} is used up ({self.limit:,} requests in the last hour)"
            # The limit may have been lowered meanwhile: then more than one place has to become free.
            waits.append((self._sent[-self.limit] + WINDOW_SECONDS - now, used))
        if self._share is not None and len(self._sent) >= self._share:
            free = self._sent[-self._share] + WINDOW_SECONDS if self._share else self._next_try
            shared = f"Budget for {self.name} is used up by this process and others (429)"
            waits.append((min(free, self._next_try) - now, shared))
        if self._near_limit and self._sent:
            # Others use it up too (other workers with the same token): go on at the pace that the hour allows for ever.
            waits.append((self._sent[-1] + WINDOW_SECONDS / self.limit - now, ""))
        seconds, why = max(waits)
        return (seconds, why) if seconds > _SHORTEST_WAIT else (0.0, "")


_budgets: dict[tuple[str, str, Clock], RateBudget] = {}
_budgets_lock = threading.RLock()


def shared_budget(key: str, origin: str, name: str, cap: int | None, clock: Clock) -> RateBudget:
    """Return the process's one budget of a credential, made at first use.

    :param key: tells credentials apart without containing them
    :param origin: where they are used: another host counts for itself
    :param name: what log lines call it
    :param cap: requests an hour, None for what Bitbucket allows
    :param clock: where time comes from; what was counted by one clock means nothing by another
    """
    with _budgets_lock:
        budget = _budgets.setdefault((key, origin, clock), RateBudget(name, clock=clock))
    budget.lower_cap(cap)
    return budget
