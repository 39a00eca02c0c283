"""Pull requests: one row each, with what is needed to tell how long each part of its life took."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets import timeline
from airflow_provider_bitbucket.datasets.intervals import EARLIEST, date_at, moment
from airflow_provider_bitbucket.datasets.people import Account, Bots, is_bot
from airflow_provider_bitbucket.datasets.pull_request_activity import timelines
from airflow_provider_bitbucket.datasets.records import OnIncomplete, RecordReader, log_incomplete
from airflow_provider_bitbucket.datasets.schema import BOOLEAN, CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column, Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec
from airflow_provider_bitbucket.datasets.spool import MemoryBudget, Spool

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

JSON = Mapping[str, Any]

_ACTIVITY = "timeline (`with_activity`)"
_COMMITS = "commits (`with_commits`)"
_DIFFSTAT = "diffstat (`with_diffstat`)"

SCHEMA = Schema(
    "pull_requests",
    ("repository", "id"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column("id", INTEGER, "number, unique within its repository", "id"),
        Column("title", TEXT, "title", "title"),
        Column("state", CATEGORY, "where it stands", "state", categories=("OPEN", *timeline.CLOSED)),
        Column("is_draft", BOOLEAN, "whether it is a draft now", "draft"),
        Column("author_id", TEXT, "uuid of the author; null for a deleted account", "author.uuid"),
        Column("author", TEXT, "display name of the author", "author.display_name"),
        Column("author_is_bot", BOOLEAN, "whether the author is a machine", "author.type, `bots`"),
        Column(
            "source_repository",
            TEXT,
            "workspace/repository with the change, another one for a fork; null when that is gone",
            "source.repository.full_name",
        ),
        Column("source_branch", TEXT, "branch with the change; null when it is gone with its fork", "source.branch.name"),
        Column("destination_branch", TEXT, "branch it goes to", "destination.branch.name"),
        Column("source_commit", TEXT, "head of the source branch, 12 characters", "source.commit.hash"),
        Column("merge_commit", TEXT, "commit that merged it, 12 characters", "merge_commit.hash"),
        Column("created_on", TIMESTAMP, "when it was opened", "created_on"),
        Column("updated_on", TIMESTAMP, "when anything of it changed last; comments after the merge count", "updated_on"),
        Column("closed_on", TIMESTAMP, "when it was merged or declined; null while open", "see `closed_on_source`"),
        Column(
            "closed_on_source",
            CATEGORY,
            "the evidence for `closed_on`, best first: Bitbucket's own field; the update of the timeline that changed the "
            "status; the merge commit's date; the last update, which is the latest it can have been",
            "closed_on, update.date, merge_commit.date, updated_on",
            categories=("closed_on", "activity", "merge_commit", "updated_on"),
        ),
        Column("closed_by_id", TEXT, "uuid of who merged or declined it", "closed_by.uuid"),
        Column("closed_by", TEXT, "display name of who merged or declined it", "closed_by.display_name"),
        Column(
            "is_self_merged", BOOLEAN, "whether its author merged it; null unless merged by known people", "closed_by, author"
        ),
        Column("reason", TEXT, "what was written when it was declined", "reason"),
        Column("comment_count", INTEGER, "comments that are not deleted", "comment_count", "comments"),
        Column("task_count", INTEGER, "tasks", "task_count", "tasks"),
        Column("reviewers", INTEGER, "people asked to review it", "reviewers", "people"),
        Column("approvals", INTEGER, "people who approve it now, its author and machines not counted", "participants", "people"),
        Column(
            "approvals_before_close",
            INTEGER,
            "people who had approved it when it was closed, likewise; null while it is open, and where without the timeline "
            "it can not be told because somebody who approves did something afterwards",
            "timeline, else participants",
            "people",
        ),
        Column("changes_requested", INTEGER, "people who ask for changes now, likewise", "participants", "people"),
        Column("url", TEXT, "web page", "links.html.href"),
        Column("commits", INTEGER, "its commits, as they were before a squash", _COMMITS, "commits"),
        Column("first_commit_on", TIMESTAMP, "author date of its oldest commit", _COMMITS),
        Column("lines_added", INTEGER, "lines added", _DIFFSTAT, "lines"),
        Column("lines_removed", INTEGER, "lines removed", _DIFFSTAT, "lines"),
        Column("files_changed", INTEGER, "files changed; a renamed file is one", _DIFFSTAT, "files"),
        Column("ready_on", TIMESTAMP, "when it first was no draft; null when it never was ready", _ACTIVITY),
        Column("draft_seconds", NUMBER, "how long it was a draft before it was closed", _ACTIVITY, "s"),
        Column("draft_before_review_seconds", NUMBER, "how much of that lies before the first review", _ACTIVITY, "s"),
        Column("draft_before_approval_seconds", NUMBER, "... and before the last approval", _ACTIVITY, "s"),
        Column(
            "first_review_on",
            TIMESTAMP,
            "first approval, request for changes or comment by another person, after it was ready and before it was closed; "
            "the next columns likewise",
            _ACTIVITY,
        ),
        Column("first_review_kind", CATEGORY, "what the first review was", _ACTIVITY, categories=timeline.REVIEWS),
        Column("first_review_by", TEXT, "display name of the first reviewer; null for a deleted account", _ACTIVITY),
        Column("first_approval_on", TIMESTAMP, "first approval; withdrawn ones are not known", _ACTIVITY),
        Column("last_approval_on", TIMESTAMP, "last approval", _ACTIVITY),
        Column("review_rounds", INTEGER, "pushes that answered a request for changes or a comment", _ACTIVITY, "rounds"),
    ),
)


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    with_activity: bool = False,
    with_commits: bool = False,
    with_diffstat: bool = False,
    bots: Collection[str] | str = (),
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the pull requests of a repository whose ``updated_on`` lies in ``[since, until)``, oldest first.

    Costs one request for every 50 pull requests updated since ``since``. On top come, when asked for: the timelines, one
    request for every 50 entries or one for every pull request, whichever is less; commits, one for every pull request;
    diffstat, two for every pull request. A pull request that is updated again moves to a later interval: rows of the same
    key replace each other, the one with the later ``updated_on`` is right.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param since: first moment; None: from the beginning
    :param until: first moment that is too late; None: until now. Cut here and not asked of Bitbucket, which would lose
        what is updated while the pages are read
    :param with_activity: read the timelines: reviews, drafts, and the close time where the list does not tell it
    :param with_commits: read the commits
    :param with_diffstat: read the diffstat
    :param bots: nicknames, display names, account ids or uuids (or one of them) of machines that have an account of a person
    """
    name = client.full_name(repository)
    machines = Bots.of(bots)
    reader = RecordReader(SCHEMA.dataset, name, on_incomplete)
    listed = (
        row
        for row in reader.each(client.pull_requests.list(repository, updated_since=since), _with_number)
        if until is None or (date_at(row, "updated_on") or EARLIEST) < until
    )

    def part(number: int, missing: str, read: Callable[[str, int], Iterable[JSON]]) -> list[JSON] | None:
        return reader.part(number, missing, lambda: [*read(repository, number)])

    of, pairs = client.pull_requests, ((row, None) for row in listed)
    for row, entries in _with_timelines(client, repository, listed, reader) if with_activity else pairs:
        number = row["id"]
        machines.meet([row.get("author"), *_users(row.get("participants")), *(entry.actor for entry in entries or ())])
        yield {
            "repository": name,
            "pull_request": row,
            "bots": machines,
            "timeline": entries,
            "commits": part(number, "commits", of.commits) if with_commits else None,
            "diffstat": part(number, "diffstat", of.diffstat) if with_diffstat else None,
        }


def closing(
    row: Mapping[str, Any], entries: Sequence[tuple[datetime, timeline.Entry]]
) -> tuple[datetime | str | None, str | None]:
    """Return when it was closed and what says so."""
    if row.get("state") not in timeline.CLOSED:
        return None, None
    if told := row.get("closed_on"):
        return told, "closed_on"
    if entries and (updated := timeline.closed_on(entries)):
        return updated, "activity"
    if merged := (row.get("merge_commit") or {}).get("date"):
        return merged, "merge_commit"
    return (changed, "updated_on") if (changed := row.get("updated_on")) else (None, None)


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    row, bots = record["pull_request"], record.get("bots", ())
    author, closed_by = row.get("author") or {}, row.get("closed_by") or {}
    author_id, closed_by_id, state = author.get("uuid"), closed_by.get("uuid"), row.get("state")
    source, destination = row.get("source") or {}, row.get("destination") or {}
    merge_commit, links, reviewers = row.get("merge_commit") or {}, row.get("links") or {}, row.get("reviewers")
    commits, diffstat, read = record.get("commits"), record.get("diffstat"), record.get("timeline")
    entries = None if read is None else timeline.oldest_first(read)
    closed_on, closed_on_source = closing(row, entries or ())
    is_self_merged = closed_by_id == author_id if state == "MERGED" and closed_by_id and author_id else None
    values = {
        "repository": record["repository"],
        "id": row.get("id"),
        "title": row.get("title"),
        "state": state,
        "is_draft": row.get("draft"),
        "author_id": author_id,
        "author": author.get("display_name"),
        "author_is_bot": is_bot(author, bots),
        "source_repository": _source_repository(record["repository"], source, destination),
        "source_branch": (source.get("branch") or {}).get("name"),
        "destination_branch": (destination.get("branch") or {}).get("name"),
        "source_commit": (source.get("commit") or {}).get("hash"),
        "merge_commit": merge_commit.get("hash"),
        "created_on": row.get("created_on"),
        "updated_on": row.get("updated_on"),
        "closed_on": closed_on,
        "closed_on_source": closed_on_source,
        "closed_by_id": closed_by_id,
        "closed_by": closed_by.get("display_name"),
        "is_self_merged": is_self_merged,
        "reason": row.get("reason") or None,
        "comment_count": row.get("comment_count"),
        "task_count": row.get("task_count"),
        "reviewers": None if reviewers is None else len(reviewers),
        "url": (links.get("html") or {}).get("href"),
    }
    if (participants := row.get("participants")) is not None:
        values |= _from_participants(participants, author_id, bots, closed_on)
    if commits is not None:
        values |= _from_commits(commits)
    if diffstat is not None:
        values |= _from_diffstat(diffstat)
    if entries is not None:
        values |= _from_timeline(row, entries, author, bots, closed_on)
    return values


def _from_participants(
    participants: Sequence[Mapping[str, Any]],
    author_id: str | None,
    bots: Collection[str],
    closed_on: datetime | str | None,
) -> dict[str, Any]:
    approvals = changes_requested = before_close = 0
    for one in participants:
        approves = one.get("approved")
        if approves or one.get("state") == "changes_requested":
            who = one.get("user") or {}
            if who.get("uuid") != author_id and not is_bot(who, bots):
                approvals += bool(approves)
                changes_requested += not approves
                if approves and closed_on:
                    before_close += _is_before(one.get("participated_on"), closed_on)
    # participated_on is of the last thing that somebody did, such as a comment after an approval.
    known = closed_on is not None and before_close == approvals
    return {
        "approvals": approvals,
        "changes_requested": changes_requested,
        "approvals_before_close": before_close if known else None,
    }


def _is_before(date: str | None, closed_on: datetime | str) -> bool:
    if isinstance(closed_on, str) and date and len(date) == len(closed_on) and date[-6:] == closed_on[-6:]:
        return date <= closed_on  # of the same spelling: texts are in order, and millions of them need not be read
    did, closed = moment(date), moment(closed_on)
    return bool(did and closed and did <= closed)


def _source_repository(asked_for: str, source: Mapping[str, Any], destination: Mapping[str, Any]) -> str | None:
    """Return where the source branch is; the repository itself in the spelling of column ``repository``."""
    name: str | None = (source.get("repository") or {}).get("full_name")
    if not name or name == asked_for:
        return name
    return asked_for if name == (destination.get("repository") or {}).get("full_name") else name


def _from_commits(commits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    dates = (moment(one.get("date")) for one in commits)
    return {"commits": len(commits), "first_commit_on": min(filter(None, dates), default=None)}


def _from_diffstat(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "lines_added": sum(one.get("lines_added") or 0 for one in rows),
        "lines_removed": sum(one.get("lines_removed") or 0 for one in rows),
        "files_changed": len(rows),
    }


def _from_timeline(
    row: Mapping[str, Any],
    entries: Sequence[tuple[datetime, timeline.Entry]],
    author: Mapping[str, Any],
    bots: Collection[str],
    closed_on: datetime | str | None,
) -> dict[str, Any]:
    created, closed = moment(row.get("created_on")), moment(closed_on)
    if created is None:
        return {}
    drafts = timeline.drafts(entries, created, closed, bool(row.get("draft")))
    reviews = timeline.reviews(entries, Account.of(author), bots, drafts.ready_on, closed)
    approvals = [date for date, entry in reviews if entry.kind == "approval"]
    approved = [(date, entry.actor) for date, entry in entries if entry.kind == "approval" and closed and date <= closed]
    people = {who.id for _, who in approved if who.id != author.get("uuid") and not who.is_bot(bots)}
    found = {
        "approvals_before_close": len(people) if closed else None,  # those that were withdrawn leave no entry
        "ready_on": drafts.ready_on,
        "draft_seconds": drafts.seconds(),
        "first_approval_on": min(approvals, default=None),
        "last_approval_on": max(approvals, default=None),
        "draft_before_approval_seconds": drafts.seconds(before=max(approvals)) if approvals else None,
        "review_rounds": timeline.review_rounds(entries, reviews),
    }
    if not reviews:
        return found
    first_review_on, first = reviews[0]
    return found | {
        "draft_before_review_seconds": drafts.seconds(before=first_review_on),
        "first_review_on": first_review_on,
        "first_review_kind": first.kind,
        "first_review_by": first.actor.name,
    }


def _with_timelines(
    client: BitbucketClient, repository: str, listed: Iterable[JSON], reader: RecordReader
) -> Iterator[tuple[JSON, list[timeline.Entry] | None]]:
    created: dict[int, datetime | None] = {}

    def noted() -> Iterator[JSON]:
        for row in listed:
            created[row["id"]] = date_at(row, "created_on")
            yield row

    # All have to be listed before it is known which way to their timelines is cheaper; many wait on disk.
    with TemporaryDirectory(prefix="bitbucket-", ignore_cleanup_errors=True) as folder:
        spool = Spool(Path(folder) / "pull_requests", MemoryBudget(100))  # there may be ten of these at a time
        spool.fill(noted())
        entries = dict(timelines(client, repository, created, reader))
        for row in spool.take():
            yield row, entries.pop(row["id"])


def _users(participants: object) -> Iterator[Any]:
    for one in participants if isinstance(participants, list) else ():
        if isinstance(one, Mapping):
            yield one.get("user")


def _with_number(row: JSON) -> JSON:
    if isinstance(row["id"], bool) or not isinstance(row["id"], int):
        raise TypeError("id")
    return row


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, row=_row, read=read)
