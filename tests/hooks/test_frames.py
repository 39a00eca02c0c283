"""Datasets as DataFrames from an Airflow connection."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from airflow_provider_bitbucket.datasets import DATASETS
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.stories import REVIEWER, after, asked, deploy, open_pull_request, run_pipelines, set_status


@pytest.fixture
def hook(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketHook:
    """A hook on two pull requests, reviewed and built, and two pipelines with a test report."""
    connect(connection_json(bitbucket_emulator))
    for hours in (2, 50):
        open_pull_request(bitbucket_emulator, (hours, "approve", REVIEWER), (hours + 0.5, "comment", REVIEWER))
    for commit in BitbucketHook().get_pull_requests_df()["source_commit"]:
        set_status(bitbucket_emulator, commit, "lint", "SUCCESSFUL")
    cases = [{"name": "tests.test_a.test_one", "status": "SUCCESSFUL"}]
    run_pipelines(bitbucket_emulator, *[{"steps": [{"name": "Test", "seconds": 20, "test_cases": cases}]}] * 2)
    bitbucket_emulator.reset_requests()
    return BitbucketHook()


def test_pull_requests_with_their_timeline_are_one_call(hook: BitbucketHook):
    frame = hook.get_pull_requests_df(with_activity=True)
    assert sorted(frame["first_review_on"]) == [after(2), after(50)]
    assert frame["first_commit_on"].isna().all()


def test_moments_can_be_texts_or_datetimes(hook: BitbucketHook, bitbucket_emulator: BitbucketEmulator):
    assert len(hook.get_pull_requests_df(since="2026-10-02")) == 1
    assert len(hook.get_pull_requests_df("api", since=after(0), until=after(3))) == 1
    with pytest.raises(ValueError, match="since is 'soon'"):
        hook.get_pull_requests_df(since="soon")


def test_commits_and_diffstats_come_when_asked_for(hook: BitbucketHook, bitbucket_emulator: BitbucketEmulator):
    frame = hook.get_pull_requests_df(["api"], with_commits=True, with_diffstat=True)
    assert frame[["commits", "files_changed"]].notna().all(axis=None)
    assert asked(bitbucket_emulator) == {"": 1, "/one/commits": 2, "/one/diffstat": 2}


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_dataset_has_a_method_of_its_own(hook: BitbucketHook, bitbucket_emulator: BitbucketEmulator, dataset: str):
    deploy(bitbucket_emulator)
    frame = getattr(hook, f"get_{dataset}_df")()
    assert len(frame) >= (1 if dataset == "repositories" else 2)
    pd.testing.assert_frame_equal(frame, hook.get_df(dataset, "api"))
    pd.testing.assert_frame_equal(frame.iloc[:0], hook.empty_df(dataset).astype(frame.dtypes))
    assert inspect.getdoc(getattr(BitbucketHook, f"get_{dataset}_df"))


@pytest.mark.parametrize("dataset", [name for name in DATASETS if name not in ("members", "environments")])
def test_every_dataset_method_passes_its_interval_on(hook: BitbucketHook, bitbucket_emulator: BitbucketEmulator, dataset: str):
    deploy(bitbucket_emulator)
    method = getattr(hook, f"get_{dataset}_df")
    whole = method()
    assert len(method(since="2001-01-01", until="2099-01-01")) == len(whole)
    for nothing in ({"since": "2099-01-01"}, {"until": "2001-01-01"}):
        pd.testing.assert_frame_equal(method("api", **nothing), hook.get_df(dataset, "api", **nothing))
        assert method("api", **nothing).empty


def test_a_dataset_can_go_straight_to_a_file(hook: BitbucketHook, tmp_path: Path):
    written = hook.write_parquet("pull_requests", f"file://{tmp_path}/prs.parquet", "api", with_activity=True)
    assert written["rows"] == 2
    assert written["columns"] == list(hook.empty_df("pull_requests").columns)
    frame = hook.get_pull_requests_df("api", with_activity=True)
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "prs.parquet"), frame)
