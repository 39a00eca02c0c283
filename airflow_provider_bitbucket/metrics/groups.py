"""Helpers that summaries share: grouping by columns, week and month, events, intervals, rates and percentiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def grouped(frame: pd.DataFrame, by: Sequence[str], period_of: str) -> Any:
    """Group rows by columns, week and month; nulls form a separate group, so that no row is dropped.

    :param frame: rows
    :param by: columns, ``week`` and ``month``; none: one group over all, if there are rows
    :param period_of: timestamp column; ``week`` is its ISO week in UTC, given by the Monday, and ``month`` its month in UTC,
        given by the first day
    :raises ValueError: ``by`` names an unknown column
    """
    rows = frame.assign(week=monday(frame[period_of]), month=_first_of_month(frame[period_of]), over_all=0)
    if unknown := sorted(set(by) - set(rows.columns)):
        known = ", ".join(("week", "month", *frame.columns))
        raise ValueError(f"Cannot summarize by {', '.join(unknown)}; expected some of {known}")
    return rows.groupby(list(by) or "over_all", observed=True, sort=True, dropna=False)


def events(
    frame: pd.DataFrame, kinds: Mapping[str, pd.Series], since: datetime | None = None, until: datetime | None = None
) -> pd.DataFrame:
    """Return one row per event, so that a row with several events is counted in the period of each.

    :param frame: rows
    :param kinds: kind of event -> its timestamp for each row of the frame; null without such an event
    :param since: inclusive start; None: no limit
    :param until: exclusive end; None: no limit
    :return: the columns of the frame, ``happened_on``, and for each kind a column with 1 for events of this kind, else 0
    """
    import pandas as pd

    parts = []
    for kind, timestamps in kinds.items():
        flags = {one: pd.Series(int(one == kind), index=frame.index, dtype="Int64") for one in kinds}
        flagged = frame.assign(happened_on=timestamps, **flags)
        parts.append(between(flagged[flagged["happened_on"].notna()], "happened_on", since, until))
    return pd.concat(parts, ignore_index=True)


def between(frame: pd.DataFrame, column: str, since: datetime | None = None, until: datetime | None = None) -> pd.DataFrame:
    """Return the rows whose timestamp is in ``[since, until)``; rows without one are kept only if neither is given."""
    if since is None and until is None:
        return frame
    is_inside = frame[column].notna()
    if since is not None:
        is_inside &= frame[column] >= since
    if until is not None:
        is_inside &= frame[column] < until
    return frame[is_inside]


def total(groups: Any, column: str) -> pd.Series:
    """Return the sum of the non-null values of a column in each group; null if there are none."""
    found: pd.Series = groups[column].sum(min_count=1)
    return found


def rate(part: pd.Series, whole: pd.Series) -> pd.Series:
    """Return ``part / whole``, between 0 and 1; null where the whole is 0."""
    found: pd.Series = (part / whole.where(whole > 0)).astype("Float64")
    return found


def spread(groups: Any, measure: str, unit: str, quantiles: Mapping[str, float]) -> dict[str, pd.Series]:
    """Return count and percentiles of column ``<measure>_<unit>`` in each group.

    :param groups: what :func:`grouped` returns
    :param measure: the measure, such as ``pickup``
    :param unit: its unit, such as ``seconds``
    :param quantiles: name -> share; percentiles are interpolated linearly between neighbours
    :return: ``<measure>_count``, the number of non-null values, and ``<measure>_<name>_<unit>`` for each quantile
    """
    values = groups[f"{measure}_{unit}"]
    columns = {f"{measure}_count": values.count().astype("Int64")}
    for name, share in quantiles.items():
        columns[f"{measure}_{name}_{unit}"] = values.quantile(share, interpolation="linear").astype("Float64")
    return columns


def monday(timestamps: pd.Series) -> pd.Series:
    """Return the Monday of the ISO week of each timestamp."""
    import pandas as pd

    days = timestamps.dt.floor("D")
    found: pd.Series = days - pd.to_timedelta(days.dt.day_of_week, unit="D")
    return found


def _first_of_month(timestamps: pd.Series) -> pd.Series:
    import pandas as pd

    days = timestamps.dt.floor("D")
    found: pd.Series = days - pd.to_timedelta(days.dt.day - 1, unit="D")
    return found
