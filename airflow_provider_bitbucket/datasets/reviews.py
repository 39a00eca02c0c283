"""Who reviewed what: one row for every pull request and reviewer.

A reviewer is who is asked to review, and who reviewed without being asked; neither the author nor a machine. What counts as a
review is the same as in `pull_requests`: an approval, a request for changes or a comment, after the pull request was ready and
before it was closed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_bitbucket.datasets import pull_request_values, pull_requests, timeline
from airflow_provider_bitbucket.datasets.columns import BOOLEAN, CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column
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
            "uuid of the reviewer; deleted accounts are one reviewer without it",
            "reviewers, timeline",
            value=lambda record: record["reviewer"].id,
        ),
        Column(
            "reviewer", TEXT, "display name of the reviewer", "reviewers, timeline", value=lambda record: record["reviewer"].name
        ),
        Column(
            "is_requested",
            BOOLEAN,
            "whether the reviewer is asked to review it now",
            "reviewers",
            value=itemgetter("is_requested"),
        ),
        Column(
            "requested_on",
            TIMESTAMP,
            "since when the reviewer was asked; null for who never was",
            "reviewers of the first update that names them",
            value=itemgetter("requested_on"),
        ),
        Column("first_response_on", TIMESTAMP, "first review; null for who has not reviewed it", _TIMELINE, group=_responses),
        Column("first_response_kind", CATEGORY, "what it was", _TIMELINE, categories=timeline.REVIEWS, group=_responses),
        Column(
            "response_seconds",
            NUMBER,
            "from being asked to the first review, the time as a draft not counted; null for who was not asked before it",
            "requested_on, first_response_on",
            "s",
            group=_responses,
        ),
        Column("approved_on", TIMESTAMP, "last approval; withdrawn ones are not known", _TIMELINE, group=_responses),
        Column(
            "changes_requested_on",
            TIMESTAMP,
            "last request for changes; one that was withdrawn, or followed by an approval, is not known",
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
    """Yield each reviewer of the pull requests whose ``updated_on`` lies in ``[since, until)``.

    Costs what `pull_requests` with their timelines cost: the list, and one request for every 50 entries or for every pull
    request, whichever is less. Rows of a pull request that is updated again come again; replace all of that pull request,
    because somebody who is no longer asked has no row any more.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param since: first moment; None: from the beginning
    :param until: first moment that is too late; None: until now
    :param bots: nicknames, display names, account ids or uuids (or one of them) of machines that have an account of a person
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
    """Return pull requests and their reviewers as two frames, for who wants both and to read them once.

    :param records: what ``read`` of `pull_requests` yields with their timelines
    """
    reviewers: list[dict[str, Any]] = []

    def passing() -> Iterator[dict[str, Any]]:
        for record in records:
            reader = RecordReader(SCHEMA.dataset, record["repository"], on_incomplete)
            for found in reader.each([record], _reviewers):
                reviewers.extend(found)
            yield record

    return pull_requests.SPEC.to_frame(passing(), on_incomplete), SPEC.to_frame(reviewers, on_incomplete)


def _reviewers(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    row, bots = record["pull_request"], record["bots"]
    author, created = Account.of(row.get("author")), parse_timestamp(row.get("created_on"))
    entries = timeline.oldest_first(record["timeline"] or ())
    if created is None:  # then the timeline begins with the pull request
        created = entries[0][0] if entries else EARLIEST
    closed = parse_timestamp(pull_request_values.closing(row, entries)[0])
    drafts = timeline.drafts(entries, created, closed, bool(row.get("draft")))
    reviews = timeline.reviews(entries, author, bots, drafts.ready_on, closed)
    asked = {who.id: who for who in map(Account.of, row.get("reviewers") or ()) if who.id != author.id and not who.is_bot(bots)}
    came = {entry.actor.id: entry.actor for _, entry in reviews}
    return [
        {
            "repository": record["repository"],
            "pull_request_id": row.get("id"),
            "reviewer": reviewer,
            "is_requested": reviewer.id in asked,
            "requested_on": timeline.requested_on(entries, reviewer.id),
            "drafts": drafts,
            "reviews": [(date, entry) for date, entry in reviews if entry.actor.id == reviewer.id],
        }
        for reviewer in (came | asked).values()
    ]


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read)
