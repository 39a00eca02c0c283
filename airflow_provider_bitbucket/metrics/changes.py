"""Match commits to the production deployments that first contained them, with the lead time.

A commit is in production with the first successful production deployment whose commit is the same or a descendant, determined by
the parents of commits as in Apache DevLake, not by date: the next deployment by date may be of a different branch. Source of the
lead time: DORA and its fourkeys METRICS.md (commit to deployment); docs/metrics.md has the links.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.column import BOOLEAN, INTEGER, NUMBER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

#: Columns that identify a deployment in derived frames.
DEPLOYMENT = (
    Column("repository", TEXT, "workspace/repository", "deployment"),
    Column("environment", TEXT, "name of the environment", "deployment"),
    Column("deployment_id", TEXT, "uuid of the deployment", "deployment"),
    Column("build_number", INTEGER, "number of the pipeline that deployed", "deployment"),
)
CHANGES = Schema(
    "changes",
    ("repository", "hash"),
    (
        *DEPLOYMENT,
        Column("hash", TEXT, "the commit", "commit"),
        Column("author_id", TEXT, "uuid of its author", "commit"),
        Column("author", TEXT, "display name of its author", "commit"),
        Column("is_merge", BOOLEAN, "whether it is a merge commit, which is not a change itself", "commit"),
        Column("committed_on", TIMESTAMP, "its author date", "commit"),
        Column("deployed_on", TIMESTAMP, "when it was in production", "deployment"),
        Column(
            "lead_time_seconds", NUMBER, "null for a merge, and where it would be negative", "deployed_on - committed_on", "s"
        ),
    ),
)


def changes(commits: pd.DataFrame, deployments: pd.DataFrame) -> pd.DataFrame:
    """Return every commit that was deployed to production, with the first deployment that contained it.

    ``lead_time_seconds`` = ``deployed_on - committed_on`` (DORA, fourkeys); null for merge commits, which are not changes,
    and where a wrong clock or a rebase makes it negative. The first deployment of a repository in the frame is only the baseline:
    its new commits cannot be distinguished from earlier ones, so none are returned for it.

    :param commits: a frame of dataset ``commits``, starting with the oldest commit that may be deployed: ancestors of a commit
        that is missing in it are not found
    :param deployments: a frame of dataset ``deployments``, starting before the period to report
    :return: ``repository``, ``environment``, ``deployment_id``, ``build_number``, ``hash``, ``author_id``, ``author``,
        ``is_merge``, ``committed_on``, ``deployed_on``, ``lead_time_seconds``; by the time of the deployment
    """
    successful = production(deployments)
    successful = successful[successful["outcome"].astype("string") == "SUCCESSFUL"]
    graphs = {name: _Graph(rows.itertuples()) for name, rows in commits.groupby("repository")}
    rows: list[dict[str, Any]] = []
    with_baseline: set[str] = set()
    for deployment in rows_of(successful):
        repository = deployment["repository"]
        brought = list(graphs[repository].new(deployment["commit"])) if repository in graphs else []
        if repository in with_baseline:
            rows += [_change(deployment, commit) for commit in brought]
        with_baseline.add(repository)
    return CHANGES.frame(rows)


def production(deployments: pd.DataFrame) -> pd.DataFrame:
    """Return the production deployments that ended SUCCESSFUL or FAILED, oldest first."""
    is_production = deployments["environment_type"].astype("string").eq("Production")
    is_finished = deployments["outcome"].astype("string").isin(["SUCCESSFUL", "FAILED"])
    kept = deployments[(is_production & is_finished).fillna(False).astype(bool) & deployments["completed_on"].notna()]
    return kept.sort_values(["completed_on", "build_number"], kind="stable")


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as dictionaries, with None for nulls."""
    listed = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in listed]


def of_deployment(row: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of :data:`DEPLOYMENT` for a row of dataset ``deployments``."""
    return {
        "repository": row["repository"],
        "environment": row["environment"],
        "deployment_id": row["id"],
        "build_number": row["build_number"],
    }


class _Graph:
    """The commit graph of a repository, by the first 12 characters of hashes, as pull requests and some answers contain them.

    :param commits: rows with ``hash`` and ``parent_hashes``
    """

    def __init__(self, commits: Iterable[Any]) -> None:
        self._commits = {commit.hash[:12]: commit for commit in commits if isinstance(commit.hash, str)}
        self._deployed: set[str] = set()

    def new(self, head: str | None) -> Iterator[Any]:
        """Yield a commit and its ancestors, without those that an earlier call yielded."""
        waiting = [head[:12]] if head else []
        while waiting:
            name = waiting.pop()
            if name in self._deployed or name not in self._commits:
                continue
            self._deployed.add(name)
            commit = self._commits[name]
            yield commit
            if isinstance(commit.parent_hashes, str):
                waiting += [parent[:12] for parent in commit.parent_hashes.split()]


def _change(deployment: dict[str, Any], commit: Any) -> dict[str, Any]:
    import pandas as pd

    is_merge = bool(pd.notna(commit.parents) and commit.parents > 1)
    committed_on = None if pd.isna(commit.date) else commit.date
    seconds = (deployment["completed_on"] - committed_on).total_seconds() if committed_on is not None and not is_merge else None
    return {
        **of_deployment(deployment),
        "hash": commit.hash,
        "author_id": commit.author_id,
        "author": commit.author,
        "is_merge": is_merge,
        "committed_on": committed_on,
        "deployed_on": deployment["completed_on"],
        "lead_time_seconds": None if seconds is None or seconds < 0 else seconds,
    }
