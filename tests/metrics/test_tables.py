"""Metrics as rows of a table have a key, and are complete for their weeks and months."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import product

import pytest

from airflow_provider_bitbucket.metrics.catalog import METRICS
from airflow_provider_bitbucket.metrics.tables import metric_schema, whole_periods
from airflow_provider_bitbucket.parameters.choices import MetricName

WEDNESDAY = datetime(2026, 11, 4, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_schema_whose_key_are_its_columns(name: MetricName):
    schema = metric_schema(name)
    assert schema.key
    assert set(schema.key) <= set(schema.names)
    assert {column.dtype for column in schema if column.name.endswith("_seconds")} <= {"Float64"}


def test_the_key_follows_the_grouping():
    assert metric_schema("dora", ["month"]).key == ("month",)
    with pytest.raises(ValueError, match="group_by is empty; expected at least one column"):
        metric_schema("dora", [])
    with pytest.raises(ValueError, match="Cannot summarize by team"):
        metric_schema("dora", ["team"])


@pytest.mark.parametrize(
    ("by", "since", "until"),
    [
        ((), WEDNESDAY, WEDNESDAY + timedelta(days=1)),
        (("repository",), WEDNESDAY, WEDNESDAY + timedelta(days=1)),
        (("week",), datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC)),
        (("month",), datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        (("month", "week"), datetime(2026, 10, 26, tzinfo=UTC), datetime(2026, 12, 7, tzinfo=UTC)),
    ],
)
def test_an_interval_is_extended_to_whole_weeks_and_months(by: tuple[str, ...], since: datetime, until: datetime):
    zone = timezone(timedelta(hours=5))
    assert whole_periods(by, WEDNESDAY.astimezone(zone), (WEDNESDAY + timedelta(days=1)).astimezone(zone)) == (since, until)
    if len(by) < 2:  # a month of whole weeks is longer than a month
        assert whole_periods(by, since, until) == (since, until)


def test_an_interval_without_bounds_stays_so():
    for by, since, until in product(((), ("week",), ("month",)), (None, datetime(2026, 6, 1, tzinfo=UTC)), (None,)):
        assert whole_periods(by, since, until) == (since, until)
