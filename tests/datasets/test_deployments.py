"""Deployments as rows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow_provider_bitbucket.datasets.deployments import SCHEMA, SPEC
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator_data import client_of, deploy, frame_of, requested


def by_environment(bitbucket: BitbucketEmulator) -> Any:
    return frame_of(bitbucket, "deployments").set_index("environment")


def row(**deployment: Any) -> Any:
    """Return the row of a deployment in a form that the emulator does not return."""
    return SPEC.to_frame([{"repository": "acme/api", "deployment": {"uuid": "{1}", **deployment}, "environment": {}}]).iloc[0]


def test_a_deployment_is_a_row_with_its_environment_pipeline_and_times(bitbucket_emulator: BitbucketEmulator):
    deploy(bitbucket_emulator)
    bitbucket_emulator.reset_requests()
    frame = by_environment(bitbucket_emulator)
    assert requested(bitbucket_emulator) == {"deployments": 1, "environments": 1}
    assert list(frame["environment_type"]) == list(frame.index) == ["Production", "Test"]
    assert set(frame["state"]) == {"COMPLETED"}
    assert set(frame["outcome"]) == {"SUCCESSFUL"}
    assert set(frame["build_number"]) == {1}
    pipeline = client_of(bitbucket_emulator).pipelines.get("api", 1)
    assert set(frame["pipeline_id"]) == {pipeline["uuid"]}
    assert set(frame["commit"]) == {pipeline["target"]["commit"]["hash"]}
    test = frame.loc["Test"]
    assert test["released_on"] == test["started_on"]
    assert test["completed_on"] == test["updated_on"] == test["started_on"] + timedelta(seconds=10)
    assert list(frame["duration_seconds"]) == [10.0, 10.0]


def test_a_failed_deployment_is_completed_with_outcome_failed(bitbucket_emulator: BitbucketEmulator):
    deploy(bitbucket_emulator, result="FAILED")
    production = by_environment(bitbucket_emulator).loc["Production"]
    assert (production["state"], production["outcome"]) == ("COMPLETED", "FAILED")


def test_what_waits_or_is_under_way_has_no_times_that_it_has_not_reached(bitbucket_emulator: BitbucketEmulator):
    deploy(bitbucket_emulator, seconds=15)
    frame = by_environment(bitbucket_emulator)
    assert list(frame["state"]) == ["UNDEPLOYED", "IN_PROGRESS"]
    assert frame[["outcome", "completed_on", "duration_seconds"]].isna().all(axis=None)
    assert frame["started_on"].isna().tolist() == [True, False]
    assert frame["updated_on"].eq(frame["released_on"]).all()


def test_a_deployment_is_in_the_interval_in_which_it_changed_last(bitbucket_emulator: BitbucketEmulator):
    deploy(bitbucket_emulator, manual=True)

    def found(**interval: Any) -> list[str]:
        return list(frame_of(bitbucket_emulator, "deployments", **interval)["environment"])

    hour = NOW + timedelta(hours=1)
    assert found(since=NOW, until=hour) == ["Production", "Test"]
    bitbucket_emulator.clock(set=hour.isoformat())
    bitbucket_emulator.control("POST", "pipelines/acme/api/1/continue", {})
    bitbucket_emulator.clock(advance=60)
    assert (found(since=NOW, until=hour), found(since=hour)) == (["Test"], ["Production"])


def test_deployments_to_a_deleted_environment_stay(bitbucket_emulator: BitbucketEmulator):
    deploy(bitbucket_emulator)
    next(bitbucket_emulator.state.repositories()).environments.clear()
    frame = frame_of(bitbucket_emulator, "deployments")
    assert frame["environment_id"].notna().all()
    assert frame[["environment", "environment_type"]].isna().all(axis=None)


def test_times_are_read_by_their_names_on_the_wire_and_in_the_reference():
    wire = {"started_on": "2026-11-01T08:00:00.123456789Z", "completed_on": "2026-11-01T08:01:00.123456Z"}
    reference = {"start_date": wire["started_on"], "completion_date": wire["completed_on"]}
    for state in (wire, reference):
        found = row(state={"name": "COMPLETED", **state})
        assert found["started_on"].isoformat() == "2026-11-01T08:00:00.123456+00:00"
        assert found["updated_on"] == found["completed_on"]
        assert found["duration_seconds"] == 60.0


def test_an_end_before_the_beginning_is_no_negative_duration():
    state = {"started_on": "2026-11-01T08:00:00.5Z", "completed_on": "2026-11-01T08:00:00.25Z"}
    assert row(state=state)["duration_seconds"] == 0.0


def test_a_deployment_of_unknown_values_is_a_row():
    found = row(state={"name": "MEDITATING", "status": {"name": "SO_SO"}}, release={"name": "v1.2", "pipeline": None})
    assert (found["state"], found["outcome"]) == ("MEDITATING", "SO_SO")
    assert found.isna()["build_number"]
    assert row(state=None, release=None, environment=None).drop(["repository", "id"]).isna().all()


def test_no_deployments_are_a_frame_with_every_column(bitbucket_emulator: BitbucketEmulator):
    frame = frame_of(bitbucket_emulator, "deployments")
    assert frame.empty
    assert frame.dtypes.to_dict() == SCHEMA.empty().dtypes.to_dict()
