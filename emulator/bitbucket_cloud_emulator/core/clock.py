"""The emulated clock, with a start, a speed, and jumps."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that can be sped up, set and advanced; the only source of time in the emulator.

    :param start: start; the current time by default
    :param speed: emulated seconds per real second; 0 stops it until :meth:`advance` or :meth:`set`
    """

    def __init__(self, start: datetime | None = None, speed: float = 1.0) -> None:
        self.start = start or datetime.now(UTC)
        self._base = self.start
        self._real = time.monotonic()
        self._speed = speed

    @property
    def speed(self) -> float:
        """Emulated seconds per real second."""
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        if value < 0:
            raise ValueError(f"speed is {value}; expected 0 (stopped) or more")
        self.set(self.now())
        self._speed = value

    def now(self) -> datetime:
        """The emulated time, in UTC."""
        return self._base + timedelta(seconds=(time.monotonic() - self._real) * self._speed)

    def set(self, time_point: datetime) -> None:
        """Jump to a point in time."""
        self._base = time_point.astimezone(UTC)
        self._real = time.monotonic()

    def advance(self, seconds: float) -> None:
        """Jump forward by so many emulated seconds."""
        self.set(self.now() + timedelta(seconds=seconds))
