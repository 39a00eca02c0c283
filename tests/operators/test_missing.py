"""What could not be read is left out of metrics and reports, and named; names that match nothing are a warning."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_bitbucket.client import BitbucketError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.operators.metrics import BitbucketMetricsOperator
from airflow_provider_bitbucket.operators.report import BitbucketReportOperator
from airflow_provider_bitbucket.operators.repositories import BitbucketListRepositoriesOperator
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator_data import REVIEWER, open_pull_request

SINCE = "2026-10-05"


@pytest.fixture
def demo(bitbucket_demo: BitbucketEmulator, connect: Callable[..., None]) -> Iterator[BitbucketEmulator]:
    """Three months of a small company, of which the deployments of acme/web cannot be read."""
    connect(connection_json(bitbucket_demo))
    bitbucket_demo.fault("server_error", status=400, count=None, path="/web/deployments")
    yield bitbucket_demo
    bitbucket_demo.clear_faults()  # the demo is shared by all tests


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """An almost empty Bitbucket, and a connection."""
    connect(connection_json(bitbucket_emulator))
    return bitbucket_emulator


def test_a_metric_leaves_out_a_repository_of_which_one_dataset_cannot_be_read(demo: BitbucketEmulator, tmp_path: Path):
    hook, asked = BitbucketHook(), {"since": SINCE, "until": NOW, "group_by": "repository"}
    with pytest.raises(BitbucketError, match="400"):
        hook.metrics.get_df("dora", repositories=["api", "web"], **asked)
    frame = hook.metrics.get_df("dora", repositories=["api", "web"], **asked, on_repository_error="skip")
    pd.testing.assert_frame_equal(frame, hook.metrics.get_df("dora", repositories=["api"], **asked))
    (skipped,) = frame.attrs["skipped"]
    assert (skipped["repository"], skipped["dataset"], "400" in skipped["error"]) == ("acme/web", "deployments", True)
    done: Any = BitbucketMetricsOperator(
        task_id="dora",
        metric="dora",
        repositories=["api", "web"],
        on_repository_error="skip",
        output_path=str(tmp_path / "dora.parquet"),
        **asked,
    ).execute({})
    assert done["skipped"] == [skipped]
    assert done["incomplete"] == []


def test_a_metric_of_nothing_that_can_be_read_is_an_error(demo: BitbucketEmulator):
    with pytest.raises(BitbucketError, match="400"):
        BitbucketHook().metrics.get_df("dora", repositories=["web"], since=SINCE, on_repository_error="skip")


def test_the_next_task_learns_what_is_missing(demo: BitbucketEmulator, run_task: Callable[..., Any]):
    done = run_task(BitbucketMetricsOperator, metric="dora", repositories=["api", "web"], since=SINCE, on_repository_error="skip")
    assert done.state == "success", done.log
    assert [one["repository"] for one in done.xcom["skipped"]] == ["acme/web"]
    assert done.xcom["incomplete"] == []


def test_the_report_says_at_its_top_what_is_missing(demo: BitbucketEmulator, tmp_path: Path):
    page = tmp_path / "report.html"
    done: Any = BitbucketReportOperator(
        task_id="report", output_path=str(page), repositories=["api", "web"], weeks=1, on_repository_error="skip"
    ).execute({"data_interval_end": NOW})
    (sentence,) = done["missing"]
    assert sentence.startswith("acme/web is not included in the numbers about deployments: they could not be read. Reason: ")
    text = page.read_text()
    assert (
        text.index("This report is incomplete")
        < text.index("acme/web is not included in the numbers")
        < text.index("At a glance")
    )
    row = text[text.index('/acme/web">') :].partition("</tr>")[0]
    assert "\N{EN DASH}" in row  # deployments of a repository that was left out are not 0


def test_a_report_of_everything_does_not_speak_of_missing_data(bitbucket: BitbucketEmulator, tmp_path: Path):
    page = tmp_path / "report.html"
    done: Any = BitbucketReportOperator(task_id="report", output_path=str(page), repositories=["api"], weeks=1).execute(
        {"data_interval_end": NOW}
    )
    assert done["missing"] == []
    assert "incomplete" not in page.read_text()


def test_incomplete_records_are_named_with_a_metric(bitbucket: BitbucketEmulator):
    for _ in range(2):
        open_pull_request(bitbucket, (1, "approve", REVIEWER), (2, "merge", REVIEWER))
    bitbucket.fault("server_error", status=404, count=None, path="/1/diffstat")
    frame = BitbucketHook().metrics.get_df("cycle_time", repositories="api", group_by="repository", with_diffstat=True)
    assert [(one["record"], one["missing"]) for one in frame.attrs["incomplete"]] == [("pull request 1", "diffstat")]


def test_names_that_match_nothing_are_a_warning(bitbucket: BitbucketEmulator, caplog: pytest.LogCaptureFixture):
    open_pull_request(bitbucket)
    caplog.set_level(logging.WARNING)
    incidents = [{"repository": name, "created_on": NOW, "resolved_on": None} for name in ("api", "apu")]
    BitbucketHook().metrics.get_df("dora", repositories="api", incidents=incidents)
    assert "Ignoring incidents of repositories that were not read: acme/apu" in caplog.text
    BitbucketHook().metrics.get_df("throughput", repositories="api", bots=["renovte"])
    assert "pull_requests: bots that match none of the accounts read: renovte" in caplog.text
    assert BitbucketListRepositoriesOperator(task_id="list", project="NONE").execute({}) == []
    assert "No repository matches project 'NONE'." in caplog.text


@pytest.mark.parametrize("operator", [BitbucketMetricsOperator, BitbucketReportOperator])
def test_an_unknown_policy_is_refused(operator: Any):
    given = {"metric": "dora"} if operator is BitbucketMetricsOperator else {"output_path": "report.html"}
    with pytest.raises(ValueError, match="on_repository_error is 'ignore'; expected one of fail, skip"):
        operator(task_id="any", on_repository_error="ignore", **given)
