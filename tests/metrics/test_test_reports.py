"""Numbers of test reports, each computed by hand beside the code's answer."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from airflow_provider_bitbucket.datasets.test_reports import SCHEMA
from airflow_provider_bitbucket.metrics.test_reports import summarize

WEDNESDAY = datetime(2026, 10, 7, 8, tzinfo=UTC)


def report(
    tests: int | None, failed: int | None = 0, error: int | None = 0, skipped: int | None = 0, **more: Any
) -> dict[str, Any]:
    row = {"repository": "acme/api", "step": "Test", "completed_on": WEDNESDAY, "tests": tests, "failed": failed}
    return {**row, "error": error, "skipped": skipped, **more}


def test_a_week_of_test_reports_by_hand():
    """10, 10 and 20 cases, 4 of them skipped; in one report 2 failed and 1 broke off: 3 of 36 that ran."""
    row = summarize(SCHEMA.frame([report(10), report(10, skipped=4), report(20, failed=2, error=1)])).iloc[0]
    assert (row["repository"], row["step"], row["week"]) == ("acme/api", "Test", pd.Timestamp("2026-10-05", tz="UTC"))
    assert (row["reports"], row["failed_reports"], row["failed_report_share"]) == (3, 1, pytest.approx(1 / 3))
    assert (row["tests"], row["failed_tests"], row["skipped_tests"], row["tests_median"]) == (40, 3, 4, 10)
    assert row["failed_test_share"] == pytest.approx(3 / 36)
    assert row["skipped_test_share"] == pytest.approx(4 / 40)


def test_what_is_not_known_does_not_raise():
    rows = [report(None, None, None, None, step=None, completed_on=None), report(3, skipped=3, step=None, completed_on=None)]
    row = summarize(SCHEMA.frame(rows)).iloc[0]
    assert (row["reports"], row["tests"], row["failed_tests"]) == (2, 3, 0)
    assert row.isna()["failed_test_share"]
    assert summarize(SCHEMA.frame([report(0)])).isna()["skipped_test_share"].tolist() == [True]


def test_no_reports_give_a_frame_with_the_same_columns_and_dtypes():
    for by in (("repository", "step", "week"), ("month",), ()):
        some, none = summarize(SCHEMA.frame([report(1)]), by), summarize(SCHEMA.empty(), by)
        assert none.empty
        assert none.dtypes.to_dict() == some.dtypes.to_dict()
