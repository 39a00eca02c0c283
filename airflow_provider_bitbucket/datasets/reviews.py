"""Reviews: one row for every pull request and reviewer.

A reviewer was requested or has reviewed without a request, and is neither the author nor a bot. A review is, as in
`pull_requests`, an approval, a request for changes or a comment, after the pull request was ready and before it was closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_bitbucket.datasets import pull_request_values, pull_requests, timeline
from airflow_provider_bitbucket.datasets.column import BOOLEAN, CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.intervals import EARLIEST, parse_timestamp
from airflow_provider_bitbucket.datasets.people import Account
from airflow_provider_bitbucket.datasets.records import OnIncomplete, RecordReader, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.client import BitbucketClient

_TIMELINE = "timeline"


class _Responses(NamedTuple):
    first_response_on: datetime | None
    first_response_kind: str | None
    response_seconds: float | None
    approved_on: datetime | None
    changes_requested_on: datetime | None
    comments: int


def _responses(record: Mapping[str, Any]) -> _Responses:
    reviews, requested_on = record["reviews"], record["requested_on"]
    first_response_on, first = reviews[0] if reviews else (None, None)
    dates = {kind: [date for date, entry in reviews if entry.kind == kind] for kind in timeline.REVIEWS}
    return _Responses(
        first_response_on,
        first.kind if first else None,
        _response_seconds(requested_on, first_response_on, record["drafts"]),
        approved_on=max(dates["approval"], default=None),
        changes_requested_on=max(dates["changes_requested"], default=None),
        comments=len(dates["comment"]),
    )


def _response_seconds(requested_on: datetime | None, first_response_on: datetime | None, drafts: timeline.Drafts) -> float | None:
    if requested_on is None or first_response_on is None or first_response_on < requested_on:
        return None
    drafted = drafts.seconds(before=first_response_on) - drafts.seconds(before=requested_on)
    return round((first_response_on - requested_on).total_seconds() - drafted, 6)


SCHEMA = Schema(
    "reviews",
    ("repository", "pull_request_id", "reviewer_id"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column(
            "pull_request_id",
            INTEGER,
            "number of the pull request within its repository",
            "id",
            value=itemgetter("pull_request_id"),
        ),
        Column(
            "reviewer_id",
            TEXT,
            "uuid of the reviewer; null for all deleted accounts together",
            "reviewers, timeline",
            value=lambda record: record["reviewer"].id,
        ),
        Column(
            "reviewer", TEXT, "display name of the reviewer", "reviewers, timeline", value=lambda record: record["reviewer"].name
        ),
        Column(
            "is_requested",
            BOOLEAN,
            "whether a review by this reviewer is requested now",
            "reviewers",
            value=itemgetter("is_requested"),
        ),
        Column(
            "requested_on",
            TIMESTAMP,
            "when the review was first requested; null if it never was",
            "reviewers of the first update that names them",
            value=itemgetter("requested_on"),
        ),
        Column("first_response_on", TIMESTAMP, "first review; null if there is none", _TIMELINE, group=_responses),
        Column(
            "first_response_kind", CATEGORY, "kind of the first review", _TIMELINE, categories=timeline.REVIEWS, group=_responses
        ),
        Column(
            "response_seconds",
            NUMBER,
            "from the request to the first review, without the time as a draft; null without an earlier request",
            "requested_on, first_response_on",
            "s",
            group=_responses,
        ),
        Column("approved_on", TIMESTAMP, "last approval; withdrawn approvals are unknown", _TIMELINE, group=_responses),
        Column(
            "changes_requested_on",
            TIMESTAMP,
            "last request for changes; unknown if it was withdrawn or followed by an approval",
            _TIMELINE,
            group=_responses,
        ),
        Column("comments", INTEGER, "comments that are not deleted", _TIMELINE, "comments", group=_responses),
    ),
    required=("repository", "pull_request_id"),
)


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    bots: Collection[str] | str = (),
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield each reviewer of the pull requests with ``updated_on`` in ``[since, until)``.

    Costs as much as `pull_requests` with their timelines: the list, and one request for every 50 entries or for every pull
    request, whichever is less. When a pull request is updated, all of its rows are read again; replace all of them, because a
    reviewer whose request was withdrawn has no row any more.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param since: start of the interval; None: from the beginning
    :param until: end of the interval, exclusive; None: until now
    :param bots: nicknames, display names, account ids or uuids (or one of them) of bots that use an ordinary user account
    """
    name = client.full_name(repository)
    read = pull_requests.read(
        client, repository, since=since, until=until, with_activity=True, bots=bots, on_incomplete=on_incomplete
    )
    for reviewers in RecordReader(SCHEMA.dataset, name, on_incomplete).each(read, _reviewers):
        yield from reviewers


def frames_of(
    records: Iterable[dict[str, Any]], on_incomplete: OnIncomplete = log_incomplete
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the frames of `pull_requests` and `reviews` from one reading.

    :param records: records of `pull_requests`, read with their timelines
    """
    reviewers: list[dict[str, Any]] = []

    def with_reviewers_kept() -> Iterator[dict[str, Any]]:
        for record in records:
            reader = RecordReader(SCHEMA.dataset, record["repository"], on_incomplete)
            for found in reader.each([record], _reviewers):
                reviewers.extend(found)
            yield record

    return pull_requests.SPEC.to_frame(with_reviewers_kept(), on_incomplete), SPEC.to_frame(reviewers, on_incomplete)


def _reviewers(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    row, bots = record["pull_request"], record["bots"]
    author, created = Account.of(row.get("author")), parse_timestamp(row.get("created_on"))
    entries = timeline.oldest_first(record["timeline"] or ())
    if created is None:  # the first entry is written at the creation
        created = entries[0][0] if entries else EARLIEST
    closed = parse_timestamp(pull_request_values.closing(row, entries)[0])
    drafts = timeline.drafts(entries, created, closed, bool(row.get("draft")))
    reviews = timeline.reviews(entries, author, bots, drafts.ready_on, closed)
    accounts = map(Account.of, row.get("reviewers") or ())
    requested = {one.id: one for one in accounts if one.id != author.id and not one.is_bot(bots)}
    active = {entry.actor.id: entry.actor for _, entry in reviews}
    return [
        {
            "repository": record["repository"],
            "pull_request_id": row.get("id"),
            "reviewer": reviewer,
            "is_requested": reviewer.id in requested,
            "requested_on": timeline.requested_on(entries, reviewer.id),
            "drafts": drafts,
            "reviews": [(date, entry) for date, entry in reviews if entry.actor.id == reviewer.id],
        }
        for reviewer in (active | requested).values()
    ]


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read)
