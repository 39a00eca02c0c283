"""Waiting for the state of a pull request."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.triggers.base import BitbucketWaitTrigger, WaitParameters
from airflow_provider_bitbucket.triggers.fetching import SingleRequests, batches
from airflow_provider_bitbucket.triggers.wait_condition import WaitState

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.triggers.poller import FetchStep

__all__ = ["BitbucketPullRequestTrigger"]

#: States that never change: Bitbucket cannot reopen a pull request.
FINAL_STATES = ("MERGED", "DECLINED", "SUPERSEDED")


class PullRequestFetcher:
    """Fetch 50 pull requests with one request, and one that the list does not show with a request of its own.

    :param client: makes one attempt per request
    :param repository: slug, or ``workspace/slug``
    """

    def __init__(self, client: BitbucketClient, repository: str) -> None:
        self._client = client
        self._repository = repository
        self._singles = SingleRequests()

    def fetch(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[FetchStep]:
        """Yield pull requests by number (:class:`StatusFetcher`)."""
        from airflow_provider_bitbucket.client.paging import LARGEST_PULL_REQUEST_PAGE
        from airflow_provider_bitbucket.client.transport.malformed import read_rows

        self._singles.keep(waiting)
        unseen = dict.fromkeys(due)
        for page, numbers in enumerate(batches(due, waiting, LARGEST_PULL_REQUEST_PAGE)):
            if len(numbers) > 1:
                rows = self._client.pull_requests.numbered(self._repository, map(int, numbers))
                # A malformed row is left out: its pull request gets a request of its own.
                found, _ = read_rows([*rows], lambda row: (str(row["id"]), row), f"pull requests of {self._repository}")
                answers = dict(found)
                unseen = {number: None for number in unseen if number not in answers}
                yield ("page", page), answers
        for number in self._singles.in_order(unseen):
            yield number, {number: self._ask(number)}

    def _ask(self, number: str) -> Any:
        return self._singles.send(number, lambda: self._client.pull_requests.get(self._repository, int(number)))


class BitbucketPullRequestTrigger(BitbucketWaitTrigger):
    """Wait until a pull request has one of some states.

    :param pull_request: its number
    :param states: some of MERGED, DECLINED, SUPERSEDED, OPEN
    :param common: as for :class:`~airflow_provider_bitbucket.triggers.base.BitbucketWaitTrigger`
    """

    fetcher = PullRequestFetcher
    label = "the pull request"
    fields = ("pull_request", "states")

    def __init__(self, *, pull_request: int, states: Sequence[str], **common: Unpack[WaitParameters]) -> None:
        super().__init__(**common)
        self.pull_request = pull_request
        self.states = list(states)

    @property
    def subject(self) -> str:
        """The number."""
        return str(self.pull_request)

    def evaluate(self, response: Mapping[str, Any]) -> WaitState:
        """Return what a pull request's state means for the wait, which continues in unknown states."""
        from airflow_provider_bitbucket.client.transport.malformed import text

        state = text(response["state"])
        found = summary(response)
        message = f"Pull request #{response['id']} is {state}."
        if state in self.states:
            return WaitState("succeeded", message, found["url"], found)
        if state in FINAL_STATES:
            by = f" by {found['closed_by']}" if found["closed_by"] else ""
            message = f"Pull request #{response['id']} is {state}{by} and will not change; expected {' or '.join(self.states)}."
            return WaitState("failed", message, found["url"], found)
        return WaitState(None, message, found["url"], found)


def summary(pull_request: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is worth passing on of a pull request, as JSON."""
    source, destination = (pull_request.get(end) or {} for end in ("source", "destination"))
    return {
        "id": pull_request["id"],
        "title": pull_request.get("title"),
        "state": pull_request["state"],
        "url": ((pull_request.get("links") or {}).get("html") or {}).get("href") or "",
        "source": (source.get("branch") or {}).get("name"),
        "destination": (destination.get("branch") or {}).get("name"),
        "merge_commit": (pull_request.get("merge_commit") or {}).get("hash"),  # 12 characters of it
        "closed_by": (pull_request.get("closed_by") or {}).get("display_name"),
        "updated_on": pull_request.get("updated_on"),
    }
