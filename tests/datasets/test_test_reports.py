"""Test reports of pipeline steps as rows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_provider_bitbucket.datasets import test_reports as reports
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator_data import asked, client_of, frame_of, run_pipelines

ENDS = ("SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL", "FAILED", "ERROR", "ERROR", "SKIPPED")
CASES = [{"name": f"tests.test_a.test_{number}", "status": end} for number, end in enumerate(ENDS)]
TESTED = {
    "steps": [
        {"name": "Build", "seconds": 5},
        {"name": "Test", "seconds": 10, "result": "FAILED", "test_cases": CASES},
        {"name": "Deploy", "seconds": 5, "test_cases": CASES},
    ]
}


def test_only_a_step_with_a_report_is_a_row_with_its_counts(bitbucket_emulator: BitbucketEmulator):
    run_pipelines(bitbucket_emulator, TESTED)
    frame = frame_of(bitbucket_emulator, "test_reports")
    assert len(frame) == 1
    row = frame.iloc[0]
    steps = client_of(bitbucket_emulator).pipelines.steps("api", 1)
    assert (row["repository"], row["build_number"], row["step_id"]) == ("acme/api", 1, steps[1]["uuid"])
    assert (row["step"], row["status"]) == ("Test", "FAILED")
    assert row["completed_on"] == NOW + timedelta(seconds=25)  # 10 s of queue, 5 s and 10 s of work
    assert row[["tests", "passed", "failed", "error", "skipped"]].tolist() == [7, 3, 1, 2, 1]


def test_steps_that_did_not_run_are_not_asked_about(bitbucket_emulator: BitbucketEmulator):
    """Two pipelines of three steps each; the third does not run after a failure, and the first pipeline is too old."""
    run_pipelines(bitbucket_emulator, TESTED, TESTED, TESTED)
    bitbucket_emulator.reset_requests()
    frame = frame_of(bitbucket_emulator, "test_reports", since=NOW + timedelta(hours=1))
    assert list(frame["build_number"]) == [3, 2]
    assert asked(bitbucket_emulator, "pipelines") == {"": 1, "/one/steps": 2, "/one/steps/one/test_reports": 4}


@pytest.mark.parametrize("result", [None, "STOPPED"])
def test_a_step_that_runs_or_was_stopped_has_no_report(bitbucket_emulator: BitbucketEmulator, result: str | None):
    run_pipelines(bitbucket_emulator, {"steps": [{"name": "Test", "seconds": 100, "test_cases": CASES}]}, seconds=30)
    if result:
        bitbucket_emulator.control("POST", "pipelines/acme/api/1/finish", {"result": result})
    bitbucket_emulator.reset_requests()
    assert frame_of(bitbucket_emulator, "test_reports").empty
    assert asked(bitbucket_emulator, "pipelines") == {"": 1, "/one/steps": 1}


def test_a_pipeline_that_is_deleted_while_it_is_read_has_no_report(bitbucket_emulator: BitbucketEmulator):
    run_pipelines(bitbucket_emulator, TESTED, TESTED)
    records = reports.read(client_of(bitbucket_emulator), "api")
    assert next(records)["build_number"] == 2
    bitbucket_emulator.control("DELETE", "pipelines/acme/api/1")
    assert [*records] == []


def test_counts_missing_in_the_response_are_null():
    record = {"repository": "acme/api", "build_number": 1, "step": {"uuid": "{1}", "state": None}, "report": {}}
    row = reports.SPEC.to_frame([record]).iloc[0]
    assert row["status"] == "UNKNOWN"
    assert row[["step", "completed_on", "tests", "passed", "failed", "error", "skipped"]].isna().all()


def test_no_reports_are_a_frame_with_every_column(bitbucket_emulator: BitbucketEmulator):
    run_pipelines(bitbucket_emulator, {})
    found = frame_of(bitbucket_emulator, "test_reports")
    assert found.empty
    assert found.dtypes.to_dict() == reports.SCHEMA.empty().dtypes.to_dict()
