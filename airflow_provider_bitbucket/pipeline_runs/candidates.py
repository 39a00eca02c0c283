"""List the pipelines that a start may have created when its response was lost.

Bitbucket has no idempotency key, never returns variables and accepts no label, so a pipeline cannot be marked. Known are: it is
newer than the newest one before the attempt, it has the requested target, and its creator.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.client.paging import LARGEST_PAGE, rows_of
from airflow_provider_bitbucket.client.pipeline_state import build_number
from airflow_provider_bitbucket.client.transport.errors import BitbucketBadRequestError, BitbucketError, BitbucketNotFoundError
from airflow_provider_bitbucket.client.transport.malformed import UNREADABLE, malformed_as_error
from airflow_provider_bitbucket.client.transport.responses import decode
from airflow_provider_bitbucket.pipeline_runs.target import PipelineTarget, matches_target

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client.bitbucket import BitbucketClient

#: The status filter's values for pipelines that are not completed. A running one is BUILDING in the published OpenAPI and
#: IN_PROGRESS according to Atlassian's staff. Unknown values were seen to match nothing; where they are refused instead, only
#: the published ones are requested.
_PUBLISHED = ("PARSING", "PENDING", "PAUSED", "HALTED", "BUILDING")
_UNFINISHED = (*_PUBLISHED, "IN_PROGRESS")
#: API addresses that refused IN_PROGRESS; remembered for the life of the process.
_refusing: set[str] = set()
_STARTED_OTHERWISE = ("PUSH", "SCHEDULE", "PARENT_STEP")


@dataclass(frozen=True)
class Snapshot:
    """The newest pipeline of a repository at a point in time.

    :param newest: its build number, 0 if there is none; build numbers increase independently of clocks
    :param at: Bitbucket's time
    """

    newest: int
    at: datetime


def snapshot(client: BitbucketClient, repository: str) -> Snapshot:
    """Return the newest build number of a repository and Bitbucket's time. Costs one request."""
    path = f"{client.repository_path(repository)}/pipelines/"
    try:
        response = client.request("GET", path, params={"sort": "-created_on", "pagelen": 1}, object_only=True)
    except BitbucketNotFoundError:
        return Snapshot(0, datetime.now(UTC))  # no such repository, or Pipelines are off: the start reports it more clearly
    with malformed_as_error(f"the newest pipeline of {client.full_name(repository)}"):
        numbers = [build_number(row) for row in rows_of(decode(response.content), path)]
    return Snapshot(max(numbers, default=0), _http_date(response.headers.get("Date")) or datetime.now(UTC))


def _http_date(text: str | None) -> datetime | None:
    with suppress(*UNREADABLE):
        date = parsedate_to_datetime(text or "")
        return date if date.tzinfo else date.replace(tzinfo=UTC)
    return None


def started_since(
    client: BitbucketClient, repository: str, target: PipelineTarget, newest: int, creator: str | None
) -> list[dict[str, Any]]:
    """Return the pipelines above a build number that the account may have started and that match a target, newest first.

    Costs one request for every 100 of these pipelines. Filtered here, because the list's own filters miss a pipeline that is
    being parsed: it has no selector yet.

    :param target: requested target
    :param newest: build number of the snapshot
    :param creator: uuid of the account; None if unknown: any account
    :raises BitbucketServerError: a row is malformed; skipping it could overlook the pipeline and start it twice
    """
    found = []
    with malformed_as_error(f"the pipelines of {client.full_name(repository)}"):
        for row in client.pipelines.list(repository):
            if build_number(row) <= newest:
                break
            if may_be_started_by(row, creator) and matches_target(target.request, row.get("target") or {}):
                found.append(row)
    return found


def unfinished(client: BitbucketClient, repository: str, target: PipelineTarget) -> list[dict[str, Any]]:
    """Return the unfinished pipelines that may match a target, newest first, started by any account.

    Costs one request; reads the newest 100. One that is being parsed may turn out not to match: see :func:`shows_selector`.

    :raises BitbucketServerError: a row is malformed; skipping it could overlook the pipeline and start it twice
    """
    with malformed_as_error(f"the pipelines of {client.full_name(repository)}"):
        return [row for row in _newest_unfinished(client, repository) if matches_target(target.request, row.get("target") or {})]


def _newest_unfinished(client: BitbucketClient, repository: str) -> list[dict[str, Any]]:
    def read(statuses: tuple[str, ...]) -> list[dict[str, Any]]:
        return [*islice(client.pipelines.list(repository, status=statuses), LARGEST_PAGE)]

    if client.base_url in _refusing:
        return read(_PUBLISHED)
    try:
        return read(_UNFINISHED)
    except BitbucketBadRequestError:
        rows = read(_PUBLISHED)  # raises if the status was not the reason
        _refusing.add(client.base_url)
        return rows


def shows_selector(row: Mapping[str, Any]) -> bool:
    """Return whether a pipeline shows its selector, as it does once its definition was parsed."""
    return bool((row.get("target") or {}).get("selector"))


def acting_account(client: BitbucketClient) -> str | None:
    """Return the uuid of the acting user, None if Bitbucket does not report it (access tokens)."""
    try:
        uuid = client.users.me().get("uuid")
    except BitbucketError:
        return None
    return uuid if isinstance(uuid, str) and uuid else None


def may_be_started_by(row: Mapping[str, Any], creator: str | None) -> bool:
    """Return whether an account may have started a pipeline.

    :param creator: uuid of the account; None if unknown: any account
    """
    by = (row.get("creator") or {}).get("uuid")
    # Pushes and schedules start pipelines without a user's request. A creator may be null.
    return (row.get("trigger") or {}).get("name") not in _STARTED_OTHERWISE and (not creator or by in (None, creator))
