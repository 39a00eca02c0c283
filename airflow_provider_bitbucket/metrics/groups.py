"""What summaries share: groups of rows by columns, week and month, events, and the spread of a measure in a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def grouped(frame: pd.DataFrame, by: Sequence[str], period_of: str) -> Any:
    """Return the rows in groups; nulls are a group of their own, so that nothing is dropped.

    :param frame: rows
    :param by: columns, ``week`` and ``month``; none: one group over all, if there are rows
    :param period_of: the moment whose ISO week in UTC, given by its Monday, is ``week``, and whose month in UTC, given by its
        first day, is ``month``
    :raises ValueError: ``by`` names a column that is not there
    """
    rows = frame.assign(week=monday(frame[period_of]), month=_first_of_month(frame[period_of]), over_all=0)
    if unknown := sorted(set(by) - set(rows.columns)):
        known = ", ".join(("week", "month", *frame.columns))
        raise ValueError(f"Can not summarize by {', '.join(unknown)}; expected some of {known}")
    return rows.groupby(list(by) or "over_all", observed=True, sort=True, dropna=False)


def events(
    frame: pd.DataFrame, kinds: Mapping[str, pd.Series], since: datetime | None = None, until: datetime | None = None
) -> pd.DataFrame:
    """Return a row for every event, so that what happened to a row at several moments is counted in the period of each.

    :param kinds: kind -> when it happened to each row of the frame; null where it did not
    :param since: leave out what happened before
    :param until: leave out what happened then and later
    :return: the columns of the frame, ``happened_on``, and for each kind a column with 1 where it is that and 0 elsewhere
    """
    import pandas as pd

    parts = []
    for kind, moments in kinds.items():
        marks = {one: pd.Series(int(one == kind), index=frame.index, dtype="Int64") for one in kinds}
        marked = frame.assign(happened_on=moments, **marks)
        parts.append(between(marked[marked["happened_on"].notna()], "happened_on", since, until))
    return pd.concat(parts, ignore_index=True)


def between(frame: pd.DataFrame, moment: str, since: datetime | None = None, until: datetime | None = None) -> pd.DataFrame:
    """Return the rows whose moment lies in ``[since, until)``. One without it belongs to no interval, but to the whole."""
    if since is None and until is None:
        return frame
    is_inside = frame[moment].notna()
    if since is not None:
        is_inside &= frame[moment] >= since
    if until is not None:
        is_inside &= frame[moment] < until
    return frame[is_inside]


def total(groups: Any, column: str) -> pd.Series:
    """Return the sum of a column in each group, without nulls; null where there is nothing else."""
    found: pd.Series = groups[column].sum(min_count=1)
    return found


def rate(part: pd.Series, whole: pd.Series) -> pd.Series:
    """Return ``part / whole``, between 0 and 1; null where the whole is 0."""
    found: pd.Series = (part / whole.where(whole > 0)).astype("Float64")
    return found


def spread(groups: Any, measure: str, unit: str, quantiles: Mapping[str, float]) -> dict[str, pd.Series]:
    """Return columns ``<measure>_count`` and ``<measure>_<quantile>_<unit>`` of column ``<measure>_<unit>``.

    Percentiles are interpolated linearly between neighbours; nulls do not count.
    """
    values = groups[f"{measure}_{unit}"]
    columns = {f"{measure}_count": values.count().astype("Int64")}
    for name, share in quantiles.items():
        columns[f"{measure}_{name}_{unit}"] = values.quantile(share, interpolation="linear").astype("Float64")
    return columns


def monday(moments: pd.Series) -> pd.Series:
    """Return the beginning of the ISO week of each moment."""
    import pandas as pd

    days = moments.dt.floor("D")
    found: pd.Series = days - pd.to_timedelta(days.dt.day_of_week, unit="D")
    return found


def _first_of_month(moments: pd.Series) -> pd.Series:
    import pandas as pd

    days = moments.dt.floor("D")
    found: pd.Series = days - pd.to_timedelta(days.dt.day - 1, unit="D")
    return found
