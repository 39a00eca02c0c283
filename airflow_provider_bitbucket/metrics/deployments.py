"""Compute the four DORA metrics: deployment frequency, lead time for changes, change failure rate and recovery time.

Definitions differ between tools; the decisions here are:

- A deployment counts if its environment is of type Production and it ended SUCCESSFUL or FAILED. One that is UNDEPLOYED, in
  progress or STOPPED did not reach users. A deleted environment has no type and does not count.
- A change is a commit other than a merge commit. Its lead time ends with the first successful production deployment that
  contains it, determined by the parents of commits as in DevLake, not by date.
- Bitbucket records deployments, not outages. Without ``incidents`` failures are **proxies**: deployments that failed, and
  successful ones that were rolled back, i.e. followed by an older commit in the same environment. They miss failures that a
  later release fixed, and count deployments that failed without harm. With ``incidents`` a failure is DORA's: a deployment
  after which an incident began. ``failure_source`` says which of the two applies; they are never mixed.
- The recovery time starts with the end of the failed deployment, as in DORA since 2023.
- Medians, as in DORA and DevLake; one forgotten branch dominates Sleuth's mean.

Sources: DORA's guide and its fourkeys METRICS.md, Apache DevLake's dora plugin, Sleuth; docs/metrics.md has the links.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.column import BOOLEAN, CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.metrics.changes import CHANGES, DEPLOYMENT, of_deployment, production, rows_of
from airflow_provider_bitbucket.metrics.groups import grouped, monday, rate, spread
from airflow_provider_bitbucket.metrics.incidents import incidents_frame

if TYPE_CHECKING:
    import pandas as pd

    from airflow_provider_bitbucket.metrics.incidents import Incidents

#: Percentiles of lead and recovery time.
QUANTILES = {"median": 0.5, "p90": 0.9}
#: Columns by which :func:`deployment_frequency` can group.
_PLACES = ("repository", "environment")
#: Columns, with dtypes, of the rows that :func:`summarize` groups: one per deployment and one per change.
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
        Column("commit", TEXT, "the deployed commit", "deployment"),
        Column("completed_on", TIMESTAMP, "when it ended", "deployment"),
        Column("is_successful", BOOLEAN, "whether it ended SUCCESSFUL", "deployment"),
        Column("is_failure", BOOLEAN, "whether it counts as a failed change", "see `failure_kind`"),
        Column("failure_kind", CATEGORY, "kind of failure", "made", categories=("failed", "rolled_back", "incident")),
        Column("recovered_on", TIMESTAMP, "when the failure was fixed", "made"),
        Column("recovery_seconds", NUMBER, "null until the failure is fixed", "recovered_on - completed_on", "s"),
        Column("failure_source", CATEGORY, "source of failures", "made", categories=("proxy", "incidents")),
    ),
)


def deployment_outcomes(deployments: pd.DataFrame, incidents: Incidents | None = None) -> pd.DataFrame:
    """Return the production deployments with their failures and recoveries.

    Without ``incidents`` there are two kinds of failures in an environment:

    - ``failed``: the deployment ended FAILED. ``recovered_on`` is the end of the next successful one; in a series of failures
      only the first has it, so that the recovery counts once
    - ``rolled_back``: the deployment was successful, and the next successful one deploys a commit that was first deployed
      earlier: in a, b, a, b the first b was rolled back, the second was not. ``recovered_on`` is the end of the deployment
      that rolled it back

    With ``incidents`` the only kind is ``incident``: an incident began after this deployment was completed and before the next
    successful one of the repository was (DevLake). ``recovered_on`` is when the last of its incidents was resolved, null while
    one is open. A deployment that ended FAILED is then not a failure, because it did not reach users.

    :param deployments: a frame of dataset ``deployments``
    :param incidents: records or a frame with ``repository`` (workspace/repository), ``created_on`` and ``resolved_on`` (null
        while open), from any source
    :return: ``repository``, ``environment``, ``deployment_id``, ``build_number``, ``commit``, ``completed_on``,
        ``is_successful``, ``is_failure``, ``failure_kind``, ``recovered_on``, ``recovery_seconds``, ``failure_source``
        (proxy or incidents); oldest first
    :raises ValueError: ``incidents`` are malformed; the message names the problem
    """
    finished = rows_of(production(deployments))
    if incidents is None:
        environments: dict[tuple[Any, Any], list[dict[str, Any]]] = defaultdict(list)
        for row in finished:
            environments[row["repository"], row["environment_id"]].append(row)
        failures = {number: failure for rows in environments.values() for number, failure in _proxies(rows)}
    else:
        failures = _incidents(finished, rows_of(incidents_frame(incidents)))
    source = "proxy" if incidents is None else "incidents"
    return OUTCOMES.frame(_outcome(row, failures.get(row["id"]), source) for row in finished)


def summarize(
    outcomes: pd.DataFrame, changes: pd.DataFrame | None = None, by: Sequence[str] = ("repository", "week")
) -> pd.DataFrame:
    """Return the four DORA metrics by period, which is that of the end of the deployment.

    - ``deployments``: number of successful ones; ``deployment_days``: number of days in UTC with at least one
    - ``changes``: commits that were deployed to production for the first time, with ``lead_time_count``,
      ``lead_time_median_seconds`` and ``lead_time_p90_seconds``
    - ``failures`` and ``change_failure_rate`` = ``failures / (successful + failed)`` by the proxy, and
      ``failures / successful`` by incidents, at most 1 because a deployment fails once (fourkeys' sum over incidents can exceed
      it); ``change_failure_rate_count`` is the divisor
    - ``recovery_count``, ``recovery_median_seconds``, ``recovery_p90_seconds``: of failures that were fixed
    - ``failure_source``: ``proxy`` or ``incidents``; null in a period without a completed deployment

    :param outcomes: what :func:`deployment_outcomes` returns
    :param changes: what :func:`~airflow_provider_bitbucket.metrics.changes.changes` returns; None: no changes and lead times
    :param by: any of ``repository``, ``environment``, ``week`` and ``month``; none: one row over all
    :return: the columns of ``by`` and those above; periods without deployments have no row (see :func:`deployment_frequency`)
    :raises ValueError: ``by`` names an unknown column
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
    """Return the frequency of production deployments over whole weeks, including weeks without a deployment.

    ``days_per_week_median`` = the median over all weeks of the days with a successful production deployment (DORA, fourkeys
    and DevLake, whose levels are based on it; DevLake uses the lower of the middle two). Only whole ISO weeks in
    UTC count, because half a week has half the days. A repository that deployed only at other times has a row of zeros, one
    that never deployed has none. Each row covers all weeks; for numbers by week or month use :func:`summarize`.

    :param deployments: a frame of dataset ``deployments``
    :param by: any of ``repository`` and ``environment``; none: one row over all
    :param since: counting starts with the first whole week after it; None: with the week of the first deployment
    :param until: counting ends with the last whole week before it; None: with the week of the last deployment, even if that
        week is incomplete. Pass the time at which the frame was read to count later weeks without deployments
    :return: the columns of ``by``; ``weeks`` (their number), ``deployments``, ``deployments_per_week`` (mean),
        ``weeks_with_deployment``, ``days_per_week_median``
    :raises ValueError: ``by`` names another column
    """
    import pandas as pd

    if wrong := sorted(set(by) - set(_PLACES)):
        known = f"expected some of {', '.join(_PLACES)}; each row covers all weeks, metric dora supports week and month"
        raise ValueError(f"Cannot summarize by {', '.join(wrong)}; {known}")
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
    """Yield the failures among the deployments to one environment, oldest first, as (id, (kind, time of the fix))."""
    order: dict[str, int] = {}  # commit -> its position in the order of first deployments
    current: dict[str, Any] | None = None
    broken: str | None = None
    for row in rows:
        if row["outcome"] == "FAILED":
            yield row["id"], ("failed", None)
            broken = broken or row["id"]
            continue
        if broken:  # replaces the earlier entry, now with the time of the fix
            yield broken, ("failed", row["completed_on"])
            broken = None
        if (commit := row["commit"]) is not None:
            place = order.setdefault(commit, len(order))
            if current and place < order[current["commit"]]:
                yield current["id"], ("rolled_back", row["completed_on"])
            current = row


def _incidents(rows: Sequence[dict[str, Any]], incidents: Iterable[dict[str, Any]]) -> dict[str, tuple[str, datetime | None]]:
    """Return the deployments after which an incident began: id -> (kind, time at which the last incident was resolved)."""
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
    """Return deployments and changes as rows of one frame with the columns of ``_ADDED``."""
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


def _whole_weeks(timestamps: pd.Series, since: datetime | None, until: datetime | None) -> pd.DatetimeIndex:
    """Return the Mondays of the whole weeks between ``since`` and ``until``, by default the first and last timestamp."""
    import pandas as pd

    week = pd.Timedelta(weeks=1)
    if timestamps.empty and (since is None or until is None):
        return pd.DatetimeIndex(timestamps)
    begin, end = monday(timestamps).min(), monday(timestamps).max() + week
    if since is not None:
        begin = monday(pd.Series([since], dtype=timestamps.dtype))[0]
        begin += week * int(begin < since)
    if until is not None:
        end = monday(pd.Series([until], dtype=timestamps.dtype))[0]
    return pd.date_range(begin, end, freq=week, inclusive="left").as_unit("us")
