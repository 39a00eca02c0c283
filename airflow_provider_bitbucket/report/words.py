"""Numbers as people say them. English whatever the locale, so that the same frames give the same page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

NOTHING, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def duration(seconds: float | None) -> str:
    """Return seconds in the two largest units: ``1 d 4 h``, ``12 min 5 s``."""
    if seconds is None:
        return NOTHING
    for (size, unit), (fine, fine_unit) in pairwise(_UNITS):
        rounded = round(seconds / fine) * fine
        if rounded >= size:
            whole, rest = divmod(rounded, size)
            return f"{whole:,} {unit}" + (f" {rest // fine} {fine_unit}" if rest else "")
    return f"{round(seconds)} s"


def share(value: float | None) -> str:
    """Return a share between 0 and 1 in percent."""
    return NOTHING if value is None else f"{value:.0%}" if value in (0, 1) else f"{value:.1%}"


def count(value: float | None) -> str:
    """Return a whole number."""
    return NOTHING if value is None else f"{value:,.0f}"


SAY: dict[str, Callable[[float | None], str]] = {"duration": duration, "share": share, "count": count}


def day(moment: datetime, *, with_year: bool = False) -> str:
    """Return a day in UTC: ``5 October``."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {_MONTHS[moment.month - 1]}" + (f" {moment.year}" if with_year else "")


def short_day(moment: datetime) -> str:
    """Return a day for an axis: ``5 Oct``."""
    moment = moment.astimezone(UTC)
    return f"{moment.day} {_MONTHS[moment.month - 1][:3]}"


def days(since: datetime, until: datetime) -> str:
    """Return a period by its first and its last day in UTC."""
    last = until.astimezone(UTC) - timedelta(microseconds=1)
    first = day(since, with_year=since.astimezone(UTC).year != last.year)
    return f"{first} to {day(last, with_year=True)}"


def plural(many: int, one: str) -> str:
    """Return ``1 week``, ``2 weeks``; of a thing whose plural ends in s or ies."""
    more = f"{one[:-1]}ies" if one.endswith("y") else f"{one}s"
    return f"{many:,} {one if many == 1 else more}"
