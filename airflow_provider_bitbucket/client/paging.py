"""Read lists page by page. Page sizes and the lists whose ``next`` is unreliable are known only here."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from airflow_provider_bitbucket.client.transport.errors import malformed_response

#: What most lists allow (developer.atlassian.com/cloud/bitbucket/rest/intro#pagination).
LARGEST_PAGE = 100
#: Pull requests and their activity answer 400 "Invalid pagelen" to more (seen on the live API, 2026-10).
LARGEST_PULL_REQUEST_PAGE = 50

#: Rows of a list that are remembered at least. What moves on to a later page while pages are read comes again soon.
_REMEMBERED = 2_500

#: Pages in a row that are empty or repeat earlier ones, in a list that ends; filtered lists have some empty pages.
_MOST_REPEATED = 10
#: A million rows in the shortest pages that Bitbucket gives by itself.
_MOST_PAGES = 100_000
#: How often pages are read again because rows have vanished.
_MOST_REREADS = 20

_ENVELOPE = "next,page,pagelen,size"

Row = dict[str, Any]
GetJson = Callable[[str, Mapping[str, Any] | None], Row]


def keep_envelope(fields: str | None) -> str | None:
    """Add what paging needs to a ``fields`` parameter: without ``next`` a list silently ends after its first page."""
    if fields is None or all(part.strip()[:1] in "+-" for part in fields.split(",")):
        return fields
    return f"{fields},{_ENVELOPE}"


@dataclass(frozen=True)
class Page:
    """A page of a list; ``next`` and ``values`` have to be well-formed.

    :param rows: its values
    :param next: address of the next page; None on the last
    :param size: rows of the whole list; None if unknown
    :param pagelen: most rows of a page; None if unknown
    """

    rows: list[Row]
    next: str | None
    size: int | None
    pagelen: int | None

    @classmethod
    def read(cls, document: Row, path: str) -> Self:
        """Read the JSON object of a page.

        :param path: of the list, for the error
        :raises BitbucketServerError: it is not a page
        """
        following = document.get("next")
        if following is not None and not (isinstance(following, str) and following):  # to end there could lose rows
            raise malformed_response(f"The list {path} has a malformed 'next': {following!r:.50} instead of an address.")
        return cls(rows_of(document, path), following, _count(document, "size"), _count(document, "pagelen") or None)


def _count(document: Row, name: str) -> int | None:
    value = document.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


class _Walk:
    """Ends a list that never ends: its pages lead in a circle, repeat earlier ones, or are too many.

    :param path: of the list, for the error
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._links: set[int] = set()  # hashes, which take less than a megabyte for a million rows
        self._pages: set[int] = set()
        self._count = self._repeated = 0

    def visit(self, rows: list[Row]) -> None:
        """Record a page and raise an error if the list does not end.

        :raises BitbucketServerError: the list does not end
        """
        page = hash(repr(rows))
        self._count += 1
        self._repeated = 0 if rows and page not in self._pages else self._repeated + 1
        self._pages.add(page)
        if self._repeated > _MOST_REPEATED or self._count > _MOST_PAGES:
            raise malformed_response(f"The list {self._path} does not end: {self._count:,} pages, the last without new rows.")

    def follow(self, link: str) -> str:
        """Return a link to a page that has not been read.

        :raises BitbucketServerError: it has
        """
        if hash(link) in self._links:
            raise malformed_response(
                f"The list {self._path} leads in a circle: a page names itself or an earlier one as the next."
            )
        self._links.add(hash(link))
        return link


def _page_length(page: Page, params: Mapping[str, Any]) -> int:
    """Return how many rows a full page has: never more than was asked for, or the list would seem to end early."""
    asked = int(params["pagelen"])
    return min(page.pagelen or asked, asked)


def by_next(get: GetJson, path: str, params: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the values of a list by following ``next``, which is opaque (page numbers, letters, ``ctx``, ``after``)."""
    walk = _Walk(path)
    page = Page.read(get(path, params), path)
    while True:
        walk.visit(page.rows)
        yield from page.rows
        if page.next is None:
            return
        page = Page.read(get(walk.follow(page.next), None), path)


def by_next_without_gaps(get: GetJson, path: str, params: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the values of a list that may shrink while it is read, following ``next``; may repeat values.

    If a row of an earlier page vanishes, later rows move up, and some of them move onto a page that has been read already. A
    smaller ``size`` shows that, unless as many rows were added; then the pages that those rows can be on are read again.

    :raises BitbucketServerError: it is no list, or rows keep vanishing while it is read
    """
    requests: list[tuple[str, Mapping[str, Any] | None]] = [(path, params)]
    walk, before, read_again = _Walk(path), 0, 0
    while True:
        page = Page.read(get(*requests[-1]), path)
        yield from page.rows
        size = before if page.size is None else page.size
        if gone := max(before - size, 0):
            read_again += 1
            if read_again > _MOST_REREADS:
                raise malformed_response(f"The list {path} has become shorter {read_again} times while it was read.")
            pages = -(-gone // _page_length(page, params))
            del requests[max(len(requests) - pages, 1) :]
            walk = _Walk(path)
        elif page.next:
            walk.visit(page.rows)
            requests.append((walk.follow(page.next), None))
        else:
            return
        before = size


def by_number(get: GetJson, path: str, params: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the values of a list page by page by number, until a page is short.

    For lists of the Pipelines service: their ``next`` has lost the sort order or led to an internal host, and was missing or
    too much at the end (BCLOUD-13806, BCLOUD-20910, BCLOUD-22441).
    """
    number, before, walk = 1, None, _Walk(path)
    while True:
        document = get(path, {**params, "page": number})
        page = Page.read({**document, "next": None}, path)
        if page.rows and page.rows == before:
            raise malformed_response(f"The list {path} takes no page numbers: pages {number - 1} and {number} are the same.")
        walk.visit(page.rows)
        yield from page.rows
        if len(page.rows) < _page_length(page, params):
            return
        number, before = number + 1, page.rows


def own_id(row: Row) -> Hashable | None:
    """Return the identity of a row: uuid, hash or id; None if it has none."""
    identity = row.get("uuid") or row.get("hash") or row.get("id")
    return identity if isinstance(identity, str | int) else None


def deduplicate(
    rows: Iterable[Row], seen: set[Hashable] | None = None, identity: Callable[[Row], Hashable | None] = own_id
) -> Iterator[Row]:
    """Yield each identified row once: lists shift while they are read, so that a row can occur on two pages.

    :param seen: identities that were yielded already; grows. None: remember only the last few thousand
    :param identity: returns the identity of a row; None: yield it every time
    """
    lately: set[Hashable] = set() if seen is None else seen
    before: set[Hashable] = set()
    for row in rows:
        key = _identity_of(row, identity)
        if key is not None:
            if key in lately or key in before:
                continue
            lately.add(key)
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
        raise malformed_response(f"{path} is not a list: its answer has no 'values'.")
    return values
