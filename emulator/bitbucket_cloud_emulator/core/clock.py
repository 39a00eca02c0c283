"""The emulator's time: it starts where it is told, runs as fast as it is told, and can be pushed forward."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that can be sped up, set and advanced; nothing else in the emulator asks for the time.

    :param start: the first instant; the present when not given
    :param speed: emulated seconds per real second; 0 stands still until :meth:`advance` or :meth:`set`
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
            raise ValueError(f"speed is {value}; expected 0 (stand still) or more")
        self.set(self.now())
        self._speed = value

    def now(self) -> datetime:
        """The emulated instant, in UTC."""
        return self._base + timedelta(seconds=(time.monotonic() - self._real) * self._speed)

    def set(self, instant: datetime) -> None:
        """Jump to an instant."""
        self._base = instant.astimezone(UTC)
        self._real = time.monotonic()

    def advance(self, seconds: float) -> None:
        """Jump forward by so many emulated seconds."""
        self.set(self.now() + timedelta(seconds=seconds))
