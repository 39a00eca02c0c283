"""How often is deployed to production, how long a change takes to get there, how often it fails, and for how long: DORA's four.

Where the field is divided, this is the choice:

- A deployment counts when its environment is of type Production and it ended SUCCESSFUL or FAILED. What is UNDEPLOYED, under
  way or was STOPPED never reached anybody. An environment that was deleted has no type any more and does not count.
- A change is a commit that is no merge. Its lead time ends with the first successful production deployment whose commit leads
  back to it, found along the parents of commits as in DevLake, not by the clock.
- Bitbucket knows deployments, not outages. Without ``incidents`` failures are **proxies**: deployments that failed, and
  successful ones that were rolled back, which is an older commit deployed to the same environment next. They miss the failure
  that was mended forward, and count the deployment that failed without harm. With ``incidents`` a failure is what DORA calls
  one: a deployment after which an incident began. ``failure_source`` says which it is; the two are never mixed.
- The recovery is measured from the end of the deployment that failed, as DORA does since 2023.
- Medians, as in DORA and DevLake; Sleuth's mean lets one forgotten branch rule.

Sources: DORA's guide and its fourkeys METRICS.md, Apache DevLake's dora plugin, Sleuth; docs/metrics.md has the links.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.schema import BOOLEAN, CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column, Schema
from airflow_provider_bitbucket.metrics.changes import CHANGES, DEPLOYMENT, of_deployment, production, rows_of
from airflow_provider_bitbucket.metrics.groups import grouped, monday, rate, spread
from airflow_provider_bitbucket.metrics.incidents import incidents_frame

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.metrics.incidents import Incidents

#: What :func:`summarize` tells of lead and recovery time beside their count.
QUANTILES = {"median": 0.5, "p90": 0.9}
#: What the frequency can be told of.
_PLACES = ("repository", "environment")
#: What a deployment or a change adds to a group.
_ADDED = {
    "repository": TEXT,
    "environment": TEXT,
    "happened_on": TIMESTAMP,
    "successes": INTEGER,
    "day": TIMESTAMP,
    "changes": INTEGER,
    "lead_time_seconds": NUMBER,
    "failures": INTEGER,
    "counted": INTEGER,
    "recovery_seconds": NUMBER,
    "failure_source": TEXT,
}
OUTCOMES = Schema(
    "outcomes",
    ("repository", "deployment_id"),
    (
        *DEPLOYMENT,
        Column("commit", TEXT, "what was deployed", "deployment"),
        Column("completed_on", TIMESTAMP, "when it ended", "deployment"),
        Column("is_successful", BOOLEAN, "whether it ended SUCCESSFUL", "deployment"),
        Column("is_failure", BOOLEAN, "whether it counts as a change that failed", "see `failure_kind`"),
        Column("failure_kind", CATEGORY, "why", "made", categories=("failed", "rolled_back", "incident")),
        Column("recovered_on", TIMESTAMP, "when it was mended", "made"),
        Column("recovery_seconds", NUMBER, "null while it is not mended", "recovered_on - completed_on", "s"),
        Column("failure_source", CATEGORY, "what tells of failures", "made", categories=("proxy", "incidents")),
    ),
)


def deployment_outcomes(deployments: pd.DataFrame, incidents: Incidents | None = None) -> pd.DataFrame:
    """Return the production deployments with how they turned out.

    Without ``incidents`` a failure is, in one environment,

    - ``failed``: it ended FAILED. ``recovered_on`` is the end of the next successful one; of several failures in a row the
      first has it, so that a bad day counts once
    - ``rolled_back``: it was successful, and the next successful one deploys a commit whose first deployment was earlier
      than that of its own: in a, b, a, b the first b was rolled back, and the second b is the way forward. ``recovered_on`` is
      the end of the one that rolled it back

    With ``incidents`` a failure is ``incident``: one began after this deployment was completed and before the next successful
    one of the repository was (DevLake). ``recovered_on`` is when the last of its incidents was resolved, null while one is
    open. A deployment that ended FAILED is then none: users did not see it.

    :param deployments: a frame of dataset ``deployments``
    :param incidents: records or a frame with ``repository`` (workspace/repository), ``created_on`` and ``resolved_on`` (null
        while open), from wherever you keep them
    :return: ``repository``, ``environment``, ``deployment_id``, ``build_number``, ``commit``, ``completed_on``,
        ``is_successful``, ``is_failure``, ``failure_kind``, ``recovered_on``, ``recovery_seconds``, ``failure_source``
        (proxy or incidents); oldest first
    :raises ValueError: ``incidents`` are not what is expected; says what is
    """
    over = rows_of(production(deployments))
    if incidents is None:
        environments: dict[tuple[Any, Any], list[dict[str, Any]]] = defaultdict(list)
        for row in over:
            environments[row["repository"], row["environment_id"]].append(row)
        failures = {number: failure for rows in environments.values() for number, failure in _proxies(rows)}
    else:
        failures = _incidents(over, rows_of(incidents_frame(incidents)))
    source = "proxy" if incidents is None else "incidents"
    return OUTCOMES.frame(_outcome(row, failures.get(row["id"]), source) for row in over)


def summarize(
    outcomes: pd.DataFrame, changes: pd.DataFrame | None = None, by: Sequence[str] = ("repository", "week")
) -> pd.DataFrame:
    """Return DORA's four by period. The period is that of the end of the deployment.

    - ``deployments``: how many were successful; ``deployment_days``: on how many days in UTC, which many in a row do not raise
    - ``changes``: commits that came into production for the first time; ``lead_time_count``, ``lead_time_median_seconds``,
      ``lead_time_p90_seconds`` of them
    - ``failures`` and ``change_failure_rate`` = ``failures / (successful + failed)`` by the proxy, and
      ``failures / successful`` by incidents, at most 1 since a deployment fails once (fourkeys' sum over incidents can exceed
      it); ``change_failure_rate_count`` is what it is divided by
    - ``recovery_count``, ``recovery_median_seconds``, ``recovery_p90_seconds``: of failures that were mended
    - ``failure_source``: ``proxy`` or ``incidents``; null in a period without a deployment that ended

    :param outcomes: what :func:`deployment_outcomes` returns
    :param changes: what :func:`~airflow_provider_bitbucket.metrics.changes.changes` returns; None: no changes and lead times
    :param by: of ``repository``, ``environment``, ``week`` and ``month``; none: one row over all
    :return: the columns of ``by`` and those above; a period without deployments has no row, :func:`deployment_frequency` has
    :raises ValueError: ``by`` names a column that is not there
    """
    import pandas as pd

    arrived = CHANGES.empty() if changes is None else changes
    groups = grouped(_stacked(outcomes, arrived[arrived["is_merge"].ne(True).fillna(True)]), by, period_of="happened_on")
    columns: dict[str, pd.Series] = {
        "deployments": groups["successes"].sum().astype("Int64"),
        "deployment_days": groups["day"].nunique().astype("Int64"),
        "changes": groups["changes"].sum().astype("Int64"),
        **spread(groups, "lead_time", "seconds", QUANTILES),
        "failures": groups["failures"].sum().astype("Int64"),
    }
    columns["change_failure_rate_count"] = groups["counted"].sum().astype("Int64")
    columns["change_failure_rate"] = rate(columns["failures"], columns["change_failure_rate_count"])
    columns |= spread(groups, "recovery", "seconds", QUANTILES)
    columns["failure_source"] = groups["failure_source"].first().astype("string")
    return pd.DataFrame(columns).reset_index(drop=not by)


def deployment_frequency(
    deployments: pd.DataFrame,
    by: Sequence[str] = ("repository",),
    since: datetime | None = None,
    until: datetime | None = None,
) -> pd.DataFrame:
    """Return how often is deployed to production, weeks without a deployment included.

    ``days_per_week_median`` = the median over all weeks of the days with a successful production deployment (DORA, fourkeys
    and DevLake, whose levels are made of it; the plain median, where DevLake takes the lower of two). Only whole ISO weeks in
    UTC count, because half a week has half the days. A repository that deployed at other times only has a row of zeros, one
    that never deployed has none. By week or month ask :func:`summarize`: every row here is of all weeks.

    :param deployments: a frame of dataset ``deployments``
    :param by: of ``repository`` and ``environment``; none: one row over all
    :param since: the first whole week after it is the first; None: the week of the first deployment
    :param until: the last whole week before it is the last; None: the week of the last deployment, taken for whole even when it
        is not over, and none of the weeks since: give the moment at which the frame was read to count them
    :return: the columns of ``by``; ``weeks`` (how many), ``deployments``, ``deployments_per_week`` (mean),
        ``weeks_with_deployment``, ``days_per_week_median``
    :raises ValueError: ``by`` names anything else
    """
    import pandas as pd

    if wrong := sorted(set(by) - set(_PLACES)):
        known = f"expected some of {', '.join(_PLACES)}; every row is of all weeks, and metric dora has weeks and months"
        raise ValueError(f"Can not summarize by {', '.join(wrong)}; {known}")
    successful = production(deployments)
    successful = successful[successful["outcome"].astype("string") == "SUCCESSFUL"]
    weeks = _whole_weeks(successful["completed_on"], since, until)
    rows = successful.assign(week_began=monday(successful["completed_on"]), day=successful["completed_on"].dt.floor("D"))
    groups = grouped(rows.assign(is_inside=rows["week_began"].isin(weeks).astype("Int64")), by, period_of="completed_on")
    days = [each.drop_duplicates("day")["week_began"].value_counts().reindex(weeks, fill_value=0) for _, each in groups]
    count = groups["is_inside"].sum().astype("Int64")
    columns = {
        "weeks": count * 0 + len(weeks),
        "deployments": count,
        "deployments_per_week": (count / max(len(weeks), 1)).astype("Float64"),
        "weeks_with_deployment": pd.Series([int((each > 0).sum()) for each in days], index=count.index, dtype="Int64"),
        "days_per_week_median": pd.Series([float(each.median()) for each in days], index=count.index, dtype="Float64"),
    }
    return pd.DataFrame(columns).reset_index(drop=not by)


def _outcome(row: dict[str, Any], failure: tuple[str, datetime | None] | None, source: str) -> dict[str, Any]:
    kind, recovered_on = failure or (None, None)
    return {
        **of_deployment(row),
        "commit": row["commit"],
        "completed_on": row["completed_on"],
        "is_successful": row["outcome"] == "SUCCESSFUL",
        "is_failure": kind is not None,
        "failure_kind": kind,
        "recovered_on": recovered_on,
        "recovery_seconds": max((recovered_on - row["completed_on"]).total_seconds(), 0.0) if recovered_on else None,
        "failure_source": source,
    }


def _proxies(rows: Iterable[dict[str, Any]]) -> Iterator[tuple[str, tuple[str, datetime | None]]]:
    """Yield the failures among the deployments to one environment, oldest first: id, kind, when it was mended."""
    order: dict[str, int] = {}  # commit -> its place among those that were deployed
    current: dict[str, Any] | None = None
    broken: str | None = None
    for row in rows:
        if row["outcome"] == "FAILED":
            yield row["id"], ("failed", None)
            broken = broken or row["id"]
            continue
        if broken:  # told again, now with its end
            yield broken, ("failed", row["completed_on"])
            broken = None
        if (commit := row["commit"]) is not None:
            place = order.setdefault(commit, len(order))
            if current and place < order[current["commit"]]:
                yield current["id"], ("rolled_back", row["completed_on"])
            current = row


def _incidents(rows: Sequence[dict[str, Any]], incidents: Iterable[dict[str, Any]]) -> dict[str, tuple[str, datetime | None]]:
    """Return the deployments after which an incident began: id -> kind, when the last of its incidents was resolved."""
    successful: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["outcome"] == "SUCCESSFUL":
            successful[row["repository"]].append(row)
    resolved: dict[str, list[datetime | None]] = defaultdict(list)
    for incident in incidents:
        known = successful[incident["repository"]]
        began = incident["created_on"]
        before = bisect_right(known, began, key=lambda row: row["completed_on"]) if began is not None else 0
        if before:
            resolved[known[before - 1]["id"]].append(incident["resolved_on"])
    return {
        number: ("incident", None if None in ends else max(end for end in ends if end is not None))
        for number, ends in resolved.items()
    }


def _stacked(outcomes: pd.DataFrame, changes: pd.DataFrame) -> pd.DataFrame:
    """Return deployments and changes as rows of one frame, each with what it adds to a group."""
    import pandas as pd

    successful, failed = outcomes["is_successful"].fillna(False), outcomes["is_failure"].fillna(False)
    by_incidents = outcomes["failure_source"].astype("string").eq("incidents").fillna(False)
    ended = outcomes.assign(
        happened_on=outcomes["completed_on"],
        successes=successful,
        day=outcomes["completed_on"].dt.floor("D").where(successful.astype(bool)),
        failures=failed,
        counted=successful | ~by_incidents,
    )
    arrived = changes.assign(happened_on=changes["deployed_on"], changes=True)
    return pd.concat([each.reindex(columns=list(_ADDED)).astype(_ADDED) for each in (ended, arrived)], ignore_index=True)


def _whole_weeks(moments: pd.Series, since: datetime | None, until: datetime | None) -> pd.DatetimeIndex:
    """Return the Mondays of the weeks that lie wholly between two moments, or between the first and the last of many."""
    import pandas as pd

    week = pd.Timedelta(weeks=1)
    if moments.empty and (since is None or until is None):
        return pd.DatetimeIndex(moments)
    begin, end = monday(moments).min(), monday(moments).max() + week
    if since is not None:
        begin = monday(pd.Series([since], dtype=moments.dtype))[0]
        begin += week * int(begin < since)
    if until is not None:
        end = monday(pd.Series([until], dtype=moments.dtype))[0]
    return pd.date_range(begin, end, freq=week, inclusive="left").as_unit("us")
