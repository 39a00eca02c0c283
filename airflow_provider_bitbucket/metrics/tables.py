"""Metrics as rows of a table: their schema with its key, and intervals whose weeks and months are complete."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.catalog import dataset_spec
from airflow_provider_bitbucket.datasets.column import BOOLEAN, CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.metrics.catalog import METRICS, Question
from airflow_provider_bitbucket.parameters.choices import MetricName

if TYPE_CHECKING:
    import pandas as pd

_MIDNIGHT: dict[str, Any] = {"hour": 0, "minute": 0, "second": 0, "microsecond": 0}


def metric_schema(name: MetricName, group_by: Sequence[str] | None = None) -> Schema:
    """Return the schema of a metric. Its key is the columns to group by, or those that identify an item.

    :param name: name of the metric
    :param group_by: columns to group by; None: the default of the metric
    :raises ValueError: a column is unknown, or there is none: one row without a key cannot be replaced
    """
    metric = METRICS[name]
    by = tuple((metric.by or ()) if group_by is None else group_by)
    key = metric.key or by
    if not key:
        raise ValueError(f"group_by is empty; expected at least one column, which is the key of the rows of {name!r}")
    frames: dict[str, pd.DataFrame] = {
        read.dataset: dataset_spec(read.dataset).schema.empty() for read in metric.reads if read.when is None
    }
    frame = metric.compute(frames, Question(by))
    columns = [Column(column, _dtype(frame[column]), column, "computed") for column in frame.columns]
    return Schema(name, key, columns, required=())


def whole_periods(
    group_by: Sequence[str], since: datetime | None, until: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """Return the smallest interval around another one in which the weeks and months of the rows are complete.

    Rows of an interval that begins or ends within a week would replace those of the whole week in a table.

    :param group_by: columns to group by; without ``week`` and ``month`` the interval is returned unchanged
    :param since: start of the interval; None: no limit
    :param until: end of the interval, exclusive; None: no limit
    """
    for period, begin, length in (("month", _month_of, 32), ("week", _week_of, 7)):
        if period in group_by:
            since = since and begin(since)
            until = until and (until if until == begin(until) else begin(begin(until) + timedelta(days=length)))
    return since, until


def _week_of(time: datetime) -> datetime:
    day = time.astimezone(UTC).replace(**_MIDNIGHT)
    return day - timedelta(days=day.weekday())


def _month_of(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(day=1, **_MIDNIGHT)


def _dtype(values: pd.Series[Any]) -> str:
    name = str(values.dtype)
    return next((dtype for dtype in (TIMESTAMP, INTEGER, NUMBER, BOOLEAN, CATEGORY) if dtype == name), TEXT)
