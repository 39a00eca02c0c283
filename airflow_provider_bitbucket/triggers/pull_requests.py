"""Waiting for the state of a pull request."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.triggers import polling
from airflow_provider_bitbucket.triggers.waiting import BitbucketWaitTrigger, Sight, Singles, portions

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

#: A pull request stays in these for ever: Bitbucket can not reopen one.
FINAL_STATES = ("MERGED", "DECLINED", "SUPERSEDED")


class PullRequestLooker:
    """Looks at 50 pull requests with a request; what the list does not show is asked for singly.

    :param client: made for one try per request
    :param repository: slug, or ``workspace/slug``
    """

    def __init__(self, client: BitbucketClient, repository: str) -> None:
        self._client = client
        self._repository = repository
        self._singles = Singles()

    def look(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[polling.Step]:
        """Look; see :class:`~airflow_provider_bitbucket.triggers.polling.Looker`. Subjects are numbers."""
        from airflow_provider_bitbucket.client.paging import LARGEST_PULL_REQUEST_PAGE
        from airflow_provider_bitbucket.client.transport.malformed import read_rows

        self._singles.keep(waiting)
        unseen = dict.fromkeys(due)
        for page, numbers in enumerate(portions(due, waiting, LARGEST_PULL_REQUEST_PAGE)):
            if len(numbers) > 1:
                rows = self._client.pull_requests.numbered(self._repository, map(int, numbers))
                # A malformed row is left out: its pull request is asked for singly.
                found, _ = read_rows([*rows], lambda row: (str(row["id"]), row), f"pull requests of {self._repository}")
                answers = dict(found)
                unseen = {number: None for number in unseen if number not in answers}
                yield ("page", page), answers
        for number in self._singles.in_turn(unseen):
            yield number, {number: self._ask(number)}

    def _ask(self, number: str) -> Any:
        return self._singles.ask(number, lambda: self._client.pull_requests.get(self._repository, int(number)))


class BitbucketPullRequestTrigger(BitbucketWaitTrigger):
    """Wait until a pull request has one of some states.

    :param pull_request: its number
    :param states: some of MERGED, DECLINED, SUPERSEDED, OPEN
    :param common: as for :class:`~airflow_provider_bitbucket.triggers.waiting.BitbucketWaitTrigger`
    """

    looker = PullRequestLooker
    what = "the pull request"
    own_fields = ("pull_request", "states")

    def __init__(self, *, pull_request: int, states: Sequence[str], **common: Any) -> None:
        super().__init__(**common)
        self.pull_request = pull_request
        self.states = list(states)

    @property
    def subject(self) -> str:
        """The number."""
        return str(self.pull_request)

    def judge(self, answer: Mapping[str, Any]) -> Sight:
        """Say what a pull request's state means for the wait. States that this provider does not know are waited through."""
        from airflow_provider_bitbucket.client.transport.malformed import text

        state = text(answer["state"])
        found = _summary(answer)
        said = f"Pull request #{answer['id']} is {state}."
        if state in self.states:
            return Sight("succeeded", said, found["url"], found)
        if state in FINAL_STATES:
            by = f" by {found['closed_by']}" if found["closed_by"] else ""
            said = f"Pull request #{answer['id']} is {state}{by} and stays so; {' or '.join(self.states)} was waited for."
            return Sight("failed", said, found["url"], found)
        return Sight(None, said, found["url"], found)


def _summary(pull_request: Mapping[str, Any]) -> dict[str, Any]:
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
