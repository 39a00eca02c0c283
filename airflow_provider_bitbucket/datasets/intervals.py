"""What lies between two moments, and when a list that is newest first has been read far enough."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

#: Bitbucket gives some lists newest first but does not promise it, so they are read this far beyond the moment asked for.
_OVERLAP = timedelta(hours=1)


def moment(value: datetime | str | None) -> datetime | None:
    """Return a moment of Bitbucket's JSON, in any of its spellings, as datetime."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


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
    return newest is not None and newest < since - _OVERLAP
