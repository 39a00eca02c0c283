"""Time for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow_provider_bitbucket.client import Clock

START = datetime(2026, 11, 2, 14, 28, tzinfo=UTC)


class Time:
    """Time that passes only when somebody waits for it or a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.waits: list[float] = []
        self.clock = Clock(lambda: self.seconds, self.sleep, lambda: START + timedelta(seconds=self.seconds))

    def sleep(self, seconds: float) -> None:
        """Wait, in no time."""
        self.waits.append(seconds)
        self.seconds += seconds
