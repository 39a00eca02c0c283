"""Find the pipeline of a start whose response was lost.

Bitbucket has no idempotency key, never reports variables and accepts no label, so a pipeline cannot be marked. It is recognized
by being newer than the newest one before the attempt, by its target, and by its creator.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

from airflow_provider_bitbucket.client.bitbucket import BitbucketClient
from airflow_provider_bitbucket.client.paging import LARGEST_PAGE, rows_of
from airflow_provider_bitbucket.client.pipeline_state import build_number
from airflow_provider_bitbucket.client.pipeline_target import fits
from airflow_provider_bitbucket.client.transport.errors import BitbucketBadRequestError, BitbucketError, BitbucketNotFoundError
from airflow_provider_bitbucket.client.transport.malformed import UNREADABLE, reading
from airflow_provider_bitbucket.client.transport.responses import decode

#: The status filter's values for pipelines that are not completed. A running one is BUILDING in the published OpenAPI and
#: IN_PROGRESS according to Atlassian's staff. Unknown values were seen to match nothing; where they are refused instead, only
#: the published ones are asked for.
_PUBLISHED = ("PARSING", "PENDING", "PAUSED", "HALTED", "BUILDING")
_UNFINISHED = (*_PUBLISHED, "IN_PROGRESS")
#: API addresses that refused IN_PROGRESS; one refusal is enough for a process.
_refusing: set[str] = set()
_STARTED_OTHERWISE = ("PUSH", "SCHEDULE", "PARENT_STEP")


@dataclass(frozen=True)
class Mark:
    """A snapshot of the list of a repository's pipelines.

    :param newest: build number of the newest one, 0 if there is none; numbers increase, independently of clocks
    :param at: time by Bitbucket's clock
    """

    newest: int
    at: datetime


def mark(client: BitbucketClient, repository: str) -> Mark:
    """Take a snapshot of the list of a repository's pipelines. Costs one request."""
    path = f"{client.repository_path(repository)}/pipelines/"
    try:
        response = client.request("GET", path, params={"sort": "-created_on", "pagelen": 1}, object_only=True)
    except BitbucketNotFoundError:
        return Mark(0, datetime.now(UTC))  # no such repository, or Pipelines are off: the start has the better message
    with reading(f"the newest pipeline of {client.full_name(repository)}"):
        numbers = [build_number(row) for row in rows_of(decode(response.content), path)]
    return Mark(max(numbers, default=0), _http_date(response.headers.get("Date")) or datetime.now(UTC))


def _http_date(text: str | None) -> datetime | None:
    with suppress(*UNREADABLE):
        date = parsedate_to_datetime(text or "")
        return date if date.tzinfo else date.replace(tzinfo=UTC)
    return None


def started_since(
    client: BitbucketClient, repository: str, target: Mapping[str, Any], newest: int, creator: str | None
) -> list[dict[str, Any]]:
    """Return the requested pipelines since a snapshot that may be the one of the start, newest first.

    Costs one request for every 100 pipelines since. Filtered here, because the list's own filters miss one that is still being
    parsed: it has no selector until then.

    :param target: the requested target, as :func:`~airflow_provider_bitbucket.client.pipeline_target.build_target` gives it
    :param newest: build number of the snapshot
    :param creator: uuid of the acting account; None: any account
    :raises BitbucketServerError: a row is malformed; skipping it could overlook the pipeline and start it twice
    """
    found = []
    with reading(f"the pipelines of {client.full_name(repository)}"):
        for row in client.pipelines.list(repository):
            if build_number(row) <= newest:
                break
            if asked_for(row, creator) and fits(target, row.get("target") or {}):
                found.append(row)
    return found


def unfinished(client: BitbucketClient, repository: str, target: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the unfinished pipelines that may be of a target, newest first, however they were started.

    Costs one request; reads the newest 100. One that is still being parsed may turn out to be another: :func:`shows_selector`.

    :raises BitbucketServerError: a row is malformed; skipping it could overlook the pipeline and start it twice
    """
    with reading(f"the pipelines of {client.full_name(repository)}"):
        return [row for row in _newest_unfinished(client, repository) if fits(target, row.get("target") or {})]


def _newest_unfinished(client: BitbucketClient, repository: str) -> list[dict[str, Any]]:
    def ask(statuses: tuple[str, ...]) -> list[dict[str, Any]]:
        return [*islice(client.pipelines.list(repository, status=statuses), LARGEST_PAGE)]

    if client.base_url in _refusing:
        return ask(_PUBLISHED)
    try:
        return ask(_UNFINISHED)
    except BitbucketBadRequestError:
        rows = ask(_PUBLISHED)  # raises where the status was not the reason
        _refusing.add(client.base_url)
        return rows


def shows_selector(row: Mapping[str, Any]) -> bool:
    """Return whether a pipeline reports its selector, which it does after its definition was parsed."""
    return bool((row.get("target") or {}).get("selector"))


def own_account(client: BitbucketClient) -> str | None:
    """Return the uuid of the account behind the credentials, None if Bitbucket does not report it (access tokens)."""
    try:
        uuid = client.users.me().get("uuid")
    except BitbucketError:
        return None
    return uuid if isinstance(uuid, str) and uuid else None


def asked_for(row: Mapping[str, Any], creator: str | None) -> bool:
    """Return whether an account may have requested a pipeline.

    :param creator: uuid of the account; None: unknown, so that any account may have
    """
    by = (row.get("creator") or {}).get("uuid")
    # Pipelines of pushes and schedules were not requested by an account. A creator may be null.
    return (row.get("trigger") or {}).get("name") not in _STARTED_OTHERWISE and (not creator or by in (None, creator))
