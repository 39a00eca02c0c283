"""Metrics by name: what their period and their repositories have to do with them, on rows by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

from airflow_provider_bitbucket.extraction.dataset import Dataset
from airflow_provider_bitbucket.metrics.catalog import METRICS, Question
from airflow_provider_bitbucket.metrics.groups import monday


def computed(metric: str, asked: Question, **rows: list[dict[str, Any]]) -> pd.DataFrame:
    """The metric of what is read for it of these rows of datasets."""
    reads = METRICS[metric].reads
    frames = {read.dataset: read.cut(Dataset(read.dataset).schema.frame(rows.get(read.dataset, ())), asked) for read in reads}
    return METRICS[metric].compute(frames, asked)


def test_each_repository_has_a_main_branch_of_its_own():
    """What fails on develop is broken where develop is the main branch only."""
    run = {"status": "FAILED", "is_completed": True, "ref_type": "branch", "ref_name": "develop", "build_number": 1}
    timestamps = dict.fromkeys(("created_on", "completed_on"), datetime(2026, 10, 5, tzinfo=UTC))
    found = computed(
        "time_to_fix",
        Question(),
        pipelines=[{"repository": f"w/{name}", **run, **timestamps} for name in "abc"],
        repositories=[
            {"repository": "w/a", "main_branch": "main"},
            {"repository": "w/b", "main_branch": "develop"},
            {"repository": "w/c", "main_branch": None},
        ],
    )
    assert found["repository"].tolist() == ["w/b"]


def test_the_weeks_since_the_last_deployment_count_up_to_now_and_the_one_that_is_not_over_does_not():
    """Once a week for 4 weeks, then not for 8, and once this week: 4 in 12 weeks."""
    this_week = monday(pd.Series([pd.Timestamp.now(tz="UTC")]))[0].to_pydatetime()
    since = this_week - timedelta(weeks=12)
    row = {"repository": "w/a", "environment": "Production", "environment_type": "Production", "outcome": "SUCCESSFUL"}
    timestamps = [since + timedelta(weeks=week) for week in range(4)] + [this_week]
    deployments = [{**row, "id": str(number), "completed_on": on} for number, on in enumerate(timestamps)]
    found = computed("deployment_frequency", Question(("repository",), since), deployments=deployments).iloc[0]
    assert (found["weeks"], found["deployments"], found["days_per_week_median"]) == (12, 4, 0)
    assert found["deployments_per_week"] == 4 / 12
