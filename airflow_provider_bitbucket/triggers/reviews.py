"""Wait for the review of pull requests."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_bitbucket.triggers.base import BitbucketWaitTrigger, WaitParameters
from airflow_provider_bitbucket.triggers.fetching import SingleRequests, batches
from airflow_provider_bitbucket.triggers.pull_requests import FINAL_STATES, summary
from airflow_provider_bitbucket.triggers.wait_condition import WaitState

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.triggers.poller import FetchStep

__all__ = ["BitbucketReviewTrigger"]


class Wanted(NamedTuple):
    """The review that is waited for.

    :param number: of the pull request
    :param approvals: number of approvals, without one of the author
    :param changes_requested: largest number of reviewers who request changes; None: any
    :param tasks_resolved: whether all tasks must be resolved
    :param checks: whether all build statuses of the head must be successful, at least one
    :param at_commit: ``head``: approvals given before the last push do not count; ``any``: they do; else a hash that the head
        must have, or its beginning
    """

    number: int
    approvals: int
    changes_requested: int | None
    tasks_resolved: bool
    checks: bool
    at_commit: str

    def may_be_met(self, row: Mapping[str, Any]) -> bool:
        """Return whether the row of the list leaves something to read: each further request costs as much as the list."""
        approved, requested = _participants(row, "approved"), _participants(row, "changes_requested")
        return len(approved) >= self.approvals and len(requested) <= self.most_changes_requested

    @property
    def most_changes_requested(self) -> float:
        """Largest number of reviewers who request changes."""
        return float("inf") if self.changes_requested is None else self.changes_requested


class ReviewFetcher:
    """Fetch 50 pull requests with one request, then approvals, tasks and checks of those that may be approved.

    The list shows who has approved, and the timeline which push an approval follows: approvals stay when commits are pushed
    (unless the workspace resets them). So a pull request that lacks approvals costs nothing but its share of the list, and one
    that has them up to three requests more.

    :param client: makes one attempt per request
    :param repository: slug, or ``workspace/slug``
    """

    def __init__(self, client: BitbucketClient, repository: str) -> None:
        self._client = client
        self._repository = repository
        self._singles = SingleRequests()

    def fetch(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[FetchStep]:
        """Yield reviews by :class:`Wanted` as JSON (:class:`StatusFetcher`)."""
        from airflow_provider_bitbucket.client.paging import LARGEST_PULL_REQUEST_PAGE
        from airflow_provider_bitbucket.client.transport.malformed import read_rows

        self._singles.keep(waiting)
        wanted = {subject: Wanted(*json.loads(subject)) for subject in due}
        rows: dict[int, Any] = {}
        numbers = [str(one.number) for one in wanted.values()]
        for page, batch in enumerate(batches(numbers, numbers, LARGEST_PULL_REQUEST_PAGE)):
            shown = self._client.pull_requests.numbered(self._repository, map(int, batch), with_reviews=True)
            found, _ = read_rows([*shown], lambda row: (int(row["id"]), row), f"pull requests of {self._repository}")
            rows |= dict(found)
            yield ("page", page), {}
        for subject in self._singles.in_order(due):
            one = wanted[subject]
            row = rows.get(one.number)
            if row is None:  # missing, or malformed in the list
                row = self._singles.send(subject, partial(self._client.pull_requests.get, self._repository, one.number))
                yield subject, {}
            if isinstance(row, Exception):
                yield subject, {subject: row}
            else:
                yield from self._review(subject, one, row)

    def _review(self, subject: str, wanted: Wanted, row: Mapping[str, Any]) -> Iterator[FetchStep]:
        """Yield what decides about the review of an open pull request, request by request, then the review."""
        review: dict[str, Any] = {"pull_request": row, "approvals": _participants(row, "approved")}
        pull_requests, tasks = self._client.pull_requests, self._client.pull_request_tasks
        requests = {
            "approvals": lambda: approvals_of_head(pull_requests.activity(self._repository, wanted.number), row),
            "tasks": lambda: [task for task in tasks.list(self._repository, wanted.number) if task["state"] != "RESOLVED"],
            "checks": lambda: _latest(pull_requests.statuses(self._repository, wanted.number)),
        }
        needed = {
            "approvals": wanted.approvals > 0 and wanted.at_commit != "any",
            "tasks": wanted.tasks_resolved,
            "checks": wanted.checks,
        }
        if wanted.may_be_met(row):
            for name in (name for name, is_needed in needed.items() if is_needed):
                review[name] = self._singles.send(subject, requests[name])
                if isinstance(review[name], Exception):
                    yield subject, {subject: review[name]}
                    return
                yield subject, {}
        yield subject, {subject: review}


def approvals_of_head(entries: Iterable[Mapping[str, Any]], pull_request: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the approvals that are newer than the push of the head; pure.

    :param entries: the timeline, newest first; each push adds an ``update`` with the new hash (recorded)
    :param pull_request: its head and its author
    """
    from airflow_provider_bitbucket.client.transport.malformed import text

    head, confirmed, pending = _head(pull_request), list[dict[str, Any]](), list[dict[str, Any]]()
    author = (pull_request.get("author") or {}).get("uuid")
    for entry in entries:
        update, approval = entry.get("update"), entry.get("approval")
        if update:
            if text(update["source"]["commit"]["hash"]) != head:
                break
            confirmed, pending = [*confirmed, *pending], []
        elif approval and (user := approval.get("user") or {}).get("uuid") != author:
            pending.append(_person(user, approval.get("date")))
    return confirmed


def _latest(statuses: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the latest state of each build status by key."""
    from airflow_provider_bitbucket.client.transport.malformed import text

    rows = sorted(statuses, key=lambda row: str(row.get("updated_on") or ""))
    return {text(row["key"]): text(row["state"]) for row in rows}


def _head(pull_request: Mapping[str, Any]) -> str:
    from airflow_provider_bitbucket.client.transport.malformed import text

    return text(pull_request["source"]["commit"]["hash"])


def _person(user: Mapping[str, Any], date: Any) -> dict[str, Any]:
    return {"uuid": user.get("uuid"), "name": user.get("display_name"), "on": date}


def _participants(pull_request: Mapping[str, Any], state: str) -> list[dict[str, Any]]:
    """Return the participants other than the author whose review has a state."""
    author = (pull_request.get("author") or {}).get("uuid")
    people = [(one.get("user") or {}, one) for one in pull_request.get("participants") or () if one.get("state") == state]
    return [_person(user, one.get("participated_on")) for user, one in people if user.get("uuid") != author]


class BitbucketReviewTrigger(BitbucketWaitTrigger):
    """Wait until a pull request is reviewed.

    :param pull_request: its number
    :param states: states in which it may be, some of OPEN, MERGED, DECLINED, SUPERSEDED
    :param approvals: number of approvals, without one of the author
    :param changes_requested: largest number of reviewers who request changes; None: any
    :param tasks_resolved: whether all tasks must be resolved
    :param checks: whether all build statuses of the head must be successful, at least one
    :param at_commit: ``head``, ``any`` or a hash; see :class:`Wanted`
    :param is_rejectable: whether more requests for changes than ``changes_requested`` end the wait
    :param common: as for :class:`~airflow_provider_bitbucket.triggers.base.BitbucketWaitTrigger`
    """

    fetcher = ReviewFetcher
    label = "the pull request"
    fields = (
        *("pull_request", "states", "approvals", "changes_requested", "tasks_resolved", "checks", "at_commit", "is_rejectable"),
    )

    def __init__(
        self,
        *,
        pull_request: int,
        states: Sequence[str] = ("OPEN", "MERGED"),
        approvals: int = 0,
        changes_requested: int | None = None,
        tasks_resolved: bool = False,
        checks: bool = False,
        at_commit: str = "head",
        is_rejectable: bool = False,
        **common: Unpack[WaitParameters],
    ) -> None:
        super().__init__(**common)
        self.pull_request = pull_request
        self.states = list(states)
        self.approvals = approvals
        self.changes_requested = changes_requested
        self.tasks_resolved = tasks_resolved
        self.checks = checks
        self.at_commit = at_commit
        self.is_rejectable = is_rejectable

    @property
    def wanted(self) -> Wanted:
        """The review that is waited for."""
        return Wanted(self.pull_request, self.approvals, self.changes_requested, self.tasks_resolved, self.checks, self.at_commit)

    @property
    def subject(self) -> str:
        """A :class:`Wanted` as JSON."""
        return json.dumps(self.wanted)

    @property
    def known(self) -> dict[str, Any]:
        """Its number."""
        return {"id": self.pull_request}

    def evaluate(self, response: Mapping[str, Any]) -> WaitState:
        """Return what the review of a pull request means for the wait."""
        from airflow_provider_bitbucket.client.transport.malformed import text

        row, wanted = response["pull_request"], self.wanted
        state, head = text(row["state"]), _head(row)
        approvals, requests = response["approvals"], _participants(row, "changes_requested")
        found = {**summary(row), "commit": head, "approved_by": approvals, "changes_requested_by": requests}
        unmet = []
        if len(approvals) < wanted.approvals:
            unmet.append(f"{len(approvals)} of {wanted.approvals} approvals")
        if is_changes_requested := len(requests) > wanted.most_changes_requested:
            unmet.append(f"changes requested by {', '.join(str(one['name']) for one in requests)}")
        if tasks := response.get("tasks"):
            unmet.append(f"{len(tasks)} unresolved tasks")
        if wanted.checks and (checks := response.get("checks")) is not None:
            waiting_for = [f"{key!r} ({state})" for key, state in sorted(checks.items()) if state != "SUCCESSFUL"]
            unmet += [] if checks and not waiting_for else [f"checks: {', '.join(waiting_for) or 'none yet'}"]
        is_moved = wanted.at_commit not in ("head", "any") and not head.startswith(wanted.at_commit[: len(head)])
        if is_moved:
            unmet.append(f"its head is {head} instead of {wanted.at_commit}")
        reviewed = f"; {', '.join(unmet)}" if unmet else ", and its review is complete"
        message = f"Pull request #{row['id']} is {state} at {head}{reviewed}."
        if not unmet and state in self.states:
            return WaitState("succeeded", message, found["url"], found)
        is_final = state in FINAL_STATES or is_moved or (is_changes_requested and self.is_rejectable)
        return WaitState("failed" if is_final else None, message, found["url"], found)
