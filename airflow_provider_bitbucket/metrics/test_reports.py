"""Count the test cases that ran, failed and were skipped, from the test reports of pipeline steps.

A report belongs to one run of one step, so a test case counts each time it ran: the numbers describe runs, not the test
suite. A step that was run again has only its last report. An aborted case (ERROR) counts as failed. There is no published
definition; the share of failures refers to the cases that ran, so that skipping does not count as passing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_bitbucket.metrics.groups import grouped, rate

if TYPE_CHECKING:
    import pandas as pd


def summarize(test_reports: pd.DataFrame, by: Sequence[str] = ("repository", "step", "week")) -> pd.DataFrame:
    """Return counts and shares of failed and skipped test cases, by the period in which the steps ended.

    - ``failed_report_share`` = ``reports with a failed case / reports``
    - ``failed_test_share`` = ``(failed + error) / (tests - skipped)``
    - ``skipped_test_share`` = ``skipped / tests``

    :param test_reports: a frame of dataset ``test_reports``
    :param by: columns to group by, such as ``repository``, ``step``, ``week`` or ``month``; none: one row over all
    :return: the columns of ``by``; ``reports``, ``failed_reports``, ``failed_report_share``; ``tests_median`` (cases in a
        report); ``tests``, ``failed_tests``, ``skipped_tests`` (runs of cases), ``failed_test_share``, ``skipped_test_share``.
        Shares are between 0 and 1, null where the divisor is 0
    :raises ValueError: ``by`` names an unknown column
    """
    import pandas as pd

    failed = test_reports["failed"].fillna(0) + test_reports["error"].fillna(0)
    rows = test_reports.assign(failed_tests=failed, failed_reports=failed.gt(0).astype("Int64"))
    groups = grouped(rows, by, period_of="completed_on")
    names = {"failed_reports": "failed_reports", "tests": "tests", "failed_tests": "failed_tests", "skipped_tests": "skipped"}
    sums = {name: groups[column].sum().astype("Int64") for name, column in names.items()}
    reports = groups.size().astype("Int64")
    columns = {
        "reports": reports,
        "failed_reports": sums["failed_reports"],
        "failed_report_share": rate(sums["failed_reports"], reports),
        "tests_median": groups["tests"].median().astype("Float64"),
        **{name: sums[name] for name in ("tests", "failed_tests", "skipped_tests")},
        "failed_test_share": rate(sums["failed_tests"], sums["tests"] - sums["skipped_tests"]),
        "skipped_test_share": rate(sums["skipped_tests"], sums["tests"]),
    }
    return pd.DataFrame(columns).reset_index(drop=not by)
