"""Stop means stop, and what a person must do is said; run by a real Airflow against the emulator."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_provider_bitbucket.client import BitbucketNotFoundError
from airflow_provider_bitbucket.exceptions import (
    BitbucketPipelineNotStoppedError,
    BitbucketPipelinePausedError,
)
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.airflow_home import TaskRun
from tests.operators.quick import QuickStopOperator
from tests.operators.waiting import STOP, Trigger, asked, both_modes, meanwhile, pipeline

Stop = Callable[..., TaskRun]


@pytest.fixture
def stop(run_task: Callable[..., TaskRun], trigger: Trigger) -> Stop:
    """Start a pipeline, do something to it, and run the operator that stops it."""

    def run(then: Callable[[], object] = lambda: None, **parameters: Any) -> TaskRun:
        trigger(wait_for_completion=False)
        then()
        return run_task(QuickStopOperator, **{"repository": "api", "pipeline": 1, "timeout": 0.2, **parameters})

    return run


class TestStopOperator:
    def test_it_waits_until_the_pipeline_is_over(self, bitbucket: BitbucketEmulator, stop: Stop) -> None:
        with meanwhile(bitbucket, lambda seen: asked(bitbucket, STOP) > 0, lambda: bitbucket.clock(speed=100)):
            run = stop(pipeline="{{ 1 }}", timeout=20)

        assert run.state == "success", run.error
        assert run.value["status"] == "STOPPED"
        assert run.xcom["pipeline_url"] == f"{bitbucket.url}/acme/api/pipelines/results/1"

    def test_one_that_is_over_is_no_failure(self, bitbucket: BitbucketEmulator, stop: Stop) -> None:
        run = stop(lambda: bitbucket.control("POST", "pipelines/acme/api/1/finish", {"result": "SUCCESSFUL"}))

        assert run.value["status"] == "SUCCESSFUL"
        assert "It had already finished. Pipeline #1 was successful." in run.log

    def test_a_paused_one_goes_on_and_the_error_says_where_to_stop_it(self, bitbucket: BitbucketEmulator, stop: Stop) -> None:
        def pause() -> None:
            bitbucket.control("POST", "pipelines/acme/api/1/pause", {})
            bitbucket.clock(advance=30)  # until then it is being parsed

        run = stop(pause, timeout=10)

        assert isinstance(run.error, BitbucketPipelineNotStoppedError)
        assert "does not stop a pipeline that is paused at a manual step: #1 is still paused" in str(run.error)
        assert f"{bitbucket.url}/acme/api/pipelines/results/1" in str(run.error)

    def test_one_that_does_not_stop_in_time_fails_the_task(self, bitbucket: BitbucketEmulator, stop: Stop) -> None:
        run = stop()  # time stands still

        assert isinstance(run.error, BitbucketPipelineNotStoppedError)
        assert "It has not stopped yet." in str(run.error)

    @pytest.mark.parametrize("nothing", ["{{ None }}", "{{ ti.xcom_pull(task_ids='task', key='no_such') }}", "", " "])
    def test_where_no_pipeline_was_started_the_error_says_so(
        self, bitbucket: BitbucketEmulator, stop: Stop, nothing: str
    ) -> None:
        run = stop(pipeline=nothing)

        assert isinstance(run.error, ValueError)
        assert "expected the uuid or build number of a pipeline; did the task that starts it push no XCom?" in str(run.error)

    def test_one_that_is_not_there_is_named(self, bitbucket: BitbucketEmulator, stop: Stop) -> None:
        assert isinstance(stop(pipeline=7).error, BitbucketNotFoundError)


class TestPaused:
    @both_modes
    @pytest.mark.parametrize("how", ["pause", "halt"])
    def test_a_task_may_fail_instead_of_waiting_for_a_person(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, how: str, deferrable: bool
    ) -> None:
        block = lambda: bitbucket.control("POST", f"pipelines/acme/api/1/{how}", {})  # noqa: E731 - it is short
        bitbucket.script("api", "*", steps=[{"name": "Work", "seconds": 3600}], parsing_seconds=0)
        bitbucket.clock(speed=20)
        with meanwhile(bitbucket, lambda seen: seen["stage"] == "RUNNING", block):
            run = trigger(on_paused="fail", deferrable=deferrable)

        assert isinstance(run.error, BitbucketPipelinePausedError)
        assert f"{bitbucket.url}/acme/api/pipelines/results/1" in str(run.error)
        assert f"Manual action required: {bitbucket.url}/acme/api/pipelines/results/1" in run.log
        assert not asked(bitbucket, STOP), "a person may still go on with it"

    def test_a_timeout_says_that_a_paused_pipeline_could_not_be_stopped(
        self, bitbucket: BitbucketEmulator, trigger: Trigger
    ) -> None:
        def pause() -> None:
            bitbucket.control("POST", "pipelines/acme/api/1/pause", {})
            bitbucket.clock(advance=30)  # until then it is being parsed

        with meanwhile(bitbucket, lambda seen: True, pause):
            run = trigger(timeout=1)

        assert asked(bitbucket, STOP) == 1
        assert "Bitbucket does not stop a pipeline that is paused at a manual step" in str(run.error)
        assert pipeline(bitbucket)["stage"] == "PAUSED"


class TestTimeouts:
    @both_modes
    @pytest.mark.parametrize(
        "limit", [{"timeout": 0.2}, {"execution_timeout": timedelta(seconds=4)}], ids=lambda one: next(iter(one))
    )
    def test_a_pipeline_may_outlive_a_timeout(
        self, bitbucket: BitbucketEmulator, trigger: Trigger, limit: dict[str, Any], deferrable: bool
    ) -> None:
        run = trigger(stop_on_timeout=False, deferrable=deferrable, **limit)

        assert run.state == "failed"
        assert (
            "The pipeline continues." in str(run.error) or "The execution_timeout has passed. The pipeline continues." in run.log
        )
        assert isinstance(run.error, AirflowTaskTimeout) == ("execution_timeout" in limit)
        assert not asked(bitbucket, STOP)
