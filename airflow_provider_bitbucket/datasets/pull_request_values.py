"""Values of the columns of `pull_requests` that are not plain fields: close time, approvals, reviews, commits, size."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from airflow_provider_bitbucket.datasets import timeline
from airflow_provider_bitbucket.datasets.intervals import parse_timestamp
from airflow_provider_bitbucket.datasets.people import Account, is_bot

JSON = Mapping[str, Any]


class Review(NamedTuple):
    """People of a pull request, its close time and its approvals."""

    author_is_bot: bool
    is_self_merged: bool | None
    closed_on: datetime | str | None
    closed_on_source: str | None
    approvals: int | None = None
    changes_requested: int | None = None
    approvals_before_close: int | None = None


class Timeline(NamedTuple):
    """Columns of a pull request that are read from its timeline."""

    ready_on: datetime | None = None
    draft_seconds: float | None = None
    draft_before_review_seconds: float | None = None
    draft_before_approval_seconds: float | None = None
    first_review_on: datetime | None = None
    first_review_kind: str | None = None
    first_review_by: str | None = None
    first_approval_on: datetime | None = None
    last_approval_on: datetime | None = None
    review_rounds: int | None = None


class Commits(NamedTuple):
    """Columns of a pull request that are read from its commits."""

    commits: int | None = None
    first_commit_on: datetime | None = None


class Diffstat(NamedTuple):
    """Columns of a pull request that are read from its diffstat."""

    lines_added: int | None = None
    lines_removed: int | None = None
    files_changed: int | None = None


def closing(
    row: Mapping[str, Any], entries: Sequence[tuple[datetime, timeline.Entry]]
) -> tuple[datetime | str | None, str | None]:
    """Return the close time and its source."""
    if row.get("state") not in timeline.CLOSED:
        return None, None
    if reported := row.get("closed_on"):
        return reported, "closed_on"
    if entries and (updated := timeline.closed_on(entries)):
        return updated, "activity"
    if merged := (row.get("merge_commit") or {}).get("date"):
        return merged, "merge_commit"
    return (changed, "updated_on") if (changed := row.get("updated_on")) else (None, None)


def reviewers(record: JSON) -> int | None:
    """Return the number of reviewers."""
    reviewers = record["pull_request"].get("reviewers")
    return None if reviewers is None else len(reviewers)


def source_repository(record: JSON) -> str | None:
    """Return the repository of the source branch; unless it is a fork, in the spelling of column ``repository``."""
    row, asked_for = record["pull_request"], record["repository"]
    name: str | None = ((row.get("source") or {}).get("repository") or {}).get("full_name")
    if not name or name == asked_for:
        return name
    return asked_for if name == ((row.get("destination") or {}).get("repository") or {}).get("full_name") else name


def review_of(record: JSON) -> Review:
    """Return the columns about the people of a pull request, its close time and its approvals."""
    row, read, bots = record["pull_request"], record.get("timeline"), record.get("bots", ())
    author = row.get("author") or {}
    author_id, closed_by_id = author.get("uuid"), (row.get("closed_by") or {}).get("uuid")
    entries = timeline.oldest_first(read) if read else ()
    closed_on, closed_on_source = closing(row, entries)
    approvals = changes_requested = before_close = None
    if (participants := row.get("participants")) is not None:
        approved_on, changes_requested = _participants(participants, author_id, bots)
        approvals = len(approved_on)
        # participated_on is the date of the last action of a participant, such as a comment after an approval.
        if closed_on and _are_before(approved_on, closed_on):
            before_close = approvals
    if read is not None and parse_timestamp(row.get("created_on")):
        before_close = _approvals_before(parse_timestamp(closed_on), author_id, bots, entries)
    is_self_merged = closed_by_id == author_id if author_id and closed_by_id and row.get("state") == "MERGED" else None
    return Review(is_bot(author, bots), is_self_merged, closed_on, closed_on_source, approvals, changes_requested, before_close)


def _participants(participants: Sequence[JSON], author_id: str | None, bots: Collection[str]) -> tuple[list[str | None], int]:
    """Return the dates of the approvals and the number of requests for changes, those of the author and of bots not counted."""
    approved_on = []
    changes_requested = 0
    for one in participants:
        approves = one.get("approved")
        if approves or one.get("state") == "changes_requested":
            account = one.get("user") or {}
            if account.get("uuid") != author_id and not is_bot(account, bots):
                if approves:
                    approved_on.append(one.get("participated_on"))
                else:
                    changes_requested += 1
    return approved_on, changes_requested


def _are_before(dates: Sequence[str | None], closed_on: datetime | str) -> bool:
    """Return whether all dates are known and not later than the other."""
    if isinstance(closed_on, str):
        length, offset = len(closed_on), closed_on[-6:]
        for date in dates:
            if not date or len(date) != length or date[-6:] != offset:
                break
            if date > closed_on:  # texts of the same spelling are in order: millions of them need not be parsed
                return False
        else:
            return True
    closed = parse_timestamp(closed_on)
    return closed is not None and all((acted := parse_timestamp(date)) and acted <= closed for date in dates)


def _approvals_before(
    closed: datetime | None,
    author_id: str | None,
    bots: Collection[str],
    entries: Sequence[tuple[datetime, timeline.Entry]],
) -> int | None:
    """Return the number of approvals when it was closed; withdrawn approvals leave no entry."""
    if closed is None:
        return None
    actors = [entry.actor for date, entry in entries if entry.kind == "approval" and date <= closed]
    return len({actor.id for actor in actors if actor.id != author_id and not actor.is_bot(bots)})


def commits_of(record: JSON) -> Commits | None:
    """Return the columns that are read from the commits; None if they were not read."""
    commits = record.get("commits")
    if commits is None:
        return None
    dates = (parse_timestamp(one.get("date")) for one in commits)
    return Commits(len(commits), min(filter(None, dates), default=None))


def diffstat_of(record: JSON) -> Diffstat | None:
    """Return the columns that are read from the diffstat; None if it was not read."""
    rows = record.get("diffstat")
    if rows is None:
        return None
    added, removed = (sum(one.get(field) or 0 for one in rows) for field in ("lines_added", "lines_removed"))
    return Diffstat(added, removed, len(rows))


def timeline_of(record: JSON) -> Timeline | None:
    """Return the columns that are read from the timeline; None if it was not read or the creation date is unknown."""
    read = record.get("timeline")
    if read is None:
        return None
    row, bots = record["pull_request"], record.get("bots", ())
    created = parse_timestamp(row.get("created_on"))
    if created is None:
        return None
    entries = timeline.oldest_first(read)
    closed = parse_timestamp(closing(row, entries)[0])
    drafts = timeline.drafts(entries, created, closed, bool(row.get("draft")))
    reviews = timeline.reviews(entries, Account.of(row.get("author")), bots, drafts.ready_on, closed)
    approvals = [date for date, entry in reviews if entry.kind == "approval"]
    found = Timeline(
        ready_on=drafts.ready_on,
        draft_seconds=drafts.seconds(),
        draft_before_approval_seconds=drafts.seconds(before=max(approvals)) if approvals else None,
        first_approval_on=min(approvals, default=None),
        last_approval_on=max(approvals, default=None),
        review_rounds=timeline.review_rounds(entries, reviews),
    )
    if not reviews:
        return found
    first_review_on, first = reviews[0]
    return found._replace(
        draft_before_review_seconds=drafts.seconds(before=first_review_on),
        first_review_on=first_review_on,
        first_review_kind=first.kind,
        first_review_by=first.actor.name,
    )
