"""Format numbers and dates for people, in English regardless of the locale, so that the same frames give the same page."""

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
    """Format seconds in the two largest units: ``1 d 4 h``, ``12 min 5 s``."""
    if seconds is None:
        return NOTHING
    for (size, unit), (fine, fine_unit) in pairwise(_UNITS):
        rounded = round(seconds / fine) * fine
        if rounded >= size:
            whole, rest = divmod(rounded, size)
            return f"{whole:,} {unit}" + (f" {rest // fine} {fine_unit}" if rest else "")
    return f"{round(seconds)} s"


def share(value: float | None) -> str:
    """Format a share between 0 and 1 as a percentage; only exactly 0 and 1 have no decimal."""
    return NOTHING if value is None else f"{value:.0%}" if value in (0, 1) else f"{value:.1%}"


def count(value: float | None) -> str:
    """Format a number without decimals and with thousands separators."""
    return NOTHING if value is None else f"{value:,.0f}"


#: Unit of a chart or kind of a headline number -> formatter.
FORMATS: dict[str, Callable[[float | None], str]] = {"duration": duration, "share": share, "count": count}


def day(time: datetime, *, with_year: bool = False) -> str:
    """Format the day in UTC: ``5 October``."""
    time = time.astimezone(UTC)
    return f"{time.day} {_MONTHS[time.month - 1]}" + (f" {time.year}" if with_year else "")


def short_day(time: datetime) -> str:
    """Format the day in UTC for an axis: ``5 Oct``."""
    time = time.astimezone(UTC)
    return f"{time.day} {_MONTHS[time.month - 1][:3]}"


def days(since: datetime, until: datetime) -> str:
    """Format the interval ``[since, until)`` as its first and last day in UTC."""
    last = until.astimezone(UTC) - timedelta(microseconds=1)
    first = day(since, with_year=since.astimezone(UTC).year != last.year)
    return f"{first} to {day(last, with_year=True)}"


def plural(many: int, one: str) -> str:
    """Return a count with its noun, ``1 week`` or ``2 weeks``; the plural must end in ``s`` or ``ies``."""
    more = f"{one[:-1]}ies" if one.endswith("y") else f"{one}s"
    return f"{many:,} {one if many == 1 else more}"
