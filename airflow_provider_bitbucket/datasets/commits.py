"""The commits of repositories, of all their branches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.client.paging import LARGEST_PAGE
from airflow_provider_bitbucket.datasets.columns import BOOLEAN, INTEGER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.intervals import back_to, date_at
from airflow_provider_bitbucket.datasets.people import Account, Bots
from airflow_provider_bitbucket.datasets.records import OnIncomplete, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

#: A commit has the date at which it was written, and often is pushed days later.
OVERLAP = timedelta(days=30)
#: A branch that was rebased is listed on top with the dates it had: so many pages of old commits do not end the reading yet.
_OLD_PAGES = 3


def _author(record: Mapping[str, Any]) -> str | None:
    return Account.of_commit(record["commit"]).name


def _is_bot(record: Mapping[str, Any]) -> bool:
    return Account.of_commit(record["commit"]).is_bot(record.get("bots", ()))


def _parents(record: Mapping[str, Any]) -> int:
    return len(record["commit"].get("parents") or ())


def _parent_hashes(record: Mapping[str, Any]) -> str | None:
    parents = record["commit"].get("parents") or ()
    return " ".join(one["hash"] for one in parents if one and one.get("hash")) or None


#: Columns of a commit, for the root ``commit``.
COLUMNS = (
    Column("hash", TEXT, "full hash, 40 characters", "hash"),
    Column("date", TIMESTAMP, "author date", "date"),
    Column("author_id", TEXT, "uuid of the author; null when no account has the e-mail", "author.user.uuid"),
    Column(
        "author",
        TEXT,
        "display name of the author; name and e-mail of the commit when no account has it",
        "author",
        value=_author,
    ),
    Column("author_is_bot", BOOLEAN, "whether the author is a machine", "author.user.type, `bots`", value=_is_bot),
    Column("message", TEXT, "commit message", "message"),
    Column("parents", INTEGER, "number of parents; more than one is a merge", "parents", "commits", value=_parents),
    Column(
        "parent_hashes",
        TEXT,
        "hashes of its parents, a blank between them; null for a first commit",
        "parents.hash",
        value=_parent_hashes,
    ),
)

SCHEMA = Schema(
    "commits", ("repository", "hash"), (Column("repository", TEXT, "workspace/repository", "asked for"), *COLUMNS), root="commit"
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
    """Yield the commits that a branch leads to and whose author date lies in ``[since, until)``, children before parents.

    Costs one request for every 100 commits from now back to ``since``, and three. Bitbucket can not filter by date, and a
    branch that was rebased stands above newer commits with the dates that it had before: the list is read until 300 commits
    in a row are older than ``since`` by an hour, and what lies below more of them is not found. A commit keeps its date when
    it is pushed or rebased later: what was written before an interval and pushed after it was read is in neither, so let
    intervals overlap.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param since: first moment; None: from the beginning
    :param until: first moment that is too late; None: until now
    :param bots: nicknames, display names, account ids or uuids (or one of them) of machines that have an account of a person
    """
    name, machines = client.full_name(repository), Bots.of(bots)
    listed = client.commits.list(repository)
    for commit in back_to(listed, lambda one: date_at(one, "date"), since, until, page=LARGEST_PAGE, old_pages=_OLD_PAGES):
        meet_author(commit, machines)
        yield {"repository": name, "commit": commit, "bots": machines}


def meet_author(commit: Mapping[str, Any], bots: Bots) -> None:
    """Record the author of a commit."""
    author = commit.get("author")
    if isinstance(author, Mapping):
        bots.meet([author.get("user"), {"display_name": author.get("raw")}])


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read, overlap=OVERLAP)
