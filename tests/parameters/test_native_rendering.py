"""What native rendering makes of text never starts, waits for, or excludes anything else than what was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator
from airflow_provider_bitbucket.operators.pipelines import BitbucketTriggerPipelineOperator
from airflow_provider_bitbucket.sensors.refs import BitbucketRefSensor
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.refs.models import Tag

Run = Callable[..., tuple[str, str]]


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """The emulator, with ``bitbucket_default`` leading to it."""
    connect(connection_json(bitbucket_emulator))
    return bitbucket_emulator


@pytest.fixture
def run(run_dag: Callable[[DAG], Any]) -> Run:
    """Run a task whose templates are rendered to Python objects, and return its state and error."""
    numbers = iter(range(100))

    def run(operator: type[Any], **parameters: Any) -> tuple[str, str]:
        errors: list[BaseException] = []
        with DAG(f"native_{operator.__name__}_{next(numbers)}", schedule=None, render_template_as_native_obj=True) as dag:
            operator(task_id="task", on_failure_callback=lambda context: errors.append(context["exception"]), **parameters)
        return str(run_dag(dag).get_task_instance("task").state), str(errors[-1]) if errors else ""

    return run


def test_a_sensor_for_tag_1_10_never_takes_tag_1_1(bitbucket: BitbucketEmulator, run: Run) -> None:
    repository = bitbucket.state.workspaces["acme"].repositories["api"]
    repository.tags["1.1"] = Tag("1.1", repository.branches["main"])
    state, error = run(BitbucketRefSensor, repository="api", tag="{{ '1.10' }}", timeout=5, poke_interval=0.1)

    assert state == "failed"
    assert "tag is 1.1 (a float); expected text. Native rendering" in error
    assert bitbucket.requests() == {}
    repository.tags["1.10"] = Tag("1.10", repository.branches["main"])
    quoted = run(BitbucketRefSensor, repository="api", tag="{{ '1.10' | tojson }}", timeout=5, poke_interval=0.1)
    assert quoted == ("success", "")


def test_a_variable_of_1_10_is_sent_as_it_is_written_or_not_at_all(bitbucket: BitbucketEmulator, run: Run) -> None:
    common: dict[str, Any] = {"repository": "api", "branch": "main", "wait_for_completion": False}
    state, error = run(BitbucketTriggerPipelineOperator, variables={"VERSION": "{{ '1.10' }}"}, **common)
    assert (state, "variables['VERSION'] is 1.1 (a float)" in error) == ("failed", True)
    assert run(BitbucketTriggerPipelineOperator, variables={"VERSION": "{{ '1.10' | tojson }}"}, **common) == ("success", "")
    assert bitbucket.control("GET", "pipelines/acme/api/1")["variables"] == [{"key": "VERSION", "value": "1.10"}]


def test_run_as_of_nothing_is_not_left_out(bitbucket: BitbucketEmulator, connect: Callable[..., None], run: Run) -> None:
    connect(connection_json(bitbucket, "api_token_per_user", default_user="robin"))
    state, error = run(BitbucketExtractOperator, repositories="api", run_as="{{ dag_run.conf.get('user') }}")

    assert state == "failed"
    assert "refusing to act as another user" in error


def test_what_another_task_returned_is_sent_literally(bitbucket: BitbucketEmulator, run_dag: Callable[[DAG], Any]) -> None:
    title = "{{ conn.bitbucket_default.password }}"
    with DAG("titles", schedule=None) as dag:

        @task
        def titles() -> list[list[dict[str, str]]]:
            return [[{"key": "TITLE", "value": title}]]

        BitbucketTriggerPipelineOperator.partial(
            task_id="task", repository="api", branch="main", wait_for_completion=False
        ).expand(variables=titles())
    assert run_dag(dag).state == "success"
    assert bitbucket.control("GET", "pipelines/acme/api/1")["variables"] == [{"key": "TITLE", "value": title}]
