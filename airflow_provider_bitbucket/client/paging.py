"""How lists are read. Page sizes and the ways in which ``next`` can not be trusted are known here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_bitbucket.client.errors import BitbucketServerError, broken_answer

#: What most lists allow (developer.atlassian.com/cloud/bitbucket/rest/intro#pagination).
LARGEST_PAGE = 100
#: Pull requests and their activity answer 400 "Invalid pagelen" to more (seen on the live API, 2026-10).
LARGEST_PULL_REQUEST_PAGE = 50

#: Rows of a list that are remembered at least. What moves on to a later page while pages are read comes again soon.
_REMEMBERED = 2_500

_ENVELOPE = "next,page,pagelen,size"

Row = dict[str, Any]
GetJson = Callable[[str, Mapping[str, Any] | None], Row]


def keep_envelope(fields: str | None) -> str | None:
    """Add what paging needs to a ``fields`` parameter: without ``next`` a list silently ends after its first page."""
    if fields is None or all(part.strip()[:1] in "+-" for part in fields.split(",")):
        return fields
    return f"{fields},{_ENVELOPE}"


def by_next(get: GetJson, path: str, params: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the values of a list by following ``next``, which is opaque (page numbers, letters, ``ctx``, ``after``)."""
    page = get(path, params)
    seen: set[str] = set()
    while True:
        yield from rows_of(page, path)
        link = page.get("next")
        if not link:
            return
        if link in seen:
            raise BitbucketServerError(f"The list {path} leads in a circle: a page names itself as the next.")
        seen.add(link)
        page = get(link, None)


def by_next_without_gaps(get: GetJson, path: str, params: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the values of a list whose rows can vanish, by following ``next``; those of some pages twice.

    What vanishes from a page that was read moves the rows behind it up, over the edge of that page. ``size`` tells it, unless
    as many came in the same moment; then as many pages before are read again as the rows can have moved.
    """
    asked: list[tuple[str, Mapping[str, Any] | None]] = [(path, params)]
    before = 0
    while True:
        page = get(*asked[-1])
        yield from rows_of(page, path)
        size = int(page.get("size") or 0)
        if gone := max(before - size, 0):
            pages = -(-gone // int(page.get("pagelen") or params["pagelen"]))
            del asked[max(len(asked) - pages, 1) :]
        elif link := page.get("next"):
            asked.append((link, None))
        else:
            return
        before = size


def by_number(get: GetJson, path: str, params: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the values of a list page by page by number, until a page is short.

    For lists of the Pipelines service: their ``next`` has lost the sort order or led to an internal host, and was missing or
    too much at the end (BCLOUD-13806, BCLOUD-20910, BCLOUD-22441).
    """
    number, before = 1, None
    while True:
        page = get(path, {**params, "page": number})
        values = rows_of(page, path)
        if values and values == before:
            raise BitbucketServerError(f"The list {path} takes no page numbers: pages {number - 1} and {number} are the same.")
        yield from values
        if len(values) < int(page.get("pagelen") or params["pagelen"]):
            return
        number, before = number + 1, values


def own_id(row: Row) -> Hashable | None:
    """Return what most rows are told apart by; None for a row that has no id."""
    identity: Hashable | None = row.get("uuid") or row.get("hash") or row.get("id")
    return identity


def each_once(
    rows: Iterable[Row], seen: set[Hashable] | None = None, identity: Callable[[Row], Hashable | None] = own_id
) -> Iterator[Row]:
    """Yield rows, those that can be told apart once: lists shift while they are read, so that a row can come again.

    :param seen: which have been given already; grows. None: the last some thousand are remembered, so that memory does not grow
    :param identity: what tells a row apart; None for one that is given whenever it comes
    """
    lately: set[Hashable] = set() if seen is None else seen
    before: set[Hashable] = set()
    for row in rows:
        told = _identity_of(row, identity)
        if told is not None:
            if told in lately or told in before:
                continue
            lately.add(told)
            if seen is None and len(lately) == _REMEMBERED:
                before, lately = lately, set()
        yield row


def _identity_of(row: Row, identity: Callable[[Row], Hashable | None]) -> Hashable | None:
    """Return what identifies a row; None for one that is malformed, which costs its list nothing."""
    try:
        found = identity(row)
        hash(found)
    except (TypeError, AttributeError):
        return None
    return found


def rows_of(page: Row, path: str) -> list[Row]:
    """Return the values of a page.

    :param page: the answer
    :param path: of the list, for the error
    :raises BitbucketServerError: it is no list
    """
    values = page.get("values")
    if not isinstance(values, list):
        raise broken_answer(f"{path} is not a list: its answer has no 'values'.")
    return values
