"""The period of a report, and the preceding period that it is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_provider_bitbucket.report.formats import days

WEEK = timedelta(weeks=1)


@dataclass(frozen=True)
class Period:
    """A period ``[since, until)``.

    :param since: inclusive start, with time zone
    :param until: exclusive end, with time zone
    :raises ValueError: the period is empty
    """

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.until <= self.since:
            raise ValueError(f"The period of a report is empty: since ({self.since}) has to be before until ({self.until})")

    @property
    def before(self) -> Period:
        """The period of the same length immediately before this one."""
        return Period(self.since - (self.until - self.since), self.since)

    @property
    def mondays(self) -> list[datetime]:
        """The Mondays of all weeks that this period and the one before touch, in UTC."""
        found, week = [], _monday(self.before.since)
        while week < self.until:
            found.append(week)
            week += WEEK
        return found

    @property
    def is_whole(self) -> bool:
        """Whether the period consists of whole weeks in UTC."""
        return _monday(self.since) == self.since and _monday(self.until) == self.until

    @property
    def words(self) -> str:
        """The first and last day, such as ``5 October to 1 November 2026``."""
        return days(self.since, self.until)


def last_whole_weeks(before: datetime, weeks: int) -> Period:
    """Return the period of the last whole ISO weeks (Monday to Sunday, UTC) that ended by a time.

    :param before: the time, with time zone
    :param weeks: number of weeks
    """
    until = _monday(before)
    return Period(until - weeks * WEEK, until)


def _monday(time: datetime) -> datetime:
    day = time.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())
