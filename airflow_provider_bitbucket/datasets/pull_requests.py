"""Pull requests: one row each, with what is needed to tell how long each part of its life took."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets import pull_request_activity as timeline
from airflow_provider_bitbucket.datasets.people import account_id, display_name, is_bot
from airflow_provider_bitbucket.datasets.schema import BOOLEAN, CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column, Schema

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.client import BitbucketClient

_ACTIVITY = "timeline, read with `with_activity`"
_COMMITS = "commits, read with `with_commits`"
_DIFFSTAT = "diffstat, read with `with_diffstat`"

SCHEMA = Schema(
    "pull_requests",
    ("repository", "id"),
    Column("repository", TEXT, "workspace/repository", "asked for"),
    Column("id", INTEGER, "number, unique within its repository", "id"),
    Column("title", TEXT, "title", "title"),
    Column("state", CATEGORY, "where it stands", "state", ("OPEN", "MERGED", "DECLINED", "SUPERSEDED")),
    Column("is_draft", BOOLEAN, "whether it is a draft now", "draft"),
    Column("author_id", TEXT, "uuid of the author; null for a deleted account", "author.uuid"),
    Column("author", TEXT, "display name of the author", "author.display_name"),
    Column("author_is_bot", BOOLEAN, "whether the author is a machine", "author.type, `bots`"),
    Column("source_branch", TEXT, "branch with the change; null when it is gone", "source.branch.name"),
    Column("destination_branch", TEXT, "branch it goes to", "destination.branch.name"),
    Column("source_commit", TEXT, "head of the source branch, 12 characters", "source.commit.hash"),
    Column("merge_commit", TEXT, "commit that merged it, 12 characters", "merge_commit.hash"),
    Column("created_on", TIMESTAMP, "when it was opened", "created_on"),
    Column("updated_on", TIMESTAMP, "when anything of it changed last; comments after the merge count", "updated_on"),
    Column("closed_on", TIMESTAMP, "when it was merged or declined; null while open", "see `closed_on_source`"),
    Column(
        "closed_on_source",
        CATEGORY,
        "the evidence for `closed_on`, best first; `updated_on` is the latest it can have been",
        "closed_on; else the timeline's change of status; else merge_commit.date; else updated_on",
        ("closed_on", "activity", "merge_commit", "updated_on"),
    ),
    Column("closed_by_id", TEXT, "uuid of who merged or declined it", "closed_by.uuid"),
    Column("closed_by", TEXT, "display name of who merged or declined it", "closed_by.display_name"),
    Column("reason", TEXT, "what was written when it was declined", "reason"),
    Column("comment_count", INTEGER, "comments that are not deleted", "comment_count"),
    Column("task_count", INTEGER, "tasks", "task_count"),
    Column("reviewers", INTEGER, "people asked to review", "length of reviewers"),
    Column("approvals", INTEGER, "approvals in force by others than the author", "participants.approved"),
    Column("changes_requested", INTEGER, "requests for changes in force", "participants.state"),
    Column("url", TEXT, "web page", "links.html.href"),
    Column("first_commit_on", TIMESTAMP, "author date of its oldest commit", _COMMITS),
    Column("commits", INTEGER, "its commits, as they were before a squash", _COMMITS),
    Column("lines_added", INTEGER, "lines added", _DIFFSTAT),
    Column("lines_removed", INTEGER, "lines removed", _DIFFSTAT),
    Column("files_changed", INTEGER, "files changed; a renamed file is one", _DIFFSTAT),
    Column("ready_on", TIMESTAMP, "when it first stopped being a draft; its creation when it never was one", _ACTIVITY),
    Column("draft_seconds", NUMBER, "seconds it was a draft until it was closed", _ACTIVITY),
    Column("first_review_on", TIMESTAMP, "first approval, request for changes or comment by another person", _ACTIVITY),
    Column("first_review_kind", CATEGORY, "what the first review was", _ACTIVITY, ("approval", "changes_requested", "comment")),
    Column("first_review_by", TEXT, "display name of the first reviewer", _ACTIVITY),
    Column("first_approval_on", TIMESTAMP, "first approval by another person that is still in force", _ACTIVITY),
    Column("last_approval_on", TIMESTAMP, "last such approval before it was closed", _ACTIVITY),
    Column("review_rounds", INTEGER, "requests for changes that were answered by a push", _ACTIVITY),
)

_CLOSED = ("MERGED", "DECLINED", "SUPERSEDED")
_END_OF_STATUS = ("fulfilled", "rejected")
#: A pull request's first entries are written within moments of its creation.
_BEGINNING = timedelta(minutes=1)
_PAGE = 50


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    with_activity: bool = False,
    with_commits: bool = False,
    with_diffstat: bool = False,
    bots: Collection[str] = (),
) -> Iterator[dict[str, Any]]:
    """Yield the pull requests of a repository whose ``updated_on`` lies in ``[since, until)``.

    Costs one request for every 50 pull requests. On top come, when asked for: the timeline, one request for every 50
    entries or one for every pull request, whichever is less; commits, one for every pull request and 100 commits;
    diffstat, two for every pull request.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param since: first moment
    :param until: first moment that is too late; cut here, not asked of Bitbucket, so that nothing is lost while data changes
    :param with_activity: read the timeline: reviews, drafts, and the close time where the list does not tell it
    :param with_commits: read the commits
    :param with_diffstat: read the diffstat
    :param bots: nicknames, display names, account ids or uuids that are no people though Bitbucket says ``user``
    """
    name = client.full_name(repository)
    listed = [
        row
        for row in client.pull_requests.list(repository, updated_since=since)
        if not until or _moment(row["updated_on"]) < until
    ]
    activity = timelines(client, repository, listed) if with_activity else {}
    for row in listed:
        number = row["id"]
        yield {
            "repository": name,
            "pull_request": row,
            "bots": bots,
            "activity": activity.get(number) if with_activity else None,
            "commits": _commits(client, repository, number) if with_commits else None,
            "diffstat": _diffstat(client, repository, number) if with_diffstat else None,
        }


def timelines(client: BitbucketClient, repository: str, listed: Sequence[Mapping[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """Return the whole timeline of each pull request, with as few requests as either way of reading allows.

    The repository-wide feed is read backwards until it has passed the oldest creation. After each page it is foreseen
    from its density how many pages are left; once there are fewer pull requests whose beginning is still to come, those
    are read one by one instead. Bitbucket does not promise that the feed goes back for ever, so a pull request without
    its first entry is read by itself too.

    :param listed: pull requests as the list gives them
    """
    created = {int(row["id"]): _moment(row["created_on"]) for row in listed}
    if not created:
        return {}
    entries = _feed(client, repository, created.values()) if len(created) > 2 else []
    groups = timeline.by_pull_request(entries)
    return {
        number: groups[number]
        if _has_beginning(groups.get(number, []), moment)
        else [*client.pull_requests.activity(repository, number)]
        for number, moment in created.items()
    }


def _feed(client: BitbucketClient, repository: str, created: Collection[datetime]) -> list[dict[str, Any]]:
    """Return the newest part of the repository-wide feed, as far as it is cheaper than reading pull requests one by one."""
    entries: list[dict[str, Any]] = []
    oldest_wanted = min(created)
    for entry in client.pull_requests.activity(repository):
        entries.append(entry)
        if len(entries) % _PAGE:
            continue
        page = [timeline.entry_date(one) for one in entries[-_PAGE:]]
        still_ahead = sum(moment <= max(page) for moment in created)
        if not still_ahead or max(page) < oldest_wanted - timeline.OVERLAP:
            break
        covered = (timeline.entry_date(entries[0]) - min(page)).total_seconds()
        left = (min(page) - oldest_wanted).total_seconds()
        if covered > 0 and still_ahead < len(entries) / _PAGE * left / covered:
            break
    return entries


def to_frame(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return pull requests as a frame with the columns of :data:`SCHEMA`; what was not read is null.

    :param records: what :func:`read` yields
    """
    return SCHEMA.frame(map(_row, records))


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    row = record["pull_request"]
    author, closed_by = row.get("author"), row.get("closed_by")
    source, destination = row.get("source") or {}, row.get("destination") or {}
    participants = row.get("participants")
    activity = sorted(record.get("activity") or [], key=timeline.entry_date) if record.get("activity") is not None else None
    closed_on, closed_on_source = _closed_on(row, activity or [])
    others = [one for one in participants or [] if account_id(one.get("user")) != account_id(author)]
    return {
        "repository": record["repository"],
        "id": row["id"],
        "title": row.get("title"),
        "state": row.get("state"),
        "is_draft": row.get("draft"),
        "author_id": account_id(author),
        "author": display_name(author),
        "author_is_bot": is_bot(author, record.get("bots", ())),
        "source_branch": (source.get("branch") or {}).get("name"),
        "destination_branch": (destination.get("branch") or {}).get("name"),
        "source_commit": (source.get("commit") or {}).get("hash"),
        "merge_commit": (row.get("merge_commit") or {}).get("hash"),
        "created_on": row.get("created_on"),
        "updated_on": row.get("updated_on"),
        "closed_on": closed_on,
        "closed_on_source": closed_on_source,
        "closed_by_id": account_id(closed_by),
        "closed_by": display_name(closed_by),
        "reason": row.get("reason") or None,
        "comment_count": row.get("comment_count"),
        "task_count": row.get("task_count"),
        "reviewers": None if row.get("reviewers") is None else len(row["reviewers"]),
        "approvals": None if participants is None else sum(bool(one.get("approved")) for one in others),
        "changes_requested": None if participants is None else sum(one.get("state") == "changes_requested" for one in others),
        "url": ((row.get("links") or {}).get("html") or {}).get("href"),
        **(_from_activity(row, activity, closed_on, record.get("bots", ())) if activity is not None else {}),
        **_from_commits(record.get("commits")),
        **_from_diffstat(record.get("diffstat")),
    }


def _closed_on(row: Mapping[str, Any], activity: Sequence[Mapping[str, Any]]) -> tuple[datetime | None, str | None]:
    """Return when it was closed and what says so."""
    if row.get("state") not in _CLOSED:
        return None, None
    if row.get("closed_on"):
        return _moment(row["closed_on"]), "closed_on"
    updates = [(timeline.entry_date(entry), entry["update"]) for entry in activity if isinstance(entry.get("update"), dict)]
    changed = [date for date, what in updates if ((what.get("changes") or {}).get("status") or {}).get("new") in _END_OF_STATUS]
    # An edit after the merge repeats the state: the first entry with it is the one that closed.
    closed = changed or [date for date, what in updates if what.get("state") in _CLOSED]
    if closed:
        return min(closed), "activity"
    if merged := (row.get("merge_commit") or {}).get("date"):
        return _moment(merged), "merge_commit"
    return _moment(row["updated_on"]), "updated_on"


def _from_activity(
    row: Mapping[str, Any], activity: Sequence[Mapping[str, Any]], closed_on: datetime | None, bots: Collection[str]
) -> dict[str, Any]:
    """Return what the timeline tells, oldest entry first."""
    created = _moment(row["created_on"])
    drafts = _draft_times(activity, created, closed_on, bool(row.get("draft")))
    reviews = [
        (timeline.entry_date(entry), kind, timeline.entry_actor(entry))
        for entry in activity
        for kind, what in [timeline.payload(entry)]
        if kind in ("approval", "changes_requested", "comment") and not what.get("deleted") and not what.get("pending")
    ]
    by_others = [
        (date, kind, actor)
        for date, kind, actor in reviews
        if actor and account_id(actor) != account_id(row.get("author")) and not is_bot(actor, bots) and date >= created
    ]
    approvals = [date for date, kind, _ in by_others if kind == "approval" and (closed_on is None or date <= closed_on)]
    first = by_others[0] if by_others else (None, None, None)
    return {
        "ready_on": drafts["ready_on"],
        "draft_seconds": drafts["draft_seconds"],
        "first_review_on": first[0],
        "first_review_kind": first[1],
        "first_review_by": display_name(first[2]),
        "first_approval_on": min(approvals, default=None),
        "last_approval_on": max(approvals, default=None),
        "review_rounds": _rounds(activity, by_others),
    }


def _draft_times(
    activity: Sequence[Mapping[str, Any]], created: datetime, closed_on: datetime | None, draft_now: bool
) -> dict[str, Any]:
    """Return when it first was ready for review, and how long it was a draft."""
    flags = [
        (max(timeline.entry_date(entry), created), bool(entry["update"]["draft"]))
        for entry in activity
        if isinstance(entry.get("update"), dict) and entry["update"].get("draft") is not None
    ]
    is_draft, since, ready_on, seconds = (flags[0][1] if flags else draft_now), created, None, 0.0
    for date, flag in flags:
        if is_draft and not flag:
            seconds += (date - since).total_seconds()
            ready_on = ready_on or date
        if flag != is_draft:
            is_draft, since = flag, date
    if is_draft and closed_on:
        seconds += max((closed_on - since).total_seconds(), 0.0)
    if ready_on is None and not any(flag for _, flag in flags) and not draft_now:
        ready_on = created
    return {"ready_on": ready_on, "draft_seconds": seconds}


def _rounds(activity: Sequence[Mapping[str, Any]], by_others: Sequence[tuple[datetime, str, Any]]) -> int:
    """Count requests for changes that were followed by a new head of the source branch before the next one."""
    pushes, head = [], None
    for entry in activity:
        commit = (((entry.get("update") or {}).get("source") or {}).get("commit") or {}).get("hash")
        if commit and head and commit != head:
            pushes.append(timeline.entry_date(entry))
        head = commit or head
    asked = [date for date, kind, _ in by_others if kind == "changes_requested"]
    return sum(any(date < push and (end is None or push < end) for push in pushes) for date, end in zip_longest(asked, asked[1:]))


def _from_commits(commits: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    if commits is None:
        return {}
    return {
        "commits": len(commits),
        "first_commit_on": min((_moment(one["date"]) for one in commits if one.get("date")), default=None),
    }


def _from_diffstat(rows: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    if rows is None:
        return {}
    return {
        "lines_added": sum(one.get("lines_added") or 0 for one in rows),
        "lines_removed": sum(one.get("lines_removed") or 0 for one in rows),
        "files_changed": len(rows),
    }


def _commits(client: BitbucketClient, repository: str, number: int) -> list[dict[str, Any]]:
    from airflow_provider_bitbucket.client import BitbucketNotFoundError

    try:
        return [*client.pull_requests.commits(repository, number)]
    except BitbucketNotFoundError:  # a pull request without commits
        return []


def _diffstat(client: BitbucketClient, repository: str, number: int) -> list[dict[str, Any]] | None:
    from airflow_provider_bitbucket.client import BitbucketBadRequestError, BitbucketNotFoundError

    try:
        return [*client.pull_requests.diffstat(repository, number)]
    except (BitbucketBadRequestError, BitbucketNotFoundError):  # branches without common history; commits that are gone
        return None


def _has_beginning(entries: Sequence[Mapping[str, Any]], created: datetime) -> bool:
    return any(isinstance(entry.get("update"), dict) and timeline.entry_date(entry) <= created + _BEGINNING for entry in entries)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
