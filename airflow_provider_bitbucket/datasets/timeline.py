"""Entries of the timeline of a pull request, and the dates and reviews that follow from them.

Source of the entries' shape: developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests (activity), and responses
recorded from the live API in 2024 to 2026.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Any

from airflow_provider_bitbucket.datasets.intervals import parse_timestamp
from airflow_provider_bitbucket.datasets.people import Account

REVIEWS = ("approval", "changes_requested", "comment")
KINDS = ("update", *REVIEWS)
CLOSED = ("MERGED", "DECLINED", "SUPERSEDED")
#: Values of ``changes.status`` for merged and declined.
_CLOSED_STATUS = ("fulfilled", "rejected")

Period = tuple[datetime, datetime]


@lru_cache(maxsize=10_000)
def _shared(account: Account) -> Account:
    """Return the same object for the same account, because the entries are of few people."""
    return account


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a timeline, reduced to the fields in use: a repository can have a hundred thousand entries.

    The attributes are columns of dataset ``pull_request_activity``, where they are described, and

    :param reviewers: uuids of the requested reviewers after an update
    """

    pull_request_id: int | None
    kind: str
    date: datetime | None
    actor: Account
    state: str | None = None
    old_status: str | None = None
    new_status: str | None = None
    is_draft: bool | None = None
    was_draft: bool | None = None
    source_commit: str | None = None
    comment_id: int | None = None
    is_reply: bool | None = None
    is_inline: bool | None = None
    is_deleted: bool | None = None
    is_pending: bool | None = None
    reviewers: tuple[str, ...] = ()

    @classmethod
    def of(cls, json: Mapping[str, Any]) -> Entry:
        """Read an entry: ``pull_request`` and one more key, its kind, which can be unknown or missing."""
        kind = next((name for name in (*KINDS, *json) if name != "pull_request" and isinstance(json.get(name), dict)), "unknown")
        what = json.get(kind) or {}
        date = parse_timestamp(what.get("date") or what.get("created_on"))
        number = (json.get("pull_request") or {}).get("id")
        if isinstance(number, bool) or not isinstance(number, int | None):
            raise TypeError("pull_request.id")
        actor = _shared(Account.of(what.get("author") or what.get("user")))
        head = (number, kind, date, actor)
        if kind == "update":
            changes = what.get("changes") or {}
            status, draft = changes.get("status") or {}, changes.get("draft") or {}
            return cls(
                *head,
                state=what.get("state"),
                old_status=status.get("old"),
                new_status=status.get("new"),
                is_draft=draft.get("new", what.get("draft")),
                was_draft=draft.get("old"),
                source_commit=((what.get("source") or {}).get("commit") or {}).get("hash"),
                reviewers=tuple(intern(one["uuid"]) for one in what.get("reviewers") or () if one and one.get("uuid")),
            )
        if kind == "comment":
            return cls(
                *head,
                comment_id=what.get("id"),
                is_reply=bool(what.get("parent")),
                is_inline=bool(what.get("inline")),
                is_deleted=bool(what.get("deleted")),
                is_pending=bool(what.get("pending")),
            )
        return cls(*head)


@dataclass(frozen=True)
class Drafts:
    """Times at which a pull request was a draft.

    :param ready_on: when it was first ready for review; None if it has always been a draft
    :param periods: start and end of each time as a draft, without the one that has not ended
    """

    ready_on: datetime | None
    periods: tuple[Period, ...]

    def seconds(self, before: datetime | None = None) -> float:
        """Return the time as a draft, in seconds.

        :param before: count only the time before this date
        """
        ends = ((begin, min(end, before) if before else end) for begin, end in self.periods)
        return sum(max((end - begin).total_seconds(), 0.0) for begin, end in ends)


def oldest_first(entries: Iterable[Entry]) -> list[tuple[datetime, Entry]]:
    """Return the dated entries in order of time; Bitbucket returns the newest first but does not promise it."""
    return sorted(((one.date, one) for one in entries if one.date), key=lambda pair: pair[0])


def requested_on(entries: Sequence[tuple[datetime, Entry]], reviewer: str | None) -> datetime | None:
    """Return when a review was first requested: the date of the first update that names the reviewer; None if none does.

    Every update repeats the reviewers. The format of their changes is not published.
    """
    return next((date for date, entry in entries if reviewer in entry.reviewers), None)


def closed_on(entries: Sequence[tuple[datetime, Entry]]) -> datetime | None:
    """Return when it was merged or declined; None if the timeline does not show it.

    An edit after the merge repeats the state, so the change of status counts, else the first entry with the state.
    """
    changed = (date for date, entry in entries if entry.new_status in _CLOSED_STATUS)
    repeated = (date for date, entry in entries if entry.state in CLOSED)
    return next(changed, None) or next(repeated, None)


def drafts(entries: Sequence[tuple[datetime, Entry]], created: datetime, closed: datetime | None, is_draft_now: bool) -> Drafts:
    """Return the times as a draft, from the updates of the timeline.

    :param is_draft_now: whether it has always been a draft if no update mentions it
    """
    updates = [
        (max(date, created), entry)
        for date, entry in entries
        if entry.is_draft is not None and (closed is None or date <= closed)
    ]
    is_draft = is_draft_now
    if updates:
        first = updates[0][1]
        is_draft = bool(first.is_draft if first.was_draft is None else first.was_draft)
    ready_on, since = None if is_draft else created, created
    periods: list[Period] = []
    for date, entry in updates:
        if entry.is_draft == is_draft:
            continue
        if is_draft:
            periods.append((since, date))
            ready_on = ready_on or date
        is_draft, since = not is_draft, date
    if is_draft and closed:
        periods.append((since, closed))
    return Drafts(ready_on, tuple(periods))


def reviews(
    entries: Sequence[tuple[datetime, Entry]],
    author: Account,
    bots: Collection[str],
    ready_on: datetime | None,
    closed: datetime | None,
) -> list[tuple[datetime, Entry]]:
    """Return the reviews: approvals, requests for changes and comments of other people, from ready until closed.

    Deleted comments and those of a review that is not submitted do not count. A deleted account counts as another person,
    unless the author's account is deleted too. A pull request that was never ready has no reviews.
    """
    if ready_on is None:
        return []
    return [
        (date, entry)
        for date, entry in entries
        if entry.kind in REVIEWS
        and not (entry.is_deleted or entry.is_pending)
        and entry.actor.id != author.id
        and not entry.actor.is_bot(bots)
        and ready_on <= date
        and (closed is None or date <= closed)
    ]


def review_rounds(entries: Sequence[tuple[datetime, Entry]], reviewed: Collection[tuple[datetime, Entry]]) -> int:
    """Return the number of pushes after requests for changes or comments.

    :param reviewed: the result of :func:`reviews`
    """
    asking = {id(entry) for _, entry in reviewed if entry.kind != "approval"}
    rounds, asked, head = 0, False, None
    for _, entry in entries:
        if id(entry) in asking:
            asked = True
        if entry.source_commit:
            rounds += asked and head not in (None, entry.source_commit)
            asked = asked and head in (None, entry.source_commit)
            head = entry.source_commit
    return rounds
