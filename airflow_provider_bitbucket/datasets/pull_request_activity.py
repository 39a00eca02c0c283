"""Timelines of pull requests: one row for every entry."""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.client import BitbucketError
from airflow_provider_bitbucket.client.paging import LARGEST_PULL_REQUEST_PAGE
from airflow_provider_bitbucket.datasets.column import BOOLEAN, CATEGORY, INTEGER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.intervals import back_to, chunks, passed
from airflow_provider_bitbucket.datasets.records import (
    MALFORMED,
    OnIncomplete,
    RecordReader,
    is_lasting,
    log_incomplete,
)
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec
from airflow_provider_bitbucket.datasets.timeline import KINDS, Entry

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

log = logging.getLogger(__name__)

#: Its attributes are named like the columns.
_ENTRY = itemgetter("entry")

SCHEMA = Schema(
    "pull_request_activity",
    ("repository", "pull_request_id", "kind", "date", "actor_id", "comment_id"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column("pull_request_id", INTEGER, "number of the pull request within its repository", "pull_request.id", group=_ENTRY),
        Column(
            "kind",
            CATEGORY,
            "kind of event; a kind unknown to this version keeps Bitbucket's name",
            "name of the entry's payload",
            categories=KINDS,
            group=_ENTRY,
        ),
        Column("date", TIMESTAMP, "when it happened", "date of the payload; created_on of a comment", group=_ENTRY),
        Column(
            "actor_id",
            TEXT,
            "uuid of the acting account; null if it was deleted",
            "author.uuid or user.uuid",
            value=lambda record: record["entry"].actor.id,
        ),
        Column(
            "actor",
            TEXT,
            "display name of the acting account",
            "author.display_name or user.display_name",
            value=lambda record: record["entry"].actor.name,
        ),
        Column(
            "actor_type",
            TEXT,
            "user (a person), app_user (a bot) or team",
            "author.type or user.type",
            value=lambda record: record["entry"].actor.type,
        ),
        Column("state", TEXT, "state of the pull request after an update", "update.state", group=_ENTRY),
        Column("old_status", TEXT, "status before an update that changed it: open", "update.changes.status.old", group=_ENTRY),
        Column(
            "new_status",
            TEXT,
            "status after an update that changed it: fulfilled is merged, rejected is declined",
            "update.changes.status.new",
            group=_ENTRY,
        ),
        Column(
            "is_draft",
            BOOLEAN,
            "whether it is a draft after an update",
            "update.changes.draft.new, else update.draft",
            group=_ENTRY,
        ),
        Column(
            "was_draft", BOOLEAN, "whether it was one before an update that changed it", "update.changes.draft.old", group=_ENTRY
        ),
        Column(
            "source_commit",
            TEXT,
            "head of the source branch after an update, 12 characters",
            "update.source.commit.hash",
            group=_ENTRY,
        ),
        Column("comment_id", INTEGER, "id of the comment", "comment.id", group=_ENTRY),
        Column("is_reply", BOOLEAN, "whether the comment replies to another one", "comment.parent", group=_ENTRY),
        Column("is_inline", BOOLEAN, "whether the comment is on a file or line", "comment.inline", group=_ENTRY),
        Column("is_deleted", BOOLEAN, "whether the comment was deleted, and its text with it", "comment.deleted", group=_ENTRY),
        Column(
            "is_pending",
            BOOLEAN,
            "whether the comment belongs to a review that is not submitted yet",
            "comment.pending",
            group=_ENTRY,
        ),
    ),
    required=("repository", "pull_request_id", "kind", "date"),
)

#: The first entry of a pull request is dated within this time of its creation.
_BEGINNING = timedelta(minutes=1)


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the entries of a repository dated in ``[since, until)``, newest first.

    Costs one request for every 50 entries from now back to ``since``. The feed cannot be filtered, so it is read until a
    whole page is older than ``since`` by an hour. A comment keeps its date when it is edited or deleted later.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param since: start of the interval; None: from the beginning
    :param until: end of the interval, exclusive; None: until now
    """
    name = client.full_name(repository)
    feed = RecordReader(SCHEMA.dataset, name, on_incomplete).each(client.pull_requests.activity(repository), Entry.of)
    for entry in back_to(feed, attrgetter("date"), since, until, page=LARGEST_PULL_REQUEST_PAGE):
        yield {"repository": name, "entry": entry}


def timelines(
    client: BitbucketClient, repository: str, created: Mapping[int, datetime | None], reader: RecordReader
) -> Iterator[tuple[int, list[Entry] | None]]:
    """Yield the whole timeline of each pull request, read with as few requests as possible; None if unreadable.

    The repository-wide feed has the entries of all timelines, 50 in a request, but from now back to the oldest creation. The
    timeline of one pull request costs at least one request. The feed is read as long as its density so far promises that
    continuing costs fewer pages than reading the pull requests up to there one by one. The others are read one by one, as are
    those whose first entry is missing in the feed: Bitbucket does not promise that the feed is complete.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param created: number of each pull request -> when it was opened; None if that is malformed
    :param reader: reports what cannot be read
    """
    # For one or two, the page that shows the density of the feed costs as much as reading them one by one.
    dated = {number: opened for number, opened in created.items() if opened}
    found = _from_feed(client, repository, dated, reader) if len(dated) > 2 else {}
    for number, opened in created.items():
        entries = found.get(number, [])
        if opened and _begins(entries, opened):
            yield number, entries
        else:
            yield number, reader.part(number, "timeline", partial(_timeline, client, repository, number, reader))


def _timeline(client: BitbucketClient, repository: str, number: int, reader: RecordReader) -> list[Entry]:
    return [*reader.each(client.pull_requests.activity(repository, number), Entry.of)]


def _from_feed(
    client: BitbucketClient, repository: str, created: Mapping[int, datetime], reader: RecordReader
) -> Mapping[int | None, list[Entry]]:
    """Return the timelines in the feed; none if it cannot be read, because each can be read alone."""
    try:
        return _read_feed(client, repository, created, reader)
    except (BitbucketError, *MALFORMED) as error:
        if isinstance(error, BitbucketError) and not is_lasting(error):
            raise
        log.warning("The activity of %s cannot be read as a whole; reading it by pull request: %s", reader.repository, error)
        return {}


def _read_feed(
    client: BitbucketClient, repository: str, created: Mapping[int, datetime], reader: RecordReader
) -> Mapping[int | None, list[Entry]]:
    found: dict[int | None, list[Entry]] = defaultdict(list)
    ahead = deque(sorted(created.values(), reverse=True))
    newest = None
    feed = reader.each(client.pull_requests.activity(repository), Entry.of)
    for number, page in enumerate(chunks(feed, LARGEST_PULL_REQUEST_PAGE), 1):
        for entry in page:
            if entry.pull_request_id in created:
                found[entry.pull_request_id].append(entry)
        dates = [entry.date for entry in page if entry.date]
        if not dates:
            continue
        newest, oldest = max(newest or dates[0], *dates), min(dates)
        while ahead and passed(dates, ahead[0]):
            ahead.popleft()
        pages_a_second = number / max((newest - oldest).total_seconds(), 1.0)
        if not any((oldest - opened).total_seconds() * pages_a_second <= count for count, opened in enumerate(ahead, 1)):
            break
    return found


def _begins(entries: Iterable[Entry], created: datetime) -> bool:
    return any(entry.kind == "update" and entry.date and entry.date <= created + _BEGINNING for entry in entries)


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read)
