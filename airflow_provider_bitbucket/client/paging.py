"""How lists are read. Page sizes and the ways in which ``next`` can not be trusted are known here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow_provider_bitbucket.client.errors import BitbucketError, BitbucketServerError

#: What most lists allow (developer.atlassian.com/cloud/bitbucket/rest/intro#pagination).
LARGEST_PAGE = 100
#: Pull requests and their activity answer 400 "Invalid pagelen" to more (seen on the live API, 2026-10).
LARGEST_PULL_REQUEST_PAGE = 50

_ENVELOPE = "next,page,pagelen,size"

GetJson = Callable[[str, Mapping[str, Any] | None], dict[str, Any]]


def keep_envelope(fields: str | None) -> str | None:
    """Add what paging needs to a ``fields`` parameter: without ``next`` a list silently ends after its first page."""
    if fields is None or all(part.strip()[:1] in "+-" for part in fields.split(",")):
        return fields
    return f"{fields},{_ENVELOPE}"


def by_next(get: GetJson, path: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the values of a list by following ``next``, which is opaque (page numbers, letters, ``ctx``, ``after``)."""
    page = get(path, params)
    seen: set[str] = set()
    while True:
        yield from _values(page, path)
        link = page.get("next")
        if not link:
            return
        if link in seen:
            raise BitbucketServerError(f"The list {path} leads in a circle: a page names itself as the next.", status=502)
        seen.add(link)
        page = get(link, None)


def by_number(get: GetJson, path: str, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the values of a list whose ``next`` loses the sort order (pipelines), counting the pages ourselves.

    The list may grow at its front meanwhile and push a row on to the next page, so rows are told apart by ``uuid``.
    """
    seen: set[str] = set()
    number = 1
    while True:
        page = get(path, {**params, "page": number})
        values = _values(page, path)
        for value in values:
            if (uuid := value.get("uuid")) in seen:
                continue
            if uuid:
                seen.add(uuid)
            yield value
        if len(values) < int(page.get("pagelen") or params["pagelen"]):
            return
        number += 1


def _values(page: dict[str, Any], path: str) -> list[dict[str, Any]]:
    values = page.get("values")
    if not isinstance(values, list):
        raise BitbucketError(f"{path} is not a list: its answer has no 'values'.")
    return values
