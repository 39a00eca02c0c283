"""Find stale pull requests and branches, and compute the bus factor of repositories.

Definitions differ between tools; the decisions here are:

- A pull request is stale if ``updated_on`` is 14 days old. That date changes with every push, comment,
  approval and edit, even those of bots.
- A branch is stale if its newest commit is 90 days old and it has no open pull request; the main branch never is.
  Neither Git nor Bitbucket's list says whether a branch was merged. The state of the newest pull request from its
  head is returned instead, so that merged branches can be deleted and the others be reviewed.
- The bus factor is CHAOSS' Contributor Absence Factor: the smallest number of people who wrote at least half of the commits.
  Merge commits and those of bots do not count. It measures authorship, not knowledge: reviews are not included.

Sources: CHAOSS (chaoss.community/kb/metric-bus-factor), github/stale-repos and actions/stale for the idea of staleness, of which
the days are conventions; docs/metrics.md has the links.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_bitbucket.metrics.groups import grouped, rate

if TYPE_CHECKING:
    import pandas as pd

#: Days after which something open is stale.
PULL_REQUEST_DAYS, BRANCH_DAYS = 14, 90

_HALF = 0.5
_SHORT_HASH = 12


def stale_pull_requests(pull_requests: pd.DataFrame, now: datetime, days: float = PULL_REQUEST_DAYS) -> pd.DataFrame:
    """Return the open pull requests without an update for a number of days, the longest idle first.

    ``open_seconds`` = ``now - created_on`` and ``idle_seconds`` = ``now - updated_on``, at least 0.

    :param pull_requests: a frame of dataset ``pull_requests``, read without ``since``, which would exclude stale ones
    :param now: reference time, with time zone
    :param days: minimum idle time of a stale pull request, in days
    :return: ``repository``, ``id``, ``title``, ``author``, ``is_draft``, ``reviewers``, ``approvals``, ``created_on``,
        ``updated_on``, ``url``, ``open_seconds``, ``idle_seconds``
    """
    kept = ["repository", "id", "title", "author", "is_draft", "reviewers", "approvals", "created_on", "updated_on", "url"]
    found = _open(pull_requests)[kept]
    found = found.assign(open_seconds=_since(found["created_on"], now), idle_seconds=_since(found["updated_on"], now))
    return _idle(found, days)


def stale_branches(
    branches: pd.DataFrame,
    repositories: pd.DataFrame,
    pull_requests: pd.DataFrame,
    now: datetime,
    days: float = BRANCH_DAYS,
) -> pd.DataFrame:
    """Return the branches without a new commit for a number of days, the longest idle first.

    ``idle_seconds`` = ``now - committed_on``, at least 0. ``pull_request_state`` is that of the newest pull request whose head is
    the branch's newest commit: MERGED branches can be deleted, DECLINED ones were abandoned, null means that the branch had no
    pull request or has newer commits.

    :param branches: a frame of dataset ``branches``
    :param repositories: a frame of dataset ``repositories``, which contains the main branches; those are never stale
    :param pull_requests: a frame of dataset ``pull_requests``, read without ``since``
    :param now: reference time, with time zone
    :param days: minimum idle time of a stale branch, in days
    :return: ``repository``, ``name``, ``author``, ``committed_on``, ``url``, ``pull_request_state``, ``idle_seconds``
    """
    mains = repositories[["repository", "main_branch"]].rename(columns={"main_branch": "name"}).assign(is_main=True)
    opened = _from_branches(_open(pull_requests))[["repository", "name"]]
    rows = branches.assign(head=branches["commit"].str[:_SHORT_HASH])
    rows = rows.merge(mains.dropna(), on=["repository", "name"], how="left")
    rows = rows.merge(opened.dropna().drop_duplicates().assign(is_open=True), on=["repository", "name"], how="left")
    rows = rows.merge(_last_state(pull_requests), on=["repository", "name", "head"], how="left")
    rows = rows[rows["is_main"].isna() & rows["is_open"].isna()]
    found = rows[["repository", "name", "author", "committed_on", "url", "pull_request_state"]]
    return _idle(found.assign(idle_seconds=_since(found["committed_on"], now)), days)


def bus_factor(commits: pd.DataFrame, by: Sequence[str] = ("repository",)) -> pd.DataFrame:
    """Return the smallest number of people who wrote at least half of the commits.

    ``bus_factor``: sort people by their commits, most first, and add until half of all commits is reached; it is the number of
    people added (CHAOSS: 1000, 433, 343, 332, 202, 90, 42 and 33 commits are 2475; 1000 + 433 is more than half: 2).
    A person with two e-mail addresses counts as two, unless Bitbucket links both. Bots (``author_is_bot``) do not count.

    :param commits: a frame of dataset ``commits``, of a recent period, because people leave
    :param by: columns to group by, such as ``repository``, ``week`` or ``month`` (of ``date``); none: one row over all
    :return: the columns of ``by``; ``commits``, ``people``, ``bus_factor``, ``top_author``, and ``top_share``, the share of
        the commits by the top author
    :raises ValueError: ``by`` names an unknown column
    """
    import pandas as pd

    is_excluded = commits["author_is_bot"].fillna(False) | commits["parents"].gt(1).fillna(False)
    rows = commits[~is_excluded.astype(bool)]
    rows = rows.assign(person=rows["author_id"].fillna(rows["author"]))
    groups = grouped(rows[rows["person"].notna()], by, period_of="date")
    sizes = groups.size().astype("Int64")
    ranked = [each["person"].value_counts(sort=True) for _, each in groups]
    names = [
        each.loc[each["person"] == counts.index[0], "author"].iloc[0] for (_, each), counts in zip(groups, ranked, strict=True)
    ]
    top = pd.Series([int(counts.iloc[0]) for counts in ranked], index=sizes.index, dtype="Int64")
    columns = {
        "commits": sizes,
        "people": pd.Series([len(counts) for counts in ranked], index=sizes.index, dtype="Int64"),
        "bus_factor": pd.Series([_enough(counts) for counts in ranked], index=sizes.index, dtype="Int64"),
        "top_author": pd.Series(names, index=sizes.index, dtype="string"),
        "top_share": rate(top, sizes),
    }
    return pd.DataFrame(columns).reset_index(drop=not by)


def repository_health(
    repositories: pd.DataFrame,
    pull_requests: pd.DataFrame,
    branches: pd.DataFrame,
    commits: pd.DataFrame,
    now: datetime,
) -> pd.DataFrame:
    """Return one row for every repository with its stale work and its bus factor, as counts.

    :param repositories: a frame of dataset ``repositories``, which defines the rows
    :param pull_requests: a frame of dataset ``pull_requests``, read without ``since``
    :param branches: a frame of dataset ``branches``
    :param commits: a frame of dataset ``commits``, of the period for the bus factor
    :param now: reference time, with time zone
    :return: ``repository``; ``open_pull_requests``, ``stale_pull_requests``, ``unreviewed_pull_requests`` (open, without
        reviewers and approvals), ``open_median_seconds`` (how long they have been open), ``branches``, ``stale_branches``,
        ``merged_branches`` (stale ones whose pull request was merged), ``last_commit_on``, ``commits``, ``people``,
        ``bus_factor``, ``top_author``, ``top_share``; without data counts are 0 and the other columns null
    """
    import pandas as pd

    opened = _open(pull_requests)
    opened = opened.assign(open_seconds=_since(opened["created_on"], now))
    is_unreviewed = opened["reviewers"].fillna(0).eq(0) & opened["approvals"].fillna(0).eq(0)
    branched = stale_branches(branches, repositories, pull_requests, now)
    is_left = branched["pull_request_state"].astype("string").eq("MERGED").fillna(False).astype(bool)
    counts = {
        "open_pull_requests": opened,
        "stale_pull_requests": stale_pull_requests(pull_requests, now),
        "unreviewed_pull_requests": opened[is_unreviewed.astype(bool)],
        "branches": branches,
        "stale_branches": branched,
        "merged_branches": branched[is_left],
    }
    names = repositories["repository"].drop_duplicates().dropna().sort_values()
    index = pd.Index(names, name="repository")
    found = pd.DataFrame(index=index)
    for name, rows in counts.items():
        found[name] = rows.groupby("repository").size().reindex(index, fill_value=0).astype("Int64")
    open_for = opened.groupby("repository")["open_seconds"].median().reindex(index).astype("Float64")
    found.insert(3, "open_median_seconds", open_for)
    found["last_commit_on"] = _last_commits(branches, commits, now).reindex(index)
    people = bus_factor(commits).set_index("repository").reindex(index)
    people[["commits", "people"]] = people[["commits", "people"]].fillna(0)
    return found.join(people).reset_index()


def _last_commits(branches: pd.DataFrame, commits: pd.DataFrame, now: datetime) -> pd.Series:
    """Return the date of the last commit of each repository, from branch heads and commits, which may cover a short period."""
    import pandas as pd

    heads = branches[["repository", "committed_on"]].rename(columns={"committed_on": "date"})
    dates = pd.concat([heads, commits[["repository", "date"]]])
    return dates[dates["date"] <= now].groupby("repository")["date"].max()


def _open(pull_requests: pd.DataFrame) -> pd.DataFrame:
    return pull_requests[pull_requests["state"].astype("string").eq("OPEN").fillna(False).astype(bool)]


def _since(timestamps: pd.Series, now: datetime) -> pd.Series:
    seconds: pd.Series = (now - timestamps).dt.total_seconds().astype("Float64").clip(lower=0)
    return seconds


def _idle(found: pd.DataFrame, days: float) -> pd.DataFrame:
    is_stale = found["idle_seconds"].ge(timedelta(days=days).total_seconds()).fillna(False).astype(bool)
    return found[is_stale].sort_values(["idle_seconds", "repository"], ascending=[False, True], kind="stable", ignore_index=True)


def _last_state(pull_requests: pd.DataFrame) -> pd.DataFrame:
    """Return the state of the newest pull request of every branch and head."""
    rows = pull_requests.sort_values("created_on", kind="stable").assign(head=pull_requests["source_commit"].str[:_SHORT_HASH])
    rows = _from_branches(rows).rename(columns={"state": "pull_request_state"})
    rows = rows[["repository", "name", "head", "pull_request_state"]].dropna(subset=["repository", "name", "head"])
    return rows.drop_duplicates(["repository", "name", "head"], keep="last")


def _from_branches(pull_requests: pd.DataFrame) -> pd.DataFrame:
    """Return pull requests with their source repository and branch: a fork may have a branch of the same name."""
    by_branch = pull_requests.drop(columns="repository")
    return by_branch.rename(columns={"source_repository": "repository", "source_branch": "name"})


def _enough(counts: pd.Series) -> int:
    """Return how many of the counts, largest first, are needed to reach half of their sum."""
    return int((counts.cumsum() < counts.sum() * _HALF).sum()) + 1
