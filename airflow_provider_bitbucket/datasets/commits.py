"""Commits of all branches."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.client.paging import LARGEST_PAGE
from airflow_provider_bitbucket.datasets.column import BOOLEAN, INTEGER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.intervals import back_to, date_at
from airflow_provider_bitbucket.datasets.people import Account, Bots
from airflow_provider_bitbucket.datasets.records import OnIncomplete, log_incomplete
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.datasets.spec import DatasetSpec

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

#: A commit has its author date and is often pushed days later.
OVERLAP = timedelta(days=30)
#: Commits of a rebased branch are listed first and keep their old dates: reading stops after this many pages of old commits.
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
    Column("author_id", TEXT, "uuid of the author; null if no account has the e-mail address", "author.user.uuid"),
    Column(
        "author",
        TEXT,
        "display name of the author, else name and e-mail address of the commit",
        "author",
        value=_author,
    ),
    Column("author_is_bot", BOOLEAN, "whether the author is a bot", "author.user.type, `bots`", value=_is_bot),
    Column("message", TEXT, "commit message", "message"),
    Column("parents", INTEGER, "number of parents; a merge has more than one", "parents", "commits", value=_parents),
    Column(
        "parent_hashes",
        TEXT,
        "hashes of its parents, separated by spaces; null for a root commit",
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
    """Yield the commits of all branches with an author date in ``[since, until)``, children before parents.

    Costs one request for every 100 commits from now back to ``since``, plus three. Bitbucket cannot filter by date, and lists
    the commits of a rebased branch, which keep their dates, before newer ones. The list is therefore read until 300 commits in
    a row are older than ``since`` by an hour; later ones are not found. A commit keeps its date when it is pushed or rebased
    later: one that is written before an interval and pushed after the interval was read is in neither, so let intervals
    overlap.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    :param since: start of the interval; None: from the beginning
    :param until: end of the interval, exclusive; None: until now
    :param bots: nicknames, display names, account ids or uuids (or one of them) of bots that use an ordinary user account
    """
    name, known_bots = client.full_name(repository), Bots.of(bots)
    listed = client.commits.list(repository)
    for commit in back_to(listed, lambda one: date_at(one, "date"), since, until, page=LARGEST_PAGE, old_pages=_OLD_PAGES):
        meet_author(commit, known_bots)
        yield {"repository": name, "commit": commit, "bots": known_bots}


def meet_author(commit: Mapping[str, Any], bots: Bots) -> None:
    """Record the author of a commit."""
    author = commit.get("author")
    if isinstance(author, Mapping):
        bots.meet([author.get("user"), {"display_name": author.get("raw")}])


SPEC = DatasetSpec(schema=SCHEMA, description=__doc__, read=read, overlap=OVERLAP)
