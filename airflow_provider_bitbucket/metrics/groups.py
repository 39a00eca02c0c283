"""What summaries share: groups of rows by columns and by week, and the spread of a measure in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def grouped(frame: pd.DataFrame, by: Sequence[str], week_of: str) -> Any:
    """Return the rows in groups; nulls are a group of their own, so that nothing is dropped.

    :param frame: rows
    :param by: columns, and ``week``; none: one group over all, if there are rows
    :param week_of: the moment whose ISO week in UTC, given by its Monday, is ``week``
    :raises ValueError: ``by`` names a column that is not there
    """
    rows = frame.assign(week=_monday(frame[week_of]), over_all=0)
    if unknown := sorted(set(by) - set(rows.columns)):
        raise ValueError(f"Can not summarize by {', '.join(unknown)}; expected some of {', '.join(('week', *frame.columns))}")
    return rows.groupby(list(by) or "over_all", observed=True, sort=True, dropna=False)


def spread(groups: Any, measure: str, unit: str, quantiles: Mapping[str, float]) -> dict[str, pd.Series]:
    """Return columns ``<measure>_count`` and ``<measure>_<quantile>_<unit>`` of column ``<measure>_<unit>``.

    Percentiles are interpolated linearly between neighbours; nulls do not count.
    """
    values = groups[f"{measure}_{unit}"]
    columns = {f"{measure}_count": values.count().astype("Int64")}
    for name, share in quantiles.items():
        columns[f"{measure}_{name}_{unit}"] = values.quantile(share, interpolation="linear").astype("Float64")
    return columns


def _monday(moments: pd.Series) -> pd.Series:
    """Return the beginning of the ISO week of each moment."""
    import pandas as pd

    days = moments.dt.floor("D")
    monday: pd.Series = days - pd.to_timedelta(days.dt.day_of_week, unit="D")
    return monday
