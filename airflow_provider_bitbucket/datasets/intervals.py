"""Intervals ``[since, until)``: parse timestamps, filter rows by date, and stop reading lists that are newest first."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

#: Bitbucket returns some lists newest first but does not promise it, so they are read this far beyond ``since``.
OVERLAP = timedelta(hours=1)


#: A day inside what ``datetime`` can hold, so that an offset or an overlap can be added to every timestamp.
EARLIEST, LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
#: Accepted by git but not by ``datetime``: a leap second, and offsets of more than a day.
_UNUSUAL = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d):([0-5]\d|60)(\.\d{1,6})?\d*(?:Z|([+-])(\d\d):?(\d\d))", re.ASCII)


def parse_timestamp(value: object) -> datetime | None:
    """Return a timestamp of Bitbucket's JSON, in any of its spellings, as datetime with time zone; None if it is malformed.

    Never raises. A leap second becomes the second after it, and an offset such as ``+51:00`` is subtracted like any other. A
    timestamp outside of the years 1 to 9999 is None.
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
    """Return the timestamp at a path of Bitbucket's JSON; None if it is missing or malformed."""
    for name in path:
        json = json.get(name) if isinstance(json, Mapping) else None
    return parse_timestamp(json)


def within(date: datetime | None, since: datetime | None, until: datetime | None) -> bool:
    """Return whether a date is in ``[since, until)``. A missing date is only in the interval without bounds."""
    if date is None:
        return since is None and until is None
    return (since is None or since <= date) and (until is None or date < until)


def chunks(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield rows in lists of this size, reading no row before it is needed."""
    rest = iter(rows)
    while chunk := list(islice(rest, size)):
        yield chunk


def passed(dates: Iterable[datetime | None], since: datetime) -> bool:
    """Return whether a whole page is so much older than ``since`` that later pages are not expected to have newer rows."""
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
    """Yield the rows dated in ``[since, until)`` of a list that is newest first, and stop reading after them.

    :param rows: newest first
    :param date: returns the date of a row; a row without one is in no interval
    :param page: rows of a request; reading stops when a whole page has :func:`passed`
    :param old_pages: number of consecutive pages that must have passed, for lists in which old rows can precede new ones
    """
    old = 0
    for listed in chunks(rows, page):
        yield from (row for row in listed if within(date(row), since, until))
        old = old + 1 if since and passed(map(date, listed), since) else 0
        if old == old_pages:
            return
