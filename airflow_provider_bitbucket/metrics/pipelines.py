"""Compute success rate, duration, queue time and cost of pipelines, time to fix a branch, and flakiness.

Definitions differ between tools; the decisions here are:

- The success rate is ``SUCCESSFUL / (SUCCESSFUL + FAILED + ERROR)``. A stopped or expired pipeline says nothing about the code:
  STOPPED and EXPIRED are counted separately. In DevLake STOPPED is a failure, in badges it is not.
- Only completed pipelines count. One that is PAUSED at a manual step has not completed, regardless of its age.
- ``duration`` is the running time, as in Bitbucket and DevLake; ``wall`` is from start to end, including the queue and manual
  steps; ``queue`` is the wait for the first machine. The last two are null for a pipeline that was run again.
- The 95th percentile is given beside the median, which would hide slow pipelines; there is no mean.
- A result unknown to this version (UNKNOWN) is neither success nor failure.

Sources: Apache DevLake's CI metrics, DORA for the time to fix; docs/metrics.md has the links.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_bitbucket.metrics.groups import between, grouped, rate, spread

if TYPE_CHECKING:
    import pandas as pd

#: Measures of time; each is a column ``<measure>_seconds``.
MEASURES = ("duration", "wall", "queue")
#: Percentiles of each measure.
QUANTILES = {"p50": 0.5, "p95": 0.95}

_SUCCESS, _FAILURES, _UNDECIDED = "SUCCESSFUL", ("FAILED", "ERROR"), ("STOPPED", "EXPIRED")
_SELECTOR = ["selector_type", "selector_pattern"]


def pipeline_times(pipelines: pd.DataFrame, steps: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the pipelines with their queue time, and with null wall time for reruns.

    ``queue_seconds`` = ``min(started_on of its steps) - created_on``, at least 0. It is null without ``steps``, if no step
    started, and if the first one to start is manual. A step that was stopped before it started has
    equal timestamps at Bitbucket and counts as not started. Waits between steps are not included.

    A pipeline whose steps were run again keeps the time of its first start, so the time before the rerun would count as
    waiting: with ``run_number`` above 1, ``queue_seconds`` and ``wall_seconds`` are null.

    :param pipelines: a frame of dataset ``pipelines``
    :param steps: a frame of dataset ``pipeline_steps``, of these pipelines or more
    :return: a row for every pipeline, in the same order, with the same columns and ``queue_seconds``
    """
    import pandas as pd

    is_first_run = ~_is_rerun(pipelines)
    times = pipelines.assign(wall_seconds=pipelines["wall_seconds"].where(is_first_run))
    if steps is None:
        return times.assign(queue_seconds=pd.array([None] * len(pipelines), dtype="Float64"))
    began = steps[steps["started_on"].notna() & (steps["started_on"] != steps["completed_on"])]
    first = began.sort_values("started_on", kind="stable").drop_duplicates(["repository", "build_number"])
    first = first[first["trigger"].astype("string").ne("manual").fillna(True).astype(bool) & ~_is_rerun(first)]
    found = pipelines[["repository", "build_number", "created_on"]].merge(
        first[["repository", "build_number", "started_on"]], on=["repository", "build_number"], how="left"
    )
    queue = (found["started_on"] - found["created_on"]).dt.total_seconds().astype("Float64").clip(lower=0)
    return times.assign(queue_seconds=queue.where(is_first_run.to_numpy()).array)


def summarize(times: pd.DataFrame, by: Sequence[str] = ("repository", "week")) -> pd.DataFrame:
    """Return results, durations and build minutes of completed pipelines.

    - ``success_rate`` = ``successful / (successful + failed + error)``, between 0 and 1; null where the three are 0, and
      ``success_rate_count`` is their sum
    - ``<measure>_p50_seconds`` and ``<measure>_p95_seconds``: interpolated linearly between neighbours, over all completed
      pipelines regardless of their result; ``<measure>_count`` is the number of non-null values
    - ``build_minutes`` = ``sum(build_seconds) / 60``: billed time. It can exceed the duration, because steps run in parallel

    The period is that of the end, because only then the result is known: ``week`` is the ISO week of ``completed_on`` in UTC,
    given by its Monday.

    :param times: what :func:`pipeline_times` returns; filter it before if needed, for example by
        ``times[times["ref_name"] == "main"]``
    :param by: columns to group by, such as ``repository``, ``week``, ``month``, ``selector_pattern``; none: one row over all
    :return: the columns of ``by``; ``pipelines``; ``successful``, ``failed``, ``error``, ``stopped``, ``expired`` (counts);
        ``success_rate_count``, ``success_rate``; the count and percentiles of duration, wall and queue; ``build_minutes``
    :raises ValueError: ``by`` names an unknown column
    """
    import pandas as pd

    completed = times[_is(times, "is_completed")]
    status = completed["status"].astype("string")
    results = {name.lower(): status.eq(name).astype("Int64") for name in (_SUCCESS, *_FAILURES, *_UNDECIDED)}
    groups = grouped(completed.assign(**results), by, period_of="completed_on")
    columns: dict[str, pd.Series] = {"pipelines": groups.size().astype("Int64")}
    columns |= {name: groups[name].sum().astype("Int64") for name in results}
    columns["success_rate_count"] = columns["successful"] + columns["failed"] + columns["error"]
    columns["success_rate"] = rate(columns["successful"], columns["success_rate_count"])
    for measure in MEASURES:
        columns |= spread(groups, measure, "seconds", QUANTILES)
    columns["build_minutes"] = (groups["build_seconds"].sum() / 60).astype("Float64")
    return pd.DataFrame(columns).reset_index(drop=not by)


def time_to_fix(pipelines: pd.DataFrame, branches: Collection[str] = ("main", "master")) -> pd.DataFrame:
    """Return one row for each time a branch was broken, with the time until it was fixed.

    ``fix_seconds`` = ``completed_on`` of the next SUCCESSFUL pipeline - ``completed_on`` of the first FAILED or ERROR one, at
    least 0. Failures in between belong to the same break. A failure is fixed only by the same part of
    ``bitbucket-pipelines.yml`` (the selector) on the same branch: a push does not fix a failed nightly. The pipelines of pushes
    to a branch count as one part, because a definition that cannot be read does not contain the part. The next pipeline is
    determined by ``created_on``, because its commit is the branch head. STOPPED, EXPIRED and unfinished pipelines neither break
    nor fix a branch, and pipelines of pull requests do not belong to it.

    :param pipelines: a frame of dataset ``pipelines``; a break that began before it starts with its first failure in the frame
    :param branches: names of the branches
    :return: ``repository``, ``ref_name``, ``selector_type``, ``selector_pattern``, ``broken_by`` (build number), ``broken_on``,
        ``failures`` (number in a row), ``fixed_by``, ``fixed_on``, ``fix_seconds``; the last three null while it is broken
    """
    import pandas as pd

    is_here = pipelines["ref_type"].eq("branch") & pipelines["ref_name"].isin(list(branches))
    runs = _runs(pipelines[is_here.fillna(False).astype(bool)], (_SUCCESS, *_FAILURES))
    is_push = runs["selector_type"].isna() | runs["selector_type"].astype("string").isin(["default", "branches"])
    part = runs[_SELECTOR].astype("string").mask(is_push.astype(bool), "")
    line = part.assign(**runs[["repository", "ref_name"]]).groupby(["repository", "ref_name", *_SELECTOR], dropna=False).ngroup()
    good = runs["status"].astype("string").eq(_SUCCESS).astype(bool)
    # All failures between two successes, and the success that fixes them, have the same number of successes before them.
    runs = runs.assign(line=line, episode=good.astype(int).groupby(line).cumsum() - good.astype(int))
    runs = runs.set_index(["line", "episode"])
    bad = runs[~good.to_numpy()]
    breaks = bad[~bad.index.duplicated()]
    fixes = runs[good.to_numpy()].reindex(breaks.index)
    seconds = (fixes["completed_on"] - breaks["completed_on"]).dt.total_seconds().astype("Float64").clip(lower=0)
    found = breaks[["repository", "ref_name", *_SELECTOR]].assign(
        broken_by=breaks["build_number"],
        broken_on=breaks["completed_on"],
        failures=bad.groupby(level=[0, 1]).size().reindex(breaks.index).astype("Int64"),
        fixed_by=fixes["build_number"],
        fixed_on=fixes["completed_on"],
        fix_seconds=seconds,
    )
    return pd.DataFrame(found).sort_values(["broken_on", "broken_by"], kind="stable", ignore_index=True)


def flakiness(
    pipelines: pd.DataFrame,
    by: Sequence[str] = ("repository", *_SELECTOR),
    since: datetime | None = None,
    until: datetime | None = None,
) -> pd.DataFrame:
    """Return the share of commits that failed and later passed without a change.

    ``flakiness`` = ``flaky / commits``, where a commit is counted for every selector that ended SUCCESSFUL or FAILED on it,
    and is flaky if one pipeline FAILED and a later one was SUCCESSFUL. ERROR (such as a definition that cannot
    be read) is not a failed test. It is a lower bound: a failure that was not repeated is not detected. The reverse,
    passing first and failing later, may have external causes and does not count.

    If only the failed steps were run again, the same pipeline has its new result and the old one is lost; such commits
    are counted separately as ``passed_on_rerun``, because the earlier run may have been stopped instead.

    :param pipelines: a frame of dataset ``pipelines``
    :param by: columns to group by, ``week`` and ``month`` (of the first of these pipelines of the commit, by ``created_on``);
        none: one row
    :param since: inclusive start, for the creation of a commit's first pipeline; None: no limit
    :param until: exclusive end, likewise; later pipelines of these commits still count
    :return: the columns of ``by``; ``commits``, ``flaky``, ``passed_on_rerun`` (counts); ``flakiness``, between 0 and 1
    :raises ValueError: ``by`` names an unknown column
    """
    import pandas as pd

    runs = _runs(pipelines[pipelines["commit"].notna()], (_SUCCESS, "FAILED"))
    one = runs.groupby(["repository", "commit", *_SELECTOR], dropna=False, observed=True).ngroup()
    good = runs["status"].astype("string").eq(_SUCCESS).astype(bool)
    passed_after = good & ((~good).astype(int).groupby(one).cumsum() > 0)
    again = good & _is_rerun(runs)
    commits = runs.assign(
        flaky=passed_after.groupby(one).transform("any").astype("Int64"),
        passed_on_rerun=again.groupby(one).transform("any").astype("Int64"),
    )[~one.duplicated()]
    groups = grouped(between(commits, "created_on", since, until), by, period_of="created_on")
    columns: dict[str, pd.Series] = {"commits": groups.size().astype("Int64")}
    columns |= {name: groups[name].sum().astype("Int64") for name in ("flaky", "passed_on_rerun")}
    columns["flakiness"] = rate(columns["flaky"], columns["commits"])
    return pd.DataFrame(columns).reset_index(drop=not by)


def _runs(pipelines: pd.DataFrame, ends: Collection[str]) -> pd.DataFrame:
    """Return the completed pipelines with one of these results, oldest first."""
    ended = _is(pipelines, "is_completed") & pipelines["status"].astype("string").isin(list(ends)).astype(bool)
    return pipelines[ended].sort_values(["created_on", "build_number"], kind="stable", ignore_index=True)


def _is_rerun(frame: pd.DataFrame) -> pd.Series[bool]:
    # facts 6.2: a pipeline or step that is run again in Bitbucket's UI keeps its number, and its run_number increases.
    return frame["run_number"].gt(1).fillna(False).astype(bool)


def _is(frame: pd.DataFrame, column: str) -> pd.Series[bool]:
    return frame[column].fillna(False).astype(bool)
