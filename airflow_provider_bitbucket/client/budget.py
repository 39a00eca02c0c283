"""The request budget of a credential: 1,000 requests in any hour, shared by all threads of the process.

Source: support.atlassian.com/bitbucket-cloud/docs/api-request-limits (rolling hour; counted per user, per access token,
per OAuth consumer). Only access tokens are told their limit (``X-RateLimit-*``), so requests are counted here.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

log = logging.getLogger(__name__)

WINDOW_SECONDS = 3600.0
DEFAULT_LIMIT = 1000
_SHORTEST_WAIT = 0.001  # below that it is rounding, not waiting


class RateBudget:
    """A moving window that paces: who asks for a place waits until there is one.

    :param name: what log lines call it; never the credential itself
    :param limit: requests in any window
    :param window: length of the window in seconds
    :param clock: monotonic seconds
    :param sleep: waits so many seconds
    """

    def __init__(
        self,
        name: str = "these credentials",
        limit: int = DEFAULT_LIMIT,
        *,
        window: float = WINDOW_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if limit < 1:
            raise ValueError(f"rate limit is {limit}; expected at least 1 request an hour")
        self.name = name
        self.limit = limit
        self.window = window
        self._clock = clock
        self._sleep = sleep
        self._sent: deque[float] = deque()
        self._blocked_until = 0.0
        self._lock = threading.Lock()

    @property
    def remaining(self) -> int:
        """Requests that could be sent now, as far as this process knows."""
        with self._lock:
            return 0 if self._wait_seconds() else self.limit - len(self._sent)

    def acquire(self) -> None:
        """Take one place in the window; waits for it, with a log line that says how long and why."""
        told = False
        while True:
            with self._lock:
                seconds = self._wait_seconds()
                if not seconds:
                    self._sent.append(self._clock())
                    return
            if not told:
                told = True
                until = datetime.now(UTC) + timedelta(seconds=seconds)
                log.warning(
                    "Budget for %s is used up (%s requests in the last hour); waiting %.0f s, until %s UTC.",
                    self.name,
                    f"{self.limit:,}",
                    seconds,
                    until.strftime("%H:%M:%S"),
                )
            self._sleep(seconds)

    def pause(self, seconds: float) -> None:
        """Hold all requests of this credential back: Bitbucket answered 429 to one of them."""
        with self._lock:
            self._blocked_until = max(self._blocked_until, self._clock() + seconds)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over the hourly allowance that Bitbucket tells to access tokens.

        ``X-RateLimit-Limit`` is the allowance an hour, not the rest of it; anonymous callers get ``60, 60;w=3600``.
        """
        told = headers.get("X-RateLimit-Limit", "").partition(",")[0].strip()
        if told.isdigit() and int(told) > 0:
            self.limit = int(told)

    def _wait_seconds(self) -> float:
        now = self._clock()
        while self._sent and self._sent[0] <= now - self.window + _SHORTEST_WAIT:
            self._sent.popleft()
        full = self._sent[0] + self.window - now if len(self._sent) >= self.limit else 0.0
        seconds = max(full, self._blocked_until - now)
        return seconds if seconds > _SHORTEST_WAIT else 0.0


_budgets: dict[str, RateBudget] = {}
_budgets_lock = threading.Lock()


def shared_budget(key: str, name: str, limit: int) -> RateBudget:
    """Return the process's one budget of a credential, made at first use.

    :param key: tells credentials apart without containing them
    :param name: what log lines call it
    :param limit: requests an hour
    """
    with _budgets_lock:
        if key not in _budgets:
            _budgets[key] = RateBudget(name, limit)
        return _budgets[key]
