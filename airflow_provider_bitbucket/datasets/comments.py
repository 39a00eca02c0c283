"""Comments on pull requests: one row each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.client.paging import LARGEST_PULL_REQUEST_PAGE
from airflow_provider_bitbucket.datasets.column import BOOLEAN, INTEGER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.intervals import back_to
from airflow_provider_bitbucket.datasets.records import OnIncomplete, RecordReader, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec
from airflow_provider_bitbucket.datasets.timeline import Entry

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient


def _has(field: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda record: bool(record["comment"].get(field))


def _line(record: Mapping[str, Any]) -> int | None:
    inline = record["comment"].get("inline") or {}
    line: int | None = inline.get("to")
    return inline.get("from") if line is None else line


SCHEMA = Schema(
    "comments",
    ("repository", "pull_request_id", "id"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column(
            "pull_request_id",
            INTEGER,
            "number of the pull request within its repository",
            "pull_request.id",
            value=itemgetter("pull_request_id"),
        ),
        Column("id", INTEGER, "id", "comment.id"),
        Column("parent_id", INTEGER, "id of the comment that it replies to", "comment.parent.id"),
        Column("author_id", TEXT, "uuid of the author; null for a deleted account", "comment.user.uuid"),
        Column("author", TEXT, "display name of the author", "comment.user.display_name"),
        Column("author_type", TEXT, "user (a person), app_user (a bot) or team", "comment.user.type"),
        Column("created_on", TIMESTAMP, "when it was written", "comment.created_on"),
        Column(
            "updated_on",
            TIMESTAMP,
            "when it was last changed; some microseconds after `created_on` if never",
            "comment.updated_on",
        ),
        Column("text", TEXT, "Markdown text; null for a deleted comment", "comment.content.raw, else null"),
        Column("path", TEXT, "path of the file that it is on", "comment.inline.path"),
        Column(
            "line",
            INTEGER,
            "line number after the change, else before it; null for a comment on a whole file",
            "comment.inline",
            value=_line,
        ),
        Column("is_deleted", BOOLEAN, "whether it was deleted", "comment.deleted", value=_has("deleted")),
        Column(
            "is_pending",
            BOOLEAN,
            "whether it belongs to a review that is not submitted yet",
            "comment.pending",
            value=_has("pending"),
        ),
        Column("is_resolved", BOOLEAN, "whether its thread was resolved", "comment.resolution", value=_has("resolution")),
        Column("url", TEXT, "web page", "comment.links.html.href"),
    ),
)


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the comments on pull requests of a repository with ``created_on`` in ``[since, until)``, newest first.

    Costs one request for every 50 entries of any kind from now back to ``since``, because only the timeline of a repository has
    the comments of all pull requests. A comment keeps its date when it is edited, resolved or deleted later.
    """
    name = client.full_name(repository)
    reader = RecordReader(SCHEMA.dataset, name, on_incomplete)
    feed = reader.each(client.pull_requests.activity(repository), lambda row: (Entry.of(row), row.get("comment")))
    for entry, comment in back_to(feed, lambda one: one[0].date, since, until, page=LARGEST_PULL_REQUEST_PAGE):
        if comment:
            yield {"repository": name, "pull_request_id": entry.pull_request_id, "comment": comment}


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read)
