"""The time that a report is about, and the one before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_provider_bitbucket.report.words import days

WEEK = timedelta(weeks=1)


@dataclass(frozen=True)
class Period:
    """A period ``[since, until)``.

    :param since: first moment, with time zone
    :param until: first moment that is too late
    :raises ValueError: it is empty
    """

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.until <= self.since:
            raise ValueError(f"A report is of a period; since ({self.since}) has to be before until ({self.until})")

    @property
    def before(self) -> Period:
        """The period of the same length right before it."""
        return Period(self.since - (self.until - self.since), self.since)

    @property
    def mondays(self) -> list[datetime]:
        """The Mondays of the weeks of both, by which metrics name weeks."""
        found, week = [], _monday(self.before.since)
        while week < self.until:
            found.append(week)
            week += WEEK
        return found

    @property
    def is_whole(self) -> bool:
        """Whether it consists of whole weeks in UTC."""
        return _monday(self.since) == self.since and _monday(self.until) == self.until

    @property
    def words(self) -> str:
        """Its days, such as ``5 October to 1 November 2026``."""
        return days(self.since, self.until)


def last_whole_weeks(moment: datetime, weeks: int) -> Period:
    """Return the last whole ISO weeks in UTC before a moment.

    :param weeks: how many
    """
    until = _monday(moment)
    return Period(until - weeks * WEEK, until)


def _monday(moment: datetime) -> datetime:
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())
