"""Where time comes from."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Clock:
    """Time and how to wait for it. A test brings its own, so that no test has to wait.

    :param monotonic: seconds that only ever grow
    :param sleep: waits so many seconds
    :param now: the present, with time zone; for what is written in logs and read in headers
    """

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = _utc_now

    def timestamp(self) -> float:
        """Return the present in seconds since 1970, which processes can compare."""
        return self.now().timestamp()


SYSTEM_CLOCK = Clock()
