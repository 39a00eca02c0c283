"""A clock for tests that wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow_provider_bitbucket.client import Clock

START = datetime(2026, 11, 2, 14, 28, tzinfo=UTC)


class Time:
    """Time that passes only during waits, or when a test sets ``seconds``."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []
        self.clock = Clock(lambda: self.seconds, self.sleep, lambda: START + timedelta(seconds=self.seconds))

    def sleep(self, seconds: float) -> None:
        """Record a wait and let its time pass at once."""
        self.waits.append(seconds)
        self.seconds += seconds
