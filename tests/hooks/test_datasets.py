"""Datasets as DataFrames from an Airflow connection."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_bitbucket.datasets import DATASETS
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.datasets import DatasetName, DatasetOptions
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import REVIEWER, after, asked, deploy, open_pull_request, run_pipelines, set_status


@pytest.fixture
def hook(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketHook:
    """A hook on two pull requests, reviewed and built, and two pipelines with a test report."""
    connect(connection_json(bitbucket_emulator))
    for hours in (2, 50):
        open_pull_request(bitbucket_emulator, (hours, "approve", REVIEWER), (hours + 0.5, "comment", REVIEWER))
    deploy(bitbucket_emulator)
    for commit in BitbucketHook().datasets.get_df("pull_requests")["source_commit"]:
        set_status(bitbucket_emulator, commit, "lint", "SUCCESSFUL")
    cases = [{"name": "tests.test_a.test_one", "status": "SUCCESSFUL"}]
    run_pipelines(bitbucket_emulator, *[{"steps": [{"name": "Test", "seconds": 20, "test_cases": cases}]}] * 2)
    bitbucket_emulator.reset_requests()
    return BitbucketHook()


#: Datasets whose rows have no date.
UNDATED = ("members", "environments")


def test_pull_requests_with_their_timeline_are_one_call(hook: BitbucketHook):
    frame = hook.datasets.get_df("pull_requests", with_activity=True)
    assert sorted(frame["first_review_on"]) == [after(2), after(50)]
    assert frame["first_commit_on"].isna().all()


def test_timestamps_can_be_texts_or_datetimes(hook: BitbucketHook):
    assert len(hook.datasets.get_df("pull_requests", since="2026-10-02")) == 1
    assert len(hook.datasets.get_df("pull_requests", repositories="api", since=after(0), until=after(3))) == 1
    with pytest.raises(ValueError, match="since is 'soon'"):
        hook.datasets.get_df("pull_requests", since="soon")


def test_commits_and_diffstats_are_read_only_on_request(hook: BitbucketHook, bitbucket_emulator: BitbucketEmulator):
    frame = hook.datasets.get_df("pull_requests", repositories=["api"], with_commits=True, with_diffstat=True)
    assert frame[["commits", "files_changed"]].notna().all(axis=None)
    assert asked(bitbucket_emulator) == {"": 1, "/one/commits": 2, "/one/diffstat": 2}


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_dataset_returns_exactly_the_rows_of_the_interval(hook: BitbucketHook, dataset: DatasetName):
    rows = {name: hook.datasets.get_df(dataset, **interval) for name, interval in INTERVALS.items()}
    assert len(rows["all"]) >= (1 if dataset == "repositories" else 2)
    pd.testing.assert_frame_equal(rows["all"], rows["long"])
    for name in ("before", "after"):
        pd.testing.assert_frame_equal(rows[name], rows["all"] if dataset in UNDATED else hook.datasets.empty_df(dataset))
    pd.testing.assert_frame_equal(rows["all"].iloc[:0], hook.datasets.empty_df(dataset).astype(rows["all"].dtypes))
    pd.testing.assert_frame_equal(rows["all"], hook.datasets.get_df(dataset, repositories="api"))


@pytest.mark.parametrize("dataset", DATASETS)
def test_an_option_of_another_dataset_is_refused_before_any_request(
    hook: BitbucketHook, bitbucket_emulator: BitbucketEmulator, dataset: DatasetName
):
    options: dict[str, Any] = {"bots": ["renovate"], "with_activity": True, "with_commits": True, "with_diffstat": True}
    for name, value in [*options.items(), ("with_acitivity", False)]:
        if name in OPTIONS.get(dataset, ()):
            hook.datasets.read(dataset, repositories="api", **{name: value})
        else:
            with pytest.raises(ValueError, match=f"Dataset '{dataset}' has no option {name}; it has "):
                hook.datasets.read(dataset, repositories="api", **{name: value})
    hook.datasets.read(dataset, repositories="api", with_activity=False, bots=())
    assert not bitbucket_emulator.requests()


def test_a_type_checker_knows_the_names_and_options_of_datasets_and_metrics(tmp_path: Path):
    script = tmp_path / "calls.py"
    script.write_text(CALLS)
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-context", script],
        capture_output=True,
        text=True,
        check=False,
    )
    found = {int(line.split(":")[1]) for line in run.stdout.splitlines() if "error:" in line}
    assert found == {at for at, line in enumerate(CALLS.splitlines(), 1) if "# wrong" in line}, run.stdout


def test_a_dataset_can_be_written_straight_to_a_file(hook: BitbucketHook, tmp_path: Path):
    extraction = hook.datasets.read("pull_requests", repositories="api", with_activity=True)
    written = hook.files.write_dataset(extraction, f"file://{tmp_path}/prs.parquet")
    assert written["rows"] == 2
    assert written["columns"] == list(hook.datasets.empty_df("pull_requests").columns)
    frame = hook.datasets.get_df("pull_requests", repositories="api", with_activity=True)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "prs.parquet"), frame)


INTERVALS: dict[str, DatasetOptions] = {
    "all": {},
    "long": {"since": "2001-01-01", "until": "2099-01-01"},
    "before": {"until": "2001-01-01"},
    "after": {"since": "2099-01-01"},
}
OPTIONS = {
    "pull_requests": ("bots", "with_activity", "with_commits", "with_diffstat"),
    "pull_request_commits": ("bots",),
    "commits": ("bots",),
    "reviews": ("bots",),
}
CALLS = """
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook

hook = BitbucketHook()
hook.datasets.get_df("pull_requests", repositories=["api"], since="2026-08-01", with_activity=True)
hook.datasets.get_df("pull_request")  # wrong
hook.datasets.get_df("pull_requests", with_acitivity=True)  # wrong
hook.datasets.read("commits", since=7)  # wrong
hook.datasets.read("commits", on_repository_error="ignore")  # wrong
hook.metrics.get_df("dora", group_by="week", incidents="s3://bucket/incidents.csv")
hook.metrics.get_df("dorra")  # wrong
hook.metrics.get_df("dora", group="week")  # wrong
hook.tables.write_dataset(hook.datasets.read("commits"), "commits", "warehouse", mode="append")  # wrong
"""
