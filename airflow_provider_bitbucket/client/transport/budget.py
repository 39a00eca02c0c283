"""The request budget of credentials: 1,000 requests in any hour, shared by all threads of the process.

Source: support.atlassian.com/bitbucket-cloud/docs/api-request-limits (rolling hour; counted per user, per access token,
per OAuth consumer). Only access tokens and anonymous callers get their limit (``X-RateLimit-*``), so requests are
counted here.

Other processes use the same budget, and their usage is unknown. A 429 means that the budget is used up by all of them together:
what this process has sent in the last hour is then its share. From then on it sends a request when its own oldest request leaves
the window. Beyond its share it probes for more, with a growing interval while the probes are refused and a shrinking one while
they are granted.

A ``Retry-After`` gives the time to resume and no information about shares. It is followed until repeated requests after it were
refused: a short one, followed by a hundred tasks for the rest of an hour, would be a storm.
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
#: First and longest interval in seconds between probes beyond this process's share.
FIRST_PROBE_SECONDS, _RAREST_TRY = 180.0, 1800.0
#: After this many refusals in spite of the wait, a short ``Retry-After`` is ignored. This many granted requests offset one
#: refusal, because a fast client of a correct server meets some.
_CREDIBLE_REFUSALS, _GRANTED_PER_REFUSAL = 3.0, 4


class RateBudget:
    """A moving window that paces requests: each waits until the window has room for it.

    :param name: name in log lines; never the credential itself
    :param cap: requests an hour that the user allows; None: the limit that Bitbucket reports, else 1,000
    :param clock: source of time
    :param first_probe_seconds: first interval between probes beyond this process's share
    """

    def __init__(
        self,
        name: str = "these credentials",
        cap: int | None = None,
        *,
        clock: Clock = SYSTEM_CLOCK,
        first_probe_seconds: float = FIRST_PROBE_SECONDS,
    ) -> None:
        self.name = name
        self._first_probe_seconds = first_probe_seconds
        self._cap: int | None = None
        self._reported: int | None = None
        self._clock = clock
        #: Requests of this process so far, repeated ones included.
        self.sent = 0
        self._here = threading.local()
        self._sent: deque[float] = deque()
        self._refused_until = 0.0
        self._refused_on = -math.inf  # time of the last 429 that set the share
        self._share: int | None = None  # of this process, set by a 429; None: no other process is known to use the budget
        self._probe_interval = first_probe_seconds
        self._next_probe = 0.0
        self._ineffective = 0.0  # refusals in spite of waiting for Retry-After
        self._near_limit = False
        self._lock = threading.RLock()  # reentrant for signal handlers, which stop the pipeline of a killed task
        self.lower_cap(cap)

    @property
    def limit(self) -> int:
        """Requests in any hour: the user's cap, else the limit that Bitbucket reported, else 1,000."""
        return self._cap or self._reported or DEFAULT_LIMIT

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
        """Lower the cap; of several clients the lowest cap applies.

        :param cap: requests an hour; None changes nothing
        """
        if cap is not None and cap < 1:
            raise ValueError(f"rate limit is {cap}; expected at least 1 request an hour")
        if cap is not None:
            self._cap = min(cap, self._cap or cap)

    def acquire(self, patience: float = math.inf) -> float:
        """Acquire one request; wait until the window has room for it, and log how long and why.

        :param patience: longest wait in seconds
        :return: seconds that it waited
        :raises BitbucketRateLimitError: the wait would be longer
        """
        waited, logged = 0.0, ""
        while True:
            seconds, why = self.try_acquire()
            if not seconds:
                return waited
            if waited + seconds > patience:
                refused = BitbucketRateLimitError(
                    f"{why or 'The budget is nearly used up'}; the next request is possible in {seconds:.0f} s, which is longer "
                    f"than the limit of {patience:.0f} s."
                )
                refused.retry_after, refused.is_budgeted = seconds, True
                raise refused
            if why and why != logged:
                logged = why
                until = self._clock.now() + timedelta(seconds=seconds)
                log.warning("%s; waiting %.0f s, until %s UTC.", why, seconds, f"{until:%H:%M}")
            self._clock.sleep(seconds)
            waited += seconds

    def try_acquire(self, *, anyway: bool = False) -> tuple[float, str]:
        """Acquire one request if the window has room.

        :param anyway: acquire it even if there is no room
        :return: 0 if there was room; else the seconds until there is, and the reason (empty for mere spacing)
        """
        with self._lock:
            seconds, why = self._wait()
            if anyway or not seconds:
                if self._share is not None and len(self._sent) >= self._share:
                    self._schedule_probe()
                self._sent.append(self._clock.monotonic())
                self._here.last = self._sent[-1]
                self.sent += 1
                self._here.sent = self.sent_here + 1
            return seconds, why

    def pause(self, seconds: float) -> None:
        """Pause all requests of these credentials after a 429."""
        with self._lock:
            self._refused_until = max(self._refused_until, self._clock.monotonic() + seconds)

    def refused(self, seconds: float | None) -> None:
        """Record a 429. Without a credible Retry-After, treat the last hour's requests as this process's share.

        :param seconds: ``Retry-After``, None if it is missing
        """
        with self._lock:
            self._wait()  # discards requests older than an hour
            if self._sent:
                self._sent.pop()  # a refused request does not count
            if seconds is not None:
                ineffective = self._is_refused_repeatedly(seconds)
                self.pause(seconds + random.uniform(0, 1))  # noqa: S311 - jitter, no secret
                if not ineffective:
                    return
            now = self._clock.monotonic()
            together = getattr(self._here, "last", now) <= self._refused_on  # it was sent before that 429
            again = self._share is not None and now < self._next_probe and not together
            self._share, self._refused_on = len(self._sent), now
            self._probe_interval = min(self._probe_interval * 2, _RAREST_TRY) if again else self._probe_interval
            self._schedule_probe()

    def granted(self) -> None:
        """Record a granted request."""
        with self._lock:
            self._ineffective = max(self._ineffective - 1 / _GRANTED_PER_REFUSAL, 0)
            if self._share is None or len(self._sent) <= self._share:
                return
            self._share = len(self._sent)
            self._probe_interval /= 4
            self._next_probe = min(self._next_probe, self._clock.monotonic() + self._probe_interval)
            if self._probe_interval < 1:
                self._share, self._probe_interval = None, self._first_probe_seconds  # there is more than this process can use

    def _is_refused_repeatedly(self, seconds: float) -> bool:
        """Record a refusal and return whether a short Retry-After is no longer credible."""
        now = self._clock.monotonic()
        if now >= self._refused_until:  # else it was sent before the 429 arrived
            soon = self._share is not None or self._refused_until > max(now - self._first_probe_seconds, 0)
            self._ineffective = min(self._ineffective + 1, _CREDIBLE_REFUSALS) if soon else 0.0
        return seconds < self._first_probe_seconds and self._ineffective >= _CREDIBLE_REFUSALS

    def _schedule_probe(self) -> None:
        # Jitter, because several processes may have been refused at once.
        self._next_probe = self._clock.monotonic() + random.uniform(0.5, 1.0) * self._probe_interval  # noqa: S311 - jitter

    def learn(self, headers: Mapping[str, str]) -> None:
        """Record the limits that a response reports.

        ``X-RateLimit-Limit`` is the allowance an hour, not the rest of it (access tokens; anonymous callers get
        ``60, 60;w=3600``); ``X-RateLimit-NearLimit`` becomes ``true`` when about a fifth of it is left, used by
        any process; ``X-RateLimit-Remaining`` and ``-Reset`` (seconds, not a time) come to anonymous callers only.
        """
        limit = whole_number(headers.get("X-RateLimit-Limit", "").partition(",")[0])
        if limit and limit <= _MOST_CREDIBLE_LIMIT:
            self._reported = limit
        if near := headers.get("X-RateLimit-NearLimit", ""):
            self._set_near_limit(near.strip().lower() == "true")
        reset = whole_number(headers.get("X-RateLimit-Reset", ""))
        if headers.get("X-RateLimit-Remaining", "").strip() == "0" and reset is not None:
            self.pause(credible_wait(reset))

    def _set_near_limit(self, near: bool) -> None:
        if near and not self._near_limit:
            log.warning(
                "The budget for %s is nearly used up (%s requests an hour), Bitbucket reports; sending one request every %.1f s "
                "until it recovers.",
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
            # If the limit was lowered meanwhile, more than one request has to leave the window.
            waits.append((self._sent[-self.limit] + WINDOW_SECONDS - now, used))
        if self._share is not None and len(self._sent) >= self._share:
            free = self._sent[-self._share] + WINDOW_SECONDS if self._share else self._next_probe
            shared = f"Budget for {self.name} is used up by this process and others (429)"
            waits.append((min(free, self._next_probe) - now, shared))
        if self._near_limit and self._sent:
            # Other workers use the same token: continue at the pace that the hourly limit allows indefinitely.
            waits.append((self._sent[-1] + WINDOW_SECONDS / self.limit - now, ""))
        seconds, why = max(waits)
        return (seconds, why) if seconds > _SHORTEST_WAIT else (0.0, "")


_budgets: dict[tuple[str, str, Clock], RateBudget] = {}
_budgets_lock = threading.RLock()


def shared_budget(key: str, origin: str, name: str, cap: int | None, clock: Clock) -> RateBudget:
    """Return the budget that all clients of the process with the same credentials share.

    :param key: identifies credentials without containing them
    :param origin: where they are used; each host has its own budget
    :param name: name in log lines
    :param cap: requests an hour, None for what Bitbucket allows
    :param clock: source of time; each clock has its own budget
    """
    with _budgets_lock:
        budget = _budgets.setdefault((key, origin, clock), RateBudget(name, clock=clock))
    budget.lower_cap(cap)
    return budget
