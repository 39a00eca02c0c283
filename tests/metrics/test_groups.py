"""Periods, events and intervals, which all summaries share."""

from __future__ import annotations

import pandas as pd
import pytest

from airflow_provider_bitbucket.metrics.groups import between, events, grouped, rate


def frame(*timestamps: str | None) -> pd.DataFrame:
    read = pd.to_datetime(pd.Series(timestamps, dtype="object"), utc=True, format="ISO8601").dt.as_unit("us")
    return pd.DataFrame({"at": read, "number": range(len(timestamps))})


@pytest.mark.parametrize(
    ("timestamp", "week", "month"),
    [
        ("2026-11-01T23:59:59.999999+00:00", "2026-10-26", "2026-11-01"),  # a Sunday
        ("2026-11-02T00:00:00+00:00", "2026-11-02", "2026-11-01"),
        ("2026-11-01T00:30:00+01:00", "2026-10-26", "2026-10-01"),  # still October in UTC
        ("2028-02-29T12:00:00+00:00", "2028-02-28", "2028-02-01"),
    ],
)
def test_weeks_begin_on_monday_and_months_on_their_first_day_in_utc(timestamp: str, week: str, month: str):
    for period, begin in (("week", week), ("month", month)):
        sizes = grouped(frame(timestamp), [period], period_of="at").size()
        assert sizes.index.tolist() == [pd.Timestamp(begin, tz="UTC")]


def test_a_row_without_a_timestamp_belongs_to_no_interval():
    rows = frame("2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", None)
    first, second = rows["at"][:2]
    assert between(rows, "at")["number"].tolist() == [0, 1, 2]
    assert between(rows, "at", since=first)["number"].tolist() == [0, 1]
    assert between(rows, "at", until=second)["number"].tolist() == [0]
    assert grouped(rows, ["week"], period_of="at").size().sum() == 3


def test_a_row_is_an_event_for_each_of_its_timestamps():
    rows = frame("2026-11-01T00:00:00Z", None)
    found = events(rows, {"opened": rows["at"], "closed": rows["at"]})
    assert found[["number", "opened", "closed"]].to_numpy().tolist() == [[0, 1, 0], [0, 0, 1]]


def test_a_rate_of_nothing_is_null():
    found = rate(pd.Series([0, 1], dtype="Int64"), pd.Series([0, 4], dtype="Int64"))
    assert found.fillna(-1).tolist() == [-1, 0.25]
