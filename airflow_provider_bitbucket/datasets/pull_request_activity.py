"""The timeline of pull requests: one row for every entry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.people import account_id, display_name
from airflow_provider_bitbucket.datasets.schema import BOOLEAN, CATEGORY, INTEGER, TEXT, TIMESTAMP, Column, Schema

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.client import BitbucketClient

KINDS = ("update", "approval", "changes_requested", "comment")

SCHEMA = Schema(
    "pull_request_activity",
    ("repository", "pull_request_id", "kind", "date", "actor_id", "comment_id"),
    Column("repository", TEXT, "workspace/repository", "asked for"),
    Column("pull_request_id", INTEGER, "number of the pull request within its repository", "pull_request.id"),
    Column("date", TIMESTAMP, "when it happened", "update.date, approval.date, changes_requested.date or comment.created_on"),
    Column("kind", CATEGORY, "what happened; newer kinds appear under their own name", "name of the entry's payload", KINDS),
    Column("actor_id", TEXT, "uuid of who did it; null for a deleted account", "author.uuid or user.uuid"),
    Column("actor", TEXT, "display name of who did it", "author.display_name or user.display_name"),
    Column("actor_type", TEXT, "user, app_user or team", "author.type or user.type"),
    Column("state", TEXT, "state of the pull request after an update", "update.state"),
    Column("old_status", TEXT, "status before, when it changed: open, fulfilled or rejected", "update.changes.status.old"),
    Column(
        "new_status",
        TEXT,
        "status after, when it changed: fulfilled is merged, rejected is declined",
        "update.changes.status.new",
    ),
    Column("draft", BOOLEAN, "whether it is a draft after an update", "update.draft"),
    Column("source_commit", TEXT, "head of the source branch after an update, 12 characters", "update.source.commit.hash"),
    Column("comment_id", INTEGER, "id of the comment", "comment.id"),
    Column("is_reply", BOOLEAN, "whether the comment answers another one", "comment.parent"),
    Column("is_inline", BOOLEAN, "whether the comment stands at a line of code", "comment.inline"),
    Column("is_deleted", BOOLEAN, "whether the comment was deleted; its text is gone", "comment.deleted"),
    Column("is_pending", BOOLEAN, "whether the comment is part of a review that is not finished", "comment.pending"),
)

#: Entries of one page can be out of order; a feed is read this far beyond the moment asked for.
OVERLAP = timedelta(hours=1)


def read(
    client: BitbucketClient, repository: str, *, since: datetime | None = None, until: datetime | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the entries of a repository dated in ``[since, until)``, newest first, from the repository-wide feed.

    Costs one request for every 50 entries, back to ``since``: a feed has neither filter nor order that Bitbucket
    promises, so it is read until a whole page is older than ``since`` by an hour.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param since: first moment
    :param until: first moment that is too late
    """
    name = client.full_name(repository)
    for entry in feed(client, repository, since=since):
        if (not since or entry_date(entry) >= since) and (not until or entry_date(entry) < until):
            yield {"repository": name, "entry": entry}


def feed(client: BitbucketClient, repository: str, *, since: datetime | None) -> Iterator[dict[str, Any]]:
    """Yield the repository-wide feed until a whole page is older than ``since``; the older entries of that page too."""
    older = 0
    for entry in client.pull_requests.activity(repository):
        date = entry_date(entry)
        older = older + 1 if since and date < since - OVERLAP else 0
        yield entry
        if older >= 50:  # a page
            return


def by_pull_request(entries: Iterable[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """Group entries by the number of their pull request."""
    groups: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for entry in entries:
        number = (entry.get("pull_request") or {}).get("id")
        if number is not None:
            groups[int(number)].append(entry)
    return groups


def payload(entry: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Return an entry's kind and payload; kinds nobody knows yet are fine."""
    for name in (*KINDS, *entry):
        if name != "pull_request" and isinstance(entry.get(name), dict):
            return name, entry[name]
    return "unknown", {}


def entry_actor(entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the account that did it; None for a deleted one."""
    _, what = payload(entry)
    actor: Mapping[str, Any] | None = what.get("author") or what.get("user")
    return actor


def entry_date(entry: Mapping[str, Any]) -> datetime:
    """Return when it happened; the earliest of all times for an entry that does not say."""
    _, what = payload(entry)
    text = what.get("date") or what.get("created_on")
    return datetime.fromisoformat(text) if text else datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def to_frame(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the entries as a frame with the columns of :data:`SCHEMA`.

    :param records: what :func:`read` yields
    """
    return SCHEMA.frame(map(_row, records))


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    entry = record["entry"]
    kind, what = payload(entry)
    actor = entry_actor(entry)
    row: dict[str, Any] = {
        "repository": record["repository"],
        "pull_request_id": (entry.get("pull_request") or {}).get("id"),
        "date": what.get("date") or what.get("created_on"),
        "kind": kind,
        "actor_id": account_id(actor),
        "actor": display_name(actor),
        "actor_type": (actor or {}).get("type"),
    }
    if kind == "update":
        status = (what.get("changes") or {}).get("status") or {}
        commit = ((what.get("source") or {}).get("commit")) or {}
        return row | {
            "state": what.get("state"),
            "old_status": status.get("old"),
            "new_status": status.get("new"),
            "draft": what.get("draft"),
            "source_commit": commit.get("hash"),
        }
    if kind == "comment":
        return row | {
            "comment_id": what.get("id"),
            "is_reply": bool(what.get("parent")),
            "is_inline": bool(what.get("inline")),
            "is_deleted": bool(what.get("deleted")),
            "is_pending": bool(what.get("pending")),
        }
    return row
