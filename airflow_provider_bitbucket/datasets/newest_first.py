"""Lists that Bitbucket gives newest first and can not bound by a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

Row = TypeVar("Row")

#: The order is what Bitbucket does, not what it promises, so a list is read this far beyond the moment asked for.
_OVERLAP = timedelta(hours=1)


def pages(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Yield rows in lists of a size, the last one shorter; no row is asked for before its list is."""
    rest = iter(rows)
    while page := list(islice(rest, size)):
        yield page


def within(
    rows: Iterable[Row], date: Callable[[Row], datetime | None], since: datetime | None, until: datetime | None, *, page: int
) -> Iterator[Row]:
    """Yield the rows dated in ``[since, until)``, reading until a whole page is older than ``since`` by an hour.

    :param rows: newest first
    :param date: moment of a row; one that has none belongs to no interval
    :param page: how many rows come with a request
    """
    for listed in pages(rows, page):
        dated = [(date(row), row) for row in listed]
        for moment, row in dated:
            if _lies_within(moment, since, until):
                yield row
        if since and passed((moment for moment, _ in dated), since):
            return


def passed(dates: Iterable[datetime | None], moment: datetime) -> bool:
    """Say whether a whole page is older than a moment, so that no later page is expected to have anything newer."""
    newest = max(filter(None, dates), default=None)
    return newest is not None and newest < moment - _OVERLAP


def _lies_within(moment: datetime | None, since: datetime | None, until: datetime | None) -> bool:
    if moment is None:
        return since is None and until is None
    return (since is None or since <= moment) and (until is None or moment < until)
