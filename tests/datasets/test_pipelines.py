"""Pipelines and their steps as rows."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

from airflow_provider_bitbucket.client import BitbucketNotFoundError
from airflow_provider_bitbucket.client.pipeline_state import evaluate
from airflow_provider_bitbucket.datasets import pipeline_steps, pipelines
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator_data import asked, client_of, frame_of, run_pipelines

CREATED = "2026-10-01T08:00:00.5Z"
FAILS = {
    "steps": [
        {"name": "Build", "seconds": 5},
        {"name": "Test", "seconds": 10, "result": "FAILED"},
        {"name": "Deploy", "seconds": 5},
    ]
}
MANUAL = {"steps": [{"name": "Build", "seconds": 5}, {"name": "Deploy", "seconds": 5, "manual": True}]}


def read(bitbucket: BitbucketEmulator, dataset: str = "pipelines", **options: Any) -> Any:
    return frame_of(bitbucket, dataset, **options)


def row_of(**pipeline: Any) -> dict[str, Any]:
    """Return the row of a pipeline from Bitbucket's JSON, with None for nulls."""
    json = {"uuid": "{1}", "build_number": 1, "created_on": CREATED, **pipeline}
    outcome = evaluate(json, "https://bitbucket.org/x", strict=False)
    frame = pipelines.SPEC.to_frame([{"repository": "acme/api", "outcome": outcome, "pipeline": json}])
    return {str(name): None if pd.isna(value) else value for name, value in frame.iloc[0].items()}


def test_a_pipeline_is_a_row_with_what_it_ran_on_and_how_it_ended(bitbucket_emulator: BitbucketEmulator):
    run_pipelines(bitbucket_emulator, FAILS)
    row = read(bitbucket_emulator).iloc[0]
    assert (row["repository"], row["build_number"], row["run_number"]) == ("acme/api", 1, 1)
    assert (row["status"], row["is_completed"], row["reason"]) == ("FAILED", True, "Pipeline #1 failed.")
    assert (row["trigger"], row["creator"], row["creator_type"]) == ("MANUAL", "Dana Demo", "user")
    assert (row["ref_type"], row["ref_name"], len(row["commit"])) == ("branch", "main", 40)
    assert (row["selector_type"], row["selector_pattern"]) == ("custom", "check")
    assert row["url"].endswith("/acme/api/pipelines/results/1")
    assert (row["created_on"], row["completed_on"]) == (NOW, NOW + timedelta(seconds=25))


def test_the_time_it_ran_is_another_than_the_time_it_took(bitbucket_emulator: BitbucketEmulator):
    """10 s of parsing and queue, 20 s of work."""
    run_pipelines(bitbucket_emulator, {})
    row = read(bitbucket_emulator).iloc[0]
    assert (row["duration_seconds"], row["wall_seconds"], row["build_seconds"]) == (20, 30, 20)


def test_an_end_before_the_start_is_no_negative_time(bitbucket_emulator: BitbucketEmulator):
    """Bitbucket completes a pipeline whose definition cannot be read some milliseconds before it creates it."""
    run_pipelines(bitbucket_emulator, {"steps": [], "parsing_seconds": 0, "result": "ERROR"})
    row = read(bitbucket_emulator).iloc[0]
    assert row["completed_on"] < row["created_on"]
    assert (row["status"], row["wall_seconds"]) == ("ERROR", 0)


def test_a_pipeline_that_waits_for_a_person_is_not_over_after_weeks(bitbucket_emulator: BitbucketEmulator):
    run_pipelines(bitbucket_emulator, MANUAL, seconds=30 * 24 * 3600)
    row = read(bitbucket_emulator).iloc[0]
    assert (row["status"], row["is_completed"]) == ("PAUSED", False)
    assert row[["completed_on", "wall_seconds"]].isna().all()


def test_unknown_states_are_logged_and_become_unknown(bitbucket_emulator: BitbucketEmulator):
    run_pipelines(bitbucket_emulator, {})
    bitbucket_emulator.control("PUT", "pipelines/acme/api/1/state", {"state": {"name": "MEDITATING"}})
    row = read(bitbucket_emulator).iloc[0]
    assert (row["status"], row["is_completed"]) == ("UNKNOWN", False)
    assert "MEDITATING" in row["reason"]


@pytest.mark.parametrize("state", [None, {}, {"name": "COMPLETED"}, {"name": "COMPLETED", "result": {"name": "SUPERB"}}])
def test_what_bitbucket_does_not_say_is_null(state: Any):
    row = row_of(state=state, creator=None, target=None, trigger=None)
    assert row["status"] == "UNKNOWN"
    nothing = ("creator_id", "creator", "trigger", "ref_name", "commit", "selector_type", "completed_on", "duration_seconds")
    assert {row[name] for name in nothing} == {None}


def test_a_pipeline_without_a_creator_has_none(bitbucket_emulator: BitbucketEmulator):
    run_pipelines(bitbucket_emulator, {})
    bitbucket_emulator.state.workspaces["acme"].repositories["api"].pipelines[0].creator = None
    assert read(bitbucket_emulator)[["creator_id", "creator", "creator_type"]].isna().all(axis=None)


def test_a_pipeline_of_a_pull_request_has_its_number_and_its_source_branch():
    row = row_of(
        target={
            "type": "pipeline_pullrequest_target",
            "source": "feature/x",
            "destination": "main",
            "commit": {"hash": "a" * 40},
            "pullrequest": {"id": 7},
            "selector": {"type": "pull-requests", "pattern": "**"},
        }
    )
    assert (row["pull_request_id"], row["ref_name"], row["ref_type"]) == (7, "feature/x", None)
    assert (row["selector_type"], row["selector_pattern"]) == ("pull-requests", "**")


@pytest.mark.parametrize(("completed", "seconds"), [("2026-10-01T08:00:01.25Z", 0.75), ("2026-10-01T08:00:00Z", 0), (None, None)])
def test_timestamps_in_the_spelling_of_pipelines(completed: str | None, seconds: float | None):
    assert row_of(completed_on=completed)["wall_seconds"] == seconds
    assert row_of(created_on="2026-10-01T08:00:00.123456789Z")["created_on"] == pd.Timestamp("2026-10-01T08:00:00.123456Z")


def test_since_and_until_bound_the_start(bitbucket_emulator: BitbucketEmulator):
    run_pipelines(bitbucket_emulator, *[{}] * 4)
    hour = timedelta(hours=1)
    assert list(read(bitbucket_emulator)["build_number"]) == [4, 3, 2, 1]
    assert list(read(bitbucket_emulator, since=NOW + hour, until=NOW + 3 * hour)["build_number"]) == [3, 2]


def test_reading_stops_after_a_page_that_is_older_than_asked_for(bitbucket_emulator: BitbucketEmulator):
    run_pipelines(bitbucket_emulator, *[{}] * 210)
    for since, found, requests in ((NOW + timedelta(hours=200), 10, 2), (NOW, 210, 3)):
        bitbucket_emulator.reset_requests()
        assert len(read(bitbucket_emulator, since=since)) == found
        assert asked(bitbucket_emulator, "pipelines") == {"": requests}
    assert sum(bitbucket_emulator.requests().values()) == 3


def test_a_repository_without_pipelines_has_no_rows_and_the_log_says_why(
    bitbucket_emulator: BitbucketEmulator, caplog: pytest.LogCaptureFixture
):
    bitbucket_emulator.control("POST", "repositories", {"repository": "api", "pipelines_enabled": False})
    with caplog.at_level(logging.INFO):
        for dataset in ("pipelines", "pipeline_steps"):
            assert read(bitbucket_emulator, dataset).empty
    assert "acme/api has no pipelines: Pipelines is switched off" in caplog.text


def test_a_repository_that_is_not_there_is_an_error_and_not_without_pipelines(bitbucket_emulator: BitbucketEmulator):
    with pytest.raises(BitbucketNotFoundError, match="nope"):
        read(bitbucket_emulator, repositories=["nope"])


def test_steps_cost_one_request_for_each_pipeline_of_the_interval(bitbucket_emulator: BitbucketEmulator):
    run_pipelines(bitbucket_emulator, {}, {}, {})
    bitbucket_emulator.reset_requests()
    frame = read(bitbucket_emulator, "pipeline_steps", since=NOW + timedelta(hours=1))
    assert list(frame["build_number"]) == [3, 2]
    assert asked(bitbucket_emulator, "pipelines") == {"": 1, "/one/steps": 2}


def test_steps_are_rows_in_their_order_also_those_that_did_not_run(bitbucket_emulator: BitbucketEmulator):
    run_pipelines(bitbucket_emulator, FAILS)
    frame = read(bitbucket_emulator, "pipeline_steps")
    assert list(frame["position"]) == [1, 2, 3]
    assert list(frame["name"]) == ["Build", "Test", "Deploy"]
    assert list(frame["status"]) == ["SUCCESSFUL", "FAILED", "NOT_RUN"]
    assert list(frame["started_on"][:2]) == [NOW + timedelta(seconds=10), NOW + timedelta(seconds=15)]
    assert list(frame["duration_seconds"][:2]) == [5, 10]
    assert frame[["started_on", "completed_on", "duration_seconds"]].iloc[2].isna().all()


def test_a_manual_step_has_its_own_trigger_and_has_not_started(bitbucket_emulator: BitbucketEmulator):
    run_pipelines(bitbucket_emulator, MANUAL)
    frame = read(bitbucket_emulator, "pipeline_steps")
    assert list(frame["trigger"]) == ["automatic", "manual"]
    assert (frame["status"][1], frame["started_on"].isna()[1]) == ("PAUSED", True)


def test_a_pipeline_has_no_steps_before_it_was_read_and_after_it_was_deleted(bitbucket_emulator: BitbucketEmulator):
    run_pipelines(bitbucket_emulator, {}, {}, seconds=0)
    assert read(bitbucket_emulator, "pipeline_steps").empty
    bitbucket_emulator.clock(advance=60)
    records = pipeline_steps.read(client_of(bitbucket_emulator), "api")
    assert next(records)["build_number"] == 2
    bitbucket_emulator.control("DELETE", "pipelines/acme/api/1")
    assert [*records] == []


def test_a_step_of_which_bitbucket_says_nothing_is_a_row():
    record = {"repository": "acme/api", "build_number": 1, "position": 1, "step": {"uuid": "{1}"}}
    row = pipeline_steps.SPEC.to_frame([record]).iloc[0]
    assert row["status"] == "UNKNOWN"
    assert row[["name", "trigger", "started_on", "duration_seconds"]].isna().all()


def test_no_pipelines_are_a_frame_with_every_column(bitbucket_emulator: BitbucketEmulator):
    for module in (pipelines, pipeline_steps):
        assert read(bitbucket_emulator, module.SCHEMA.dataset).dtypes.to_dict() == module.SCHEMA.empty().dtypes.to_dict()


def test_a_stopped_step_that_never_began_has_equal_times(bitbucket_emulator: BitbucketEmulator):
    run_pipelines(bitbucket_emulator, {}, seconds=3)
    bitbucket_emulator.control("POST", "pipelines/acme/api/1/finish", {"result": "STOPPED"})
    row = read(bitbucket_emulator, "pipeline_steps").iloc[0]
    assert (row["status"], row["duration_seconds"]) == ("STOPPED", 0)
    assert row["started_on"] == row["completed_on"]
