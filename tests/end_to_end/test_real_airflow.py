"""Behaviour that needs a real scheduler, triggerer, DAG processor and API server."""

from __future__ import annotations

import base64
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from demo.local_airflow import LocalAirflow, wait_until

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(300)]

DAG = "wait_deferred"
SECURED = "a-secured-variable"
GET_PIPELINE = "GET /repositories/{workspace}/{repo_slug}/pipelines/{pipeline_uuid}"


@pytest.fixture(scope="module")
def bitbucket() -> Iterator[BitbucketEmulator]:
    """An emulator with the demo seed and a running clock."""
    with BitbucketEmulator("demo", speed=5) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def airflow(bitbucket: BitbucketEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    """A running Airflow with a connection to the emulator."""
    env = {"AIRFLOW_CONN_BITBUCKET_DEFAULT": connection_json(bitbucket), "AIRFLOW_VAR_DEPLOY_PHRASE": SECURED}
    with LocalAirflow(tmp_path_factory.mktemp("airflow"), Path(__file__).parent / "dags", env) as running:
        yield running


def state_of(airflow: LocalAirflow, run: str, dag: str = DAG) -> str | None:
    """Return the state of the only task of a run."""
    return next((task["state"] for task in airflow.tasks(dag, run)), None)


def result_of(bitbucket: BitbucketEmulator, number: int) -> str | None:
    """Return the result of a pipeline of ``api``, None while it is running."""
    result: str | None = bitbucket.control("GET", f"pipelines/acme/api/{number}")["result"]
    return result


def test_a_deferred_task_survives_an_outage_of_bitbucket(airflow: LocalAirflow, bitbucket: BitbucketEmulator) -> None:
    bitbucket.script("api", "until-finished", steps=[{"name": "Wait", "seconds": 36000}])
    run = airflow.trigger(DAG, {"custom_pipeline": "until-finished"})
    wait_until(lambda: state_of(airflow, run) == "deferred", seconds=90, what="the task is deferred")
    number = airflow.xcom(DAG, run, "run", "build_number")
    bitbucket.stop()
    wait_until(lambda: "Polling the pipeline failed" in airflow.log(DAG, run, "run"), seconds=90, what="the outage is in the log")
    bitbucket.start()
    bitbucket.control("POST", f"pipelines/acme/api/{number}/finish", {"result": "SUCCESSFUL"})
    assert airflow.wait(DAG, run) == "success"
    assert "Bitbucket answers again" in airflow.log(DAG, run, "run")
    assert airflow.xcom(DAG, run, "run")["status"] == "SUCCESSFUL"
    assert airflow.xcom(DAG, run, "run", "pipeline_url").startswith(f"{bitbucket.url}/acme/api/pipelines/results/")


def test_a_failed_pipeline_fails_its_deferred_task_with_log_and_failed_tests(
    airflow: LocalAirflow, bitbucket: BitbucketEmulator
) -> None:
    run = airflow.trigger(DAG, {"custom_pipeline": "broken-migration"})
    assert airflow.wait(DAG, run) == "failed"
    log = airflow.log(DAG, run, "run")
    assert "FAILED" in log
    assert "  | " in log, "the end of the failed step's log"
    assert "failed test" in log


def test_marking_a_deferred_task_as_failed_stops_its_pipeline_but_a_restart_of_the_triggerer_does_not(
    airflow: LocalAirflow, bitbucket: BitbucketEmulator
) -> None:
    bitbucket.script("api", "an-hour", steps=[{"name": "Wait", "seconds": 3600}])
    run = airflow.trigger(DAG, {"custom_pipeline": "an-hour"})
    wait_until(lambda: state_of(airflow, run) == "deferred", seconds=90, what="the task is deferred")
    number = airflow.xcom(DAG, run, "run", "build_number")

    wait_until(lambda: "is running" in airflow.log(DAG, run, "run"), seconds=60, what="the trigger has polled")
    airflow.kill("triggerer", signal.SIGTERM)
    airflow.start("triggerer")
    polls = bitbucket.requests()[GET_PIPELINE]
    wait_until(lambda: bitbucket.requests()[GET_PIPELINE] > polls + 1, seconds=90, what="the new triggerer polls")
    assert result_of(bitbucket, number) is None
    airflow.api("PATCH", f"/dags/{DAG}/dagRuns/{run}/taskInstances/run", {"new_state": "failed"})
    wait_until(lambda: result_of(bitbucket, number) == "STOPPED", seconds=90, what="the pipeline is stopped")


def test_marking_a_task_as_failed_in_the_worker_stops_its_pipeline(airflow: LocalAirflow, bitbucket: BitbucketEmulator) -> None:
    bitbucket.script("api", "*", steps=[{"name": "Wait", "seconds": 3600}])
    run = airflow.trigger("once_blocking")
    wait_until(lambda: state_of(airflow, run, "once_blocking") == "running", seconds=90, what="the task runs")
    wait_until(lambda: "Pipeline #" in airflow.log("once_blocking", run, "run"), seconds=90, what="the task waits")
    number = airflow.xcom("once_blocking", run, "run", "build_number")
    airflow.api("PATCH", f"/dags/once_blocking/dagRuns/{run}/taskInstances/run", {"new_state": "failed"})

    wait_until(lambda: result_of(bitbucket, number) == "STOPPED", seconds=90, what="the pipeline is stopped")


def test_no_secret_is_in_the_logs_or_the_database_of_airflow(airflow: LocalAirflow, bitbucket: BitbucketEmulator) -> None:
    """All files that the runs of the other tests have written are searched."""
    email, token = bitbucket.api_token
    secrets = [token, base64.b64encode(f"{email}:{token}".encode()).decode(), SECURED]
    searched = [path for path in airflow.home.rglob("*") if path.is_file()]
    assert any("attempt=1" in path.name for path in searched)
    leaks = [(str(path), secret) for path in searched for secret in secrets if secret.encode() in path.read_bytes()]
    assert not leaks
