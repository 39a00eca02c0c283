"""The numbers of the report as one table, for a CSV file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow_provider_bitbucket.report.period import Period
from airflow_provider_bitbucket.report.requirements import GROUPED

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("level", "key", "since", "until", "metric", "name", "value")


def csv(frames: Mapping[str, pd.DataFrame], period: Period) -> str:
    """Return the numbers of the report as CSV text, one number per line.

    Columns: ``level`` (``period``, ``week`` or ``repository``), ``key`` (Monday of the week, or the repository), ``since`` and
    ``until`` of the interval, ``metric``, ``name`` of the number as in docs/metrics.md, and ``value``. Lines without a value are
    left out.

    :param frames: the metrics by the names of :func:`~airflow_provider_bitbucket.report.requirements.required_metrics`
    :param period: period of the report
    """
    import pandas as pd

    both = Period(period.before.since, period.until)
    parts = []
    for metric in GROUPED:
        for name, level, column, interval in (
            (metric, "period", None, period),
            (f"{metric}_before", "period", None, period.before),
            (f"{metric}_by_week", "week", "week", both),
            (f"{metric}_by_repository", "repository", "repository", period),
            (f"{metric}_by_repository_before", "repository", "repository", period.before),
        ):
            frame = frames[name].select_dtypes("number")
            key = "" if column is None else frames[name][column].astype("string")
            long = frame.assign(key=key).melt("key", var_name="name").dropna(subset="value")
            parts.append(long.assign(level=level, metric=metric, since=interval.since, until=interval.until))
    table = pd.concat(parts, ignore_index=True)
    table[["since", "until"]] = table[["since", "until"]].map(lambda time: time.isoformat())
    return table[list(COLUMNS)].to_csv(index=False)
