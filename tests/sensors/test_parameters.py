"""Malformed parameters of sensors are refused before anything is waited for."""

from __future__ import annotations

from inspect import signature
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseOperator, BaseSensorOperator

from airflow_provider_bitbucket.sensors.base import AirflowSensorParameters, BitbucketSensor, SensorParameters
from airflow_provider_bitbucket.sensors.build_statuses import BitbucketBuildStatusSensor
from airflow_provider_bitbucket.sensors.deployments import BitbucketDeploymentSensor
from airflow_provider_bitbucket.sensors.pull_requests import BitbucketPullRequestSensor
from airflow_provider_bitbucket.sensors.refs import BitbucketRefSensor
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import open_pull_request
from tests.sensors.conftest import Sense


@pytest.mark.parametrize(
    ("sensor", "parameters", "says"),
    [
        (BitbucketPullRequestSensor, {"pull_request": 1, "states": "CLOSED"}, "expected one or several of OPEN, MERGED"),
        (BitbucketPullRequestSensor, {"pull_request": 1, "states": []}, "expected one or several of OPEN, MERGED"),
        (BitbucketBuildStatusSensor, {}, "expected exactly one of commit, branch"),
        (BitbucketBuildStatusSensor, {"commit": "abcdef1", "branch": "main"}, "expected exactly one of commit, branch"),
        (BitbucketRefSensor, {"branch": "main", "tag": "v1"}, "expected exactly one of branch, tag"),
        (BitbucketRefSensor, {"tag": "v1", "commit": "abcdef1", "moved_from": "abcdef2"}, "at most one of them"),
        (BitbucketDeploymentSensor, {"environment": "production"}, "expected exactly one of commit, pipeline"),
    ],
)
def test_contradicting_parameters_are_refused_when_the_dag_is_parsed(sensor: type, parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        sensor(task_id="t", repository="api", **parameters)


@pytest.mark.parametrize(
    ("sensor", "parameters", "says"),
    [
        (BitbucketPullRequestSensor, {"pull_request": "{{ 'main' }}"}, "pull_request is 'main'; expected a whole number"),
        (BitbucketBuildStatusSensor, {"commit": "{{ 'main' }}"}, "commit is 'main'; expected the hash of a commit"),
        (BitbucketBuildStatusSensor, {"branch": "main", "keys": []}, "keys is []; expected at least one name"),
        (BitbucketRefSensor, {"tag": "{{ '' }}"}, "tag is empty (its template \"{{ '' }}\" rendered to nothing)"),
        (BitbucketDeploymentSensor, {"environment": "test", "commit": "{{ 'x' }}"}, "commit is 'x'; expected the hash"),
    ],
)
def test_a_malformed_rendered_value_is_refused_before_any_request(
    bitbucket: BitbucketEmulator, run_sensor: Sense, sensor: type, parameters: dict[str, Any], says: str
) -> None:
    run = run_sensor(sensor, **parameters)

    assert run.state == "failed"
    assert says in str(run.error)
    assert not bitbucket.requests()


def test_any_end_of_a_pull_request_can_be_waited_for(bitbucket: BitbucketEmulator, run_sensor: Sense) -> None:
    open_pull_request(bitbucket, (1, "decline", "dana.demo"))
    run = run_sensor(BitbucketPullRequestSensor, pull_request="{{ 1 }}", states=["MERGED", "DECLINED", "SUPERSEDED"])

    assert run.state == "success"
    assert run.value["state"] == "DECLINED"


def test_a_branch_that_has_moved_ends_the_wait(bitbucket: BitbucketEmulator, run_sensor: Sense) -> None:
    before = bitbucket.state.workspaces["acme"].repositories["api"].branches["main"]
    open_pull_request(bitbucket, (1, "merge", "dana.demo"))
    run = run_sensor(BitbucketRefSensor, branch="main", moved_from=before[:12].upper())

    assert run.state == "success"
    assert run.value["commit"] != before
    assert len(run.value["commit"]) == 40


def test_an_outage_is_no_failure(bitbucket: BitbucketEmulator, run_sensor: Sense) -> None:
    bitbucket.fault("server_error", count=2)
    run = run_sensor(BitbucketRefSensor, branch="main", deferrable=True)

    assert run.state == "success"
    assert "Polling the branch or tag failed" in run.log


def test_the_parameters_that_sensors_pass_on_are_those_of_airflow() -> None:
    """Completion and type checkers offer them; one that Airflow does not have would be refused when the DAG is parsed."""
    of_airflow: set[str] = set()
    for kind in (BaseSensorOperator, BaseOperator):
        of_airflow |= signature(kind.__init__).parameters.keys()

    assert AirflowSensorParameters.__annotations__.keys() <= of_airflow
    assert of_airflow - AirflowSensorParameters.__annotations__.keys() <= {"self", "kwargs", "sla"}, (
        "sla was removed in Airflow 3"
    )
    own = signature(BitbucketSensor.__init__).parameters.keys() - {"self", "sensor"}
    assert SensorParameters.__annotations__.keys() - AirflowSensorParameters.__annotations__.keys() == own
