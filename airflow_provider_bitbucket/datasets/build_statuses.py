"""Build statuses of pull requests: one row for every build that reported its state, from Pipelines or another system.

A build status belongs to a commit. Bitbucket lists them by commit or by pull request, not by repository. This dataset reads
them by pull request, which takes one request for all of its commits. Builds of branches without a pull request, such as the
main branch after a merge, are therefore not included; those that ran in Pipelines are in `pipelines`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_bitbucket.datasets import pull_requests
from airflow_provider_bitbucket.datasets.column import BOOLEAN, CATEGORY, INTEGER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.intervals import EARLIEST, date_at
from airflow_provider_bitbucket.datasets.records import OnIncomplete, RecordReader, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

K = TypeVar("K")

#: The end of a build does not change the ``updated_on`` of its pull request.
OVERLAP = timedelta(days=1)

SCHEMA = Schema(
    "build_statuses",
    ("repository", "pull_request_id", "commit", "key"),
    (
        Column("repository", TEXT, "workspace/repository", "asked for"),
        Column("pull_request_id", INTEGER, "number of the pull request within its repository", "asked for"),
        Column("commit", TEXT, "commit that was built, full hash", "commit.hash"),
        Column("key", TEXT, "identifies the build among those of the commit; a number for Pipelines", "key"),
        Column(
            "state",
            CATEGORY,
            "state of the build",
            "state",
            categories=("INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED"),
        ),
        Column(
            "is_latest",
            BOOLEAN,
            "whether it was the newest status of this pull request with the same key, on any commit, when it was read",
            "key, updated_on",
            value=itemgetter("is_latest"),
        ),
        Column("name", TEXT, "display name", "name, else null"),
        Column("description", TEXT, "description by the build", "description, else null"),
        Column("ref_name", TEXT, "branch or tag that was built; null if the build names none", "refname"),
        Column("created_on", TIMESTAMP, "when it was first reported", "created_on"),
        Column("updated_on", TIMESTAMP, "when it was last reported", "updated_on"),
        Column("url", TEXT, "web page of the build", "url"),
    ),
    root="status",
)


def read(
    client: BitbucketClient,
    repository: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    on_incomplete: OnIncomplete = log_incomplete,
) -> Iterator[dict[str, Any]]:
    """Yield the build statuses of the pull requests with ``updated_on`` in ``[since, until)``.

    Costs the list of pull requests and one request for each of them. The end of a build does not change the ``updated_on`` of its
    pull request: let intervals overlap by the duration of builds. Rows with the same key replace each other.
    """
    reader = RecordReader(SCHEMA.dataset, client.full_name(repository), on_incomplete)
    for record in pull_requests.read(client, repository, since=since, until=until, on_incomplete=on_incomplete):
        number = record["pull_request"]["id"]
        listed = reader.part(number, "statuses", partial(_statuses, client, repository, number)) or []
        newest = _newest(listed, _key)
        for status in listed:
            is_latest = status is newest[_key(status)]
            yield {"repository": record["repository"], "pull_request_id": number, "status": status, "is_latest": is_latest}


def _statuses(client: BitbucketClient, repository: str, number: int) -> list[Mapping[str, Any]]:
    """Return the statuses of a pull request, each once, even if the list shifts between two pages.

    A status has no id. Commit, key and branch identify it, because one key can be reported for several branches.
    """

    def identity(status: Mapping[str, Any]) -> tuple[str, ...]:
        commit = status.get("commit")
        return (
            _text(commit.get("hash") if isinstance(commit, Mapping) else None),
            _text(status.get("key")),
            _text(status.get("refname")),
        )

    statuses = [*client.pull_requests.statuses(repository, number)]
    newest = _newest(statuses, identity)
    return [status for status in statuses if status is newest[identity(status)]]


def _newest(statuses: Sequence[Mapping[str, Any]], identity: Callable[[Mapping[str, Any]], K]) -> dict[K, Mapping[str, Any]]:
    """Return the status of each identity that was reported last; a status without a date counts as the oldest."""
    found: dict[K, tuple[datetime, Mapping[str, Any]]] = {}
    for status in statuses:
        key, reported = identity(status), date_at(status, "updated_on") or EARLIEST
        if key not in found or reported > found[key][0]:
            found[key] = reported, status
    return {key: status for key, (_, status) in found.items()}


def _key(status: Mapping[str, Any]) -> str:
    return _text(status.get("key"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read, overlap=OVERLAP)
