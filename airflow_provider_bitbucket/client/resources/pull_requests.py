"""Pull requests and what hangs on them."""

from __future__ import annotations

import logging
from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from airflow_provider_bitbucket.client import bbql
from airflow_provider_bitbucket.client.paging import LARGEST_PULL_REQUEST_PAGE, deduplicate, rows_of
from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.errors import BitbucketServerError
from airflow_provider_bitbucket.client.transport.urls import segment

log = logging.getLogger(__name__)

STATES = ("OPEN", "MERGED", "DECLINED", "SUPERSEDED")

#: What the list leaves out unless asked, and what saves a request for every pull request. ``closed_on`` is not in the published
#: specification (Atlassian names it in BCLOUD-22709); where it is missing, the activity has it.
WITH_REVIEWS = "+values.participants,+values.reviewers,+values.closed_on,+values.merge_commit.date"


class PullRequests(Resource):
    """Pull requests of a repository."""

    def list(
        self,
        repository: str,
        *,
        states: Iterable[str] | None = None,
        updated_since: datetime | None = None,
        q: str | None = None,
        fields: str | None = WITH_REVIEWS,
    ) -> Iterator[dict[str, Any]]:
        """Yield pull requests, oldest first, each once. Costs one request for every 50.

        Sorted by ``created_on``, which does not move: a pull request that is updated while pages are read is neither missed nor
        given twice. There is no upper bound to ask for: one on ``updated_on`` would drop what changes meanwhile. For the same
        reason ask for all states and choose yourself where none may be missed: one that leaves the list while it is read (it
        was OPEN and is merged) moves the others up, over the edge of a page.

        :param repository: slug, or ``workspace/slug``
        :param states: OPEN, MERGED, DECLINED, SUPERSEDED; all by default (Bitbucket's own default is OPEN alone)
        :param updated_since: only those updated at or after this time
        :param q: further BBQL condition; quote its values with :func:`bbql.quote`
        :param fields: partial response; by default with reviewers, approvals and close time; None: what Bitbucket gives by itself
        :raises ValueError: a state that does not exist, or none at all
        """
        wanted = STATES if states is None else tuple(states)
        if not wanted or set(wanted) - set(STATES):
            raise ValueError(f"Pull-request states are {wanted!r}; expected some of {STATES}")
        since = f"updated_on >= {bbql.quote(updated_since)}" if updated_since else None
        # With q present Bitbucket ignores state=, so the states stand in q.
        params = {"q": bbql.all_of(bbql.one_of("state", wanted), since, q)}
        if fields:
            params["fields"] = fields if fields.strip()[0] in "+-" else f"{fields},values.id"
        return self._each_once(f"{self._api.repository_path(repository)}/pullrequests", params)

    def get(self, repository: str, number: int) -> dict[str, Any]:
        """Return a pull request with reviewers and participants.

        Its commits have hashes of 12 characters; :meth:`Commits.get` returns the full one.
        """
        return self._api.get(self._path(repository, number))

    def numbered(self, repository: str, numbers: Iterable[int]) -> Sequence[dict[str, Any]]:
        """Return those of these pull requests that there are, whatever their state. Costs one request.

        ``id`` can be filtered by (developer.atlassian.com/cloud/bitbucket/rest/intro, "Filtering": pull requests).

        :param repository: slug, or ``workspace/slug``
        :param numbers: 50 at most, which is what a page shows
        :raises ValueError: they are more
        """
        wanted = [*dict.fromkeys(numbers)]
        if len(wanted) > LARGEST_PULL_REQUEST_PAGE:
            raise ValueError(f"{len(wanted)} pull requests are asked for at once; expected {LARGEST_PULL_REQUEST_PAGE} at most")
        # Without the states only open ones may come.
        params = {
            "q": bbql.all_of(bbql.one_of("state", STATES), bbql.one_of("id", wanted)),
            "pagelen": LARGEST_PULL_REQUEST_PAGE,
        }
        path = f"{self._api.repository_path(repository)}/pullrequests"
        return rows_of(self._api.get_page(path, params, follow_next=False), path)

    def activity(self, repository: str, number: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield the timeline, newest first: of one pull request, or of all of them. Costs one request for every 50 entries.

        An entry has ``pull_request`` and one of ``update``, ``approval``, ``changes_requested``, ``comment``; others may come.
        """
        path = (
            f"{self._api.repository_path(repository)}/pullrequests/activity"
            if number is None
            else f"{self._path(repository, number)}/activity"
        )
        return deduplicate(self._api.paginate(path, pagelen=LARGEST_PULL_REQUEST_PAGE), identity=_entry_identity)

    def comments(self, repository: str, number: int) -> Iterator[dict[str, Any]]:
        """Yield the comments, deleted ones (empty) included."""
        return self._api.paginate(f"{self._path(repository, number)}/comments")

    def commits(self, repository: str, number: int) -> Iterator[dict[str, Any]]:
        """Yield the commits, newest first, as they were before a squash."""
        return self._api.paginate(f"{self._path(repository, number)}/commits")

    def diffstat(self, repository: str, number: int) -> Iterator[dict[str, Any]]:
        """Yield a row for every changed file. Bitbucket answers 400 when the branches have no common history."""
        return self._api.paginate(f"{self._path(repository, number)}/diffstat")

    def statuses(self, repository: str, number: int) -> Iterator[dict[str, Any]]:
        """Yield the build statuses of the head, old ones included: the latest ``updated_on`` of each ``key`` counts."""
        return self._api.paginate(f"{self._path(repository, number)}/statuses")

    def _path(self, repository: str, number: int) -> str:
        return f"{self._api.repository_path(repository)}/pullrequests/{segment(number)}"

    def _each_once(self, path: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        seen: set[Hashable] = set()
        try:
            yield from deduplicate(self._rows(path, {**params, "sort": "created_on"}), seen)
        except BitbucketServerError as error:
            if error.status != 500:
                raise
            # Large repositories have answered a lasting 500 to a sorted list with several states; unsorted it works, and what
            # was already given is known by its id.
            log.warning("Bitbucket cannot sort the pull requests of %s (500); reading them unsorted.", path)
            yield from deduplicate(self._rows(path, params), seen)

    def _rows(self, path: str, params: dict[str, Any]) -> Iterator[dict[str, Any]]:
        return self._api.paginate(path, params, pagelen=LARGEST_PULL_REQUEST_PAGE)


def _entry_identity(entry: dict[str, Any]) -> Hashable | None:
    """Return what reports an entry of the timeline apart: it has no id, and a growing feed pushes it on to the next page."""
    for kind, what in entry.items():
        if kind != "pull_request" and isinstance(what, dict) and (date := what.get("date") or what.get("created_on")):
            who = what.get("author") or what.get("user") or {}
            return (entry.get("pull_request") or {}).get("id"), kind, what.get("id"), date, who.get("uuid")
    return None
