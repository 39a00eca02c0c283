"""Waiting for a pipeline that was started elsewhere, run by a real Airflow against the emulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSensorTimeout

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.exceptions import BitbucketPipelineLostError
from airflow_provider_bitbucket.sensors.pipelines import BitbucketPipelineSensor
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.airflow_home import TaskRun
from tests.triggers.quick import quick_sensor

both_modes = pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferrable"])
Sense = Callable[..., TaskRun]


@pytest.fixture
def client(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketClient:
    """Another user's client, which has just started pipeline 1 of ``api``."""
    connect(connection_json(bitbucket_emulator))
    client = BitbucketClient(ApiToken(*bitbucket_emulator.api_token), "acme", bitbucket_emulator.api_url)
    client.pipelines.trigger("api", branch="main")
    return client


@pytest.fixture
def sense(run_task: Callable[..., TaskRun], client: BitbucketClient) -> Sense:
    """Run the sensor in a DAG, for pipeline 1 of ``api`` by default; waits take milliseconds."""
    sensor = quick_sensor(BitbucketPipelineSensor)

    def run(**parameters: Any) -> TaskRun:
        return run_task(sensor, **{"repository": "api", "pipeline": 1, "poke_interval": 0.02, **parameters})

    return run


def finish(bitbucket: BitbucketEmulator, result: str) -> None:
    bitbucket.control("POST", "pipelines/acme/api/1/finish", {"result": result})


@both_modes
def test_it_succeeds_when_the_pipeline_does(bitbucket_emulator: BitbucketEmulator, sense: Sense, deferrable: bool) -> None:
    bitbucket_emulator.clock(speed=1000)
    run = sense(deferrable=deferrable)

    assert run.state == "success"
    assert run.value["status"] == "SUCCESSFUL"


@pytest.mark.parametrize("by", ["uuid", "build_number"])
def test_a_finished_pipeline_costs_one_request_and_no_deferral(
    bitbucket_emulator: BitbucketEmulator, client: BitbucketClient, sense: Sense, by: str
) -> None:
    finish(bitbucket_emulator, "SUCCESSFUL")
    known = client.pipelines.get("api", 1)[by]
    bitbucket_emulator.reset_requests()
    run = sense(pipeline=known, deferrable=True)

    assert run.state == "success"
    assert sum(bitbucket_emulator.requests().values()) == 1
    assert "DEFERRED" not in run.log


@both_modes
@pytest.mark.parametrize("result", ["FAILED", "STOPPED", "ERROR", "EXPIRED"])
def test_a_pipeline_that_was_not_successful_fails_it_without_retries(
    bitbucket_emulator: BitbucketEmulator, sense: Sense, result: str, deferrable: bool
) -> None:
    finish(bitbucket_emulator, result)
    run = sense(deferrable=deferrable, retries=2)

    assert run.state == "failed"  # not up_for_retry: it would find the same
    assert isinstance(run.error, AirflowFailException)
    assert f"{bitbucket_emulator.url}/acme/api/pipelines/results/1" in str(run.error)


@both_modes
def test_soft_fail_skips(bitbucket_emulator: BitbucketEmulator, sense: Sense, deferrable: bool) -> None:
    bitbucket_emulator.script("api", "*", steps=[{"name": "Build", "seconds": 5, "result": "FAILED"}])
    BitbucketClient(ApiToken(*bitbucket_emulator.api_token), "acme", bitbucket_emulator.api_url).pipelines.trigger(
        "api", branch="main"
    )
    bitbucket_emulator.clock(speed=100)

    assert sense(pipeline=2, deferrable=deferrable, soft_fail=True).state == "skipped"


@both_modes
def test_a_timeout_fails_the_sensor_and_leaves_the_pipeline_alone(
    client: BitbucketClient, sense: Sense, deferrable: bool
) -> None:
    run = sense(deferrable=deferrable, timeout=0.2)

    assert run.state == "failed"
    assert isinstance(run.error, AirflowSensorTimeout)
    assert not client.pipelines.outcome("api", 1).is_terminal


@both_modes
def test_transient_errors_do_not_end_the_wait(bitbucket_emulator: BitbucketEmulator, sense: Sense, deferrable: bool) -> None:
    bitbucket_emulator.clock(speed=500)
    bitbucket_emulator.fault("server_error", count=3)
    run = sense(deferrable=deferrable)

    assert run.state == "success"
    assert "Polling the pipeline failed" in run.log


@both_modes
def test_a_missing_pipeline_ends_the_wait(sense: Sense, deferrable: bool) -> None:
    run = sense(pipeline=99, deferrable=deferrable)

    assert isinstance(run.error, BitbucketPipelineLostError)
    assert "'99'" in str(run.error)


def test_a_killed_sensor_has_nothing_that_could_stop_the_pipeline(client: BitbucketClient) -> None:
    sensor = BitbucketPipelineSensor(task_id="t", repository="api", pipeline=1, deferrable=True)
    sensor.on_kill()

    assert not client.pipelines.outcome("api", 1).is_terminal
