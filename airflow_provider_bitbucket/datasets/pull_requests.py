"""Pull requests: one row each, with the dates from which the duration of each phase is computed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets import pull_request_values as values
from airflow_provider_bitbucket.datasets import timeline
from airflow_provider_bitbucket.datasets.column import BOOLEAN, CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.intervals import EARLIEST, date_at
from airflow_provider_bitbucket.datasets.people import Bots
from airflow_provider_bitbucket.datasets.pull_request_activity import timelines
from airflow_provider_bitbucket.datasets.records import OnIncomplete, RecordReader, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
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
        Column("state", CATEGORY, "state", "state", categories=("OPEN", *timeline.CLOSED)),
        Column("is_draft", BOOLEAN, "whether it is a draft now", "draft"),
        Column("author_id", TEXT, "uuid of the author; null for a deleted account", "author.uuid"),
        Column("author", TEXT, "display name of the author", "author.display_name"),
        Column("author_is_bot", BOOLEAN, "whether the author is a bot", "author.type, `bots`", group=values.review_of),
        Column(
            "source_repository",
            TEXT,
            "workspace/repository of the source branch; another one for a fork, null if that was deleted",
            "source.repository.full_name",
            value=values.source_repository,
        ),
        Column("source_branch", TEXT, "source branch; null if it was deleted with its fork", "source.branch.name"),
        Column("destination_branch", TEXT, "destination branch", "destination.branch.name"),
        Column("source_commit", TEXT, "head of the source branch, 12 characters", "source.commit.hash"),
        Column("merge_commit", TEXT, "merge commit, 12 characters", "merge_commit.hash"),
        Column("created_on", TIMESTAMP, "when it was opened", "created_on"),
        Column("updated_on", TIMESTAMP, "when it was last changed; a comment after the merge counts", "updated_on"),
        Column(
            "closed_on",
            TIMESTAMP,
            "when it was merged or declined; null while open",
            "see `closed_on_source`",
            group=values.review_of,
        ),
        Column(
            "closed_on_source",
            CATEGORY,
            "source of `closed_on`, best first: Bitbucket's field; the update of the timeline that changed the status; "
            "the date of the merge commit; the last update, which is an upper bound",
            "closed_on, update.date, merge_commit.date, updated_on",
            categories=("closed_on", "activity", "merge_commit", "updated_on"),
            group=values.review_of,
        ),
        Column("closed_by_id", TEXT, "uuid of the account that merged or declined it", "closed_by.uuid"),
        Column("closed_by", TEXT, "display name of that account", "closed_by.display_name"),
        Column(
            "is_self_merged",
            BOOLEAN,
            "whether its author merged it; null unless it was merged and both accounts are known",
            "closed_by, author",
            group=values.review_of,
        ),
        Column("reason", TEXT, "reason given when it was declined", "reason, else null"),
        Column("comment_count", INTEGER, "comments that are not deleted", "comment_count", "comments"),
        Column("task_count", INTEGER, "tasks", "task_count", "tasks"),
        Column("reviewers", INTEGER, "requested reviewers", "reviewers", "people", value=values.reviewers),
        Column(
            "approvals",
            INTEGER,
            "current approvals, without those of its author and of bots",
            "participants",
            "people",
            group=values.review_of,
        ),
        Column(
            "approvals_before_close",
            INTEGER,
            "approvals when it was closed, likewise; null while it is open, and without the timeline also null if an "
            "approving reviewer has acted since",
            "timeline, else participants",
            "people",
            group=values.review_of,
        ),
        Column(
            "changes_requested",
            INTEGER,
            "current requests for changes, likewise",
            "participants",
            "people",
            group=values.review_of,
        ),
        Column("url", TEXT, "web page", "links.html.href"),
        Column("commits", INTEGER, "commits, as they were before a squash", _COMMITS, "commits", group=values.commits_of),
        Column("first_commit_on", TIMESTAMP, "author date of its oldest commit", _COMMITS, group=values.commits_of),
        Column("lines_added", INTEGER, "lines added", _DIFFSTAT, "lines", group=values.diffstat_of),
        Column("lines_removed", INTEGER, "lines removed", _DIFFSTAT, "lines", group=values.diffstat_of),
        Column(
            "files_changed", INTEGER, "changed files; a renamed file counts once", _DIFFSTAT, "files", group=values.diffstat_of
        ),
        Column(
            "ready_on",
            TIMESTAMP,
            "when it was first not a draft; null if it has always been one",
            _ACTIVITY,
            group=values.timeline_of,
        ),
        Column("draft_seconds", NUMBER, "time as a draft before it was closed", _ACTIVITY, "s", group=values.timeline_of),
        Column(
            "draft_before_review_seconds",
            NUMBER,
            "part of it before the first review",
            _ACTIVITY,
            "s",
            group=values.timeline_of,
        ),
        Column(
            "draft_before_approval_seconds",
            NUMBER,
            "part of it before the last approval",
            _ACTIVITY,
            "s",
            group=values.timeline_of,
        ),
        Column(
            "first_review_on",
            TIMESTAMP,
            "first approval, request for changes or comment by another person, after it was ready and before it was closed; "
            "the next columns likewise",
            _ACTIVITY,
            group=values.timeline_of,
        ),
        Column(
            "first_review_kind",
            CATEGORY,
            "what the first review was",
            _ACTIVITY,
            categories=timeline.REVIEWS,
            group=values.timeline_of,
        ),
        Column(
            "first_review_by",
            TEXT,
            "display name of the first reviewer; null for a deleted account",
            _ACTIVITY,
            group=values.timeline_of,
        ),
        Column(
            "first_approval_on", TIMESTAMP, "first approval; withdrawn approvals are unknown", _ACTIVITY, group=values.timeline_of
        ),
        Column("last_approval_on", TIMESTAMP, "last approval", _ACTIVITY, group=values.timeline_of),
        Column(
            "review_rounds",
            INTEGER,
            "pushes after a request for changes or a comment",
            _ACTIVITY,
            "rounds",
            group=values.timeline_of,
        ),
    ),
    root="pull_request",
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
    """Yield the pull requests of a repository with ``updated_on`` in ``[since, until)``, oldest first.

    Costs one request for every 50 pull requests updated since ``since``. Options add to this: timelines one request for every
    50 entries or one for every pull request, whichever is less; commits one for every pull request; diffstats two for every
    pull request. A pull request that is updated again moves to a later interval: of rows with the same key, the one with the
    latest ``updated_on`` is valid.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param since: start of the interval; None: from the beginning
    :param until: end of the interval, exclusive; None: until now. Applied here and not in the
        query, which would lose pull requests that are updated while the pages are read
    :param with_activity: read the timelines: reviews, drafts, and the close time if the list lacks it
    :param with_commits: read the commits
    :param with_diffstat: read the diffstat
    :param bots: nicknames, display names, account ids or uuids (or one of them) of bots that use an ordinary user account
    """
    name = client.full_name(repository)
    known_bots = Bots.of(bots)
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
        known_bots.meet([row.get("author"), *_users(row.get("participants")), *(entry.actor for entry in entries or ())])
        yield {
            "repository": name,
            "pull_request": row,
            "bots": known_bots,
            "timeline": entries,
            "commits": part(number, "commits", of.commits) if with_commits else None,
            "diffstat": part(number, "diffstat", of.diffstat) if with_diffstat else None,
        }


def _with_timelines(
    client: BitbucketClient, repository: str, listed: Iterable[JSON], reader: RecordReader
) -> Iterator[tuple[JSON, list[timeline.Entry] | None]]:
    created: dict[int, datetime | None] = {}

    def with_dates_kept() -> Iterator[JSON]:
        for row in listed:
            created[row["id"]] = date_at(row, "created_on")
            yield row

    # The whole list is needed to choose the cheaper way to the timelines. It is kept on disk if it is large.
    with TemporaryDirectory(prefix="bitbucket-", ignore_cleanup_errors=True) as folder:
        spool = Spool(Path(folder) / "pull_requests", MemoryBudget(100))  # there may be ten of these at a time
        spool.fill(with_dates_kept())
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


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read)
