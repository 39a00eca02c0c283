"""What lies between two moments, and when a list that is newest first has been read far enough."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

#: Bitbucket gives some lists newest first but does not promise it, so they are read this far beyond the moment asked for.
OVERLAP = timedelta(hours=1)


#: A day inside what ``datetime`` can hold, so that an offset or an overlap can be added to every timestamp.
EARLIEST, LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
#: What git accepts and ``datetime`` does not: a leap second, and offsets of more than a day.
_UNUSUAL = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d):([0-5]\d|60)(\.\d{1,6})?\d*(?:Z|([+-])(\d\d):?(\d\d))", re.ASCII)


def parse_timestamp(value: object) -> datetime | None:
    """Return a timestamp of Bitbucket's JSON, in any of its spellings, as datetime with time zone; None if it is none.

    Never raises. A leap second is the second after it, and an offset such as ``+51:00`` is subtracted like any other: both name
    one point in time, so the nearest value is the exact one. What lies outside of the years 1 to 9999 is None.
    """
    found: datetime | None = None
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = _unusual(value)
    elif isinstance(value, datetime) and value == value:
        found = value
    if found is None:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found if EARLIEST <= found <= LATEST else None


def _unusual(text: str) -> datetime | None:
    parts = _UNUSUAL.fullmatch(text)
    if parts is None:
        return None
    minute, seconds, fraction, sign, hours, minutes = parts.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        found = datetime.fromisoformat(minute).replace(tzinfo=UTC) + timedelta(seconds=int(seconds) + float(fraction or 0))
        return found + offset if sign == "-" else found - offset
    except (ValueError, OverflowError):
        return None


def date_at(json: object, *path: str) -> datetime | None:
    """Return the timestamp at a path of Bitbucket's JSON; None where there is none, whatever is there instead."""
    for name in path:
        json = json.get(name) if isinstance(json, Mapping) else None
    return parse_timestamp(json)


def within(date: datetime | None, since: datetime | None, until: datetime | None) -> bool:
    """Say whether a date lies in ``[since, until)``. What has no date belongs to no interval, but to the whole."""
    if date is None:
        return since is None and until is None
    return (since is None or since <= date) and (until is None or date < until)


def chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of so many rows, taking no row before it is needed."""
    rest = iter(rows)
    while chunk := list(islice(rest, size)):
        yield chunk


def passed(dates: Iterable[datetime | None], since: datetime) -> bool:
    """Say whether a whole page is older than a moment, so that no later page is expected to have anything newer."""
    newest = max(filter(None, dates), default=None)
    return newest is not None and newest < since - OVERLAP


def back_to(
    rows: Iterable[T],
    date: Callable[[T], datetime | None],
    since: datetime | None,
    until: datetime | None,
    *,
    page: int,
    old_pages: int = 1,
) -> Iterator[T]:
    """Yield the rows dated in ``[since, until)`` of a list that is newest first, reading no further than it has to.

    :param rows: newest first
    :param date: moment of a row; one that has none belongs to no interval
    :param page: how many rows come with a request; reading ends when all of a page has :func:`passed`
    :param old_pages: or of so many in a row, where old rows can stand above new ones
    """
    old = 0
    for listed in chunks(rows, page):
        yield from (row for row in listed if within(date(row), since, until))
        old = old + 1 if since and passed(map(date, listed), since) else 0
        if old == old_pages:
            return
