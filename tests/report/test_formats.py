"""Formatting of numbers and dates for people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_bitbucket.report.formats import NOTHING, days, duration, plural, share
from airflow_provider_bitbucket.report.period import Period, last_whole_weeks


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((None, NOTHING), (0, "0 s"), (59.4, "59 s"), (59.6, "1 min"), (65, "1 min 5 s"), (3599.7, "1 h"), (5400, "1 h 30 min")),
        *((86_390, "1 d"), (100_800, "1 d 4 h"), (30 * 86_400 + 82_800, "30 d 23 h"), (1000 * 86_400, "1,000 d")),
    ],
)
def test_a_duration_is_shown_in_its_two_largest_units(seconds: float | None, words: str):
    assert duration(seconds) == words


@given(st.floats(0, 1e9))
def test_no_unit_is_ever_full(seconds: float):
    parts = duration(seconds).replace(",", "").split()
    limits = {"s": 60, "min": 60, "h": 24}
    assert all(int(value) < limits.get(unit, 10**9) for value, unit in zip(parts[::2], parts[1::2], strict=True))


def test_a_share_is_a_percentage_and_only_all_is_plain_100():
    assert [share(value) for value in (None, 0, 0.9996, 1, 1 / 3)] == [NOTHING, "0%", "100.0%", "100%", "33.3%"]


def test_one_is_not_many():
    assert (plural(1, "repository"), plural(1234, "repository"), plural(2, "week")) == (
        "1 repository",
        "1,234 repositories",
        "2 weeks",
    )


def test_a_period_is_named_by_its_first_and_last_day():
    assert days(datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)) == "5 October to 1 November 2026"
    assert days(datetime(2026, 12, 7, tzinfo=UTC), datetime(2027, 1, 4, tzinfo=UTC)) == "7 December 2026 to 3 January 2027"


@pytest.mark.parametrize("time", ["2026-11-02T00:00:00+00:00", "2026-11-02T06:00:00+00:00", "2026-11-09T00:30:00+01:00"])
def test_the_last_whole_weeks_end_on_the_monday_before(time: str):
    period = last_whole_weeks(datetime.fromisoformat(time), 4)
    assert (period.since, period.until) == (datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
    assert period.before.since == datetime(2026, 9, 7, tzinfo=UTC)
    assert len(period.mondays) == 8
    assert period.is_whole


def test_a_period_without_time_is_none():
    with pytest.raises(ValueError, match=r"since .* has to be before until"):
        Period(datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC))
