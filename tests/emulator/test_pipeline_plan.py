"""The state of a pipeline is determined by its plan and the time only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitbucket_cloud_emulator.deployments.models import Deployment, Environment
from bitbucket_cloud_emulator.deployments.service import deployment_at
from bitbucket_cloud_emulator.pipelines.models import Pipeline, Step
from bitbucket_cloud_emulator.pipelines.plan import block, finish, pipeline_at, release, stop

START = datetime(2026, 11, 2, 8, tzinfo=UTC)
TARGET = {"type": "pipeline_ref_target", "commit": {"type": "commit", "hash": "a" * 40}, "selector": {"type": "default"}}


def a_pipeline(*steps: dict[str, Any], **fields: Any) -> Pipeline:
    """Return a pipeline that is parsed for 2 s, pending for 8 s, and whose steps take 10 s each by default."""
    planned = [Step(f"{{{number}}}", f"Step {number}", **{"seconds": 10.0, **step}) for number, step in enumerate(steps, 1)]
    return Pipeline("{p}", 1, None, TARGET, "MANUAL", START, planned, **fields)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def shown(pipeline: Pipeline, seconds: float) -> tuple[str, str | None]:
    view = pipeline_at(pipeline, at(seconds))
    return view.state, view.result or view.stage


def steps_shown(pipeline: Pipeline, seconds: float) -> list[str | None]:
    return [view.result or view.stage or view.state for view in pipeline_at(pipeline, at(seconds)).steps]


def test_a_pipeline_passes_through_all_states():
    pipeline = a_pipeline({}, {})
    assert [shown(pipeline, seconds) for seconds in (0, 2, 10, 25, 30)] == [
        ("PARSING", "PARSING"),
        ("PENDING", "PENDING"),
        ("IN_PROGRESS", "RUNNING"),
        ("IN_PROGRESS", "RUNNING"),
        ("COMPLETED", "SUCCESSFUL"),
    ]


def test_steps_appear_once_the_definition_is_parsed_and_run_in_sequence():
    pipeline = a_pipeline({}, {})
    assert steps_shown(pipeline, 1) == []
    assert steps_shown(pipeline, 5) == ["PENDING", "PENDING"]
    assert steps_shown(pipeline, 15) == ["IN_PROGRESS", "PENDING"]
    assert steps_shown(pipeline, 25) == ["SUCCESSFUL", "IN_PROGRESS"]


def test_steps_after_a_failed_one_are_not_run():
    pipeline = a_pipeline({}, {"result": "FAILED"}, {})
    assert shown(pipeline, 30) == ("COMPLETED", "FAILED")
    assert steps_shown(pipeline, 30) == ["SUCCESSFUL", "FAILED", "NOT_RUN"]
    assert pipeline_at(pipeline, at(30)).steps[2].started_on is None


def test_a_manual_step_waits_indefinitely_until_it_is_released():
    pipeline = a_pipeline({}, {"manual": True})
    assert shown(pipeline, 20) == ("IN_PROGRESS", "PAUSED")
    assert shown(pipeline, 30 * 24 * 3600) == ("IN_PROGRESS", "PAUSED")
    assert release(pipeline, at(100))
    assert shown(pipeline, 105) == ("IN_PROGRESS", "RUNNING")
    assert shown(pipeline, 110) == ("COMPLETED", "SUCCESSFUL")


def test_the_time_paused_does_not_count_towards_the_duration():
    pipeline = a_pipeline({}, {"manual": True})
    release(pipeline, at(1000))
    view = pipeline_at(pipeline, at(2000))
    assert view.seconds == 20
    assert view.completed_on == at(1010)


def test_a_halted_pipeline_continues_when_it_is_released():
    pipeline = a_pipeline({}, halted=True)
    assert shown(pipeline, 10) == ("IN_PROGRESS", "HALTED")
    release(pipeline, at(60))
    assert shown(pipeline, 70) == ("COMPLETED", "SUCCESSFUL")


def test_a_running_pipeline_cannot_be_released():
    assert not release(a_pipeline({}), at(15))


def test_a_stop_takes_effect_after_a_delay():
    pipeline = a_pipeline({}, {})
    stop(pipeline, at(15))
    assert shown(pipeline, 16) == ("IN_PROGRESS", "RUNNING")
    assert shown(pipeline, 17) == ("COMPLETED", "STOPPED")


def test_a_step_that_was_stopped_before_it_started_has_equal_times():
    pipeline = a_pipeline({}, {})
    stop(pipeline, at(15))
    running, later = pipeline_at(pipeline, at(17)).steps
    assert (running.result, running.started_on, running.completed_on) == ("STOPPED", at(10), at(17))
    assert (later.result, later.started_on, later.completed_on) == ("STOPPED", at(17), at(17))


def test_a_pipeline_that_completes_before_its_stop_takes_effect_is_not_stopped():
    pipeline = a_pipeline({})
    stop(pipeline, at(19))
    assert shown(pipeline, 30) == ("COMPLETED", "SUCCESSFUL")


def test_a_pipeline_stopped_while_pending_never_runs():
    pipeline = a_pipeline({})
    stop(pipeline, at(3))
    assert shown(pipeline, 5) == ("COMPLETED", "STOPPED")
    assert pipeline_at(pipeline, at(5)).seconds == 0


def test_a_pipeline_with_a_malformed_definition_completes_before_its_own_creation_time():
    pipeline = a_pipeline(result="ERROR", error={"key": "k", "message": "m"}, parsing_seconds=0.0)
    view = pipeline_at(pipeline, START)
    assert (view.state, view.result) == ("COMPLETED", "ERROR")
    assert view.completed_on is not None
    assert view.completed_on < pipeline.created_on


def test_a_pipeline_that_expires_is_paused_before():
    pipeline = a_pipeline({}, {"manual": True, "seconds": 3600.0}, result="EXPIRED")
    assert shown(pipeline, 20) == ("IN_PROGRESS", "PAUSED")
    assert shown(pipeline, 3620) == ("COMPLETED", "EXPIRED")


@pytest.mark.parametrize(
    ("result", "steps"),
    [
        ("SUCCESSFUL", ["SUCCESSFUL", "SUCCESSFUL", "SUCCESSFUL"]),
        ("FAILED", ["SUCCESSFUL", "FAILED", "NOT_RUN"]),
        ("STOPPED", ["SUCCESSFUL", "STOPPED", "STOPPED"]),
    ],
)
def test_a_pipeline_can_be_completed_at_any_time(result: str, steps: list[str]):
    pipeline = a_pipeline({}, {}, {})
    finish(pipeline, at(25), result)
    assert shown(pipeline, 25) == ("COMPLETED", result)
    assert steps_shown(pipeline, 25) == steps


@pytest.mark.parametrize("seconds", [0, 1, 5, 15])
@pytest.mark.parametrize("result", ["SUCCESSFUL", "FAILED", "ERROR", "STOPPED", "EXPIRED"])
def test_a_pipeline_can_be_completed_in_any_state(result: str, seconds: float):
    pipeline = a_pipeline({}, {"manual": True})
    finish(pipeline, at(seconds), result)
    assert shown(pipeline, seconds) == ("COMPLETED", result)


@pytest.mark.parametrize(("manual", "stage"), [(True, "PAUSED"), (False, "HALTED")])
def test_a_running_pipeline_can_be_blocked_and_released(manual: bool, stage: str):
    pipeline = a_pipeline({}, {})
    block(pipeline, at(15), manual=manual)
    assert shown(pipeline, 15) == ("IN_PROGRESS", stage)
    assert release(pipeline, at(50))
    assert shown(pipeline, 65) == ("IN_PROGRESS", "RUNNING")
    assert shown(pipeline, 70) == ("COMPLETED", "SUCCESSFUL")


@given(
    steps=st.lists(
        st.fixed_dictionaries(
            {
                "seconds": st.floats(0.001, 100),
                "manual": st.booleans(),
                "result": st.sampled_from(["SUCCESSFUL", "FAILED", "ERROR"]),
            }
        ),
        min_size=1,
        max_size=4,
    ),
    times=st.lists(st.floats(0, 600), min_size=2, max_size=8).map(sorted),
    stopped=st.none() | st.floats(0, 600),
)
def test_a_pipeline_never_returns_to_an_earlier_state(steps: list[dict[str, Any]], times: list[float], stopped: float | None):
    pipeline = a_pipeline(*steps)
    if stopped is not None:
        stop(pipeline, at(stopped))
    order = ["PARSING", "PENDING", "IN_PROGRESS", "COMPLETED"]
    seen = [pipeline_at(pipeline, at(seconds)) for seconds in times]
    assert [order.index(view.state) for view in seen] == sorted(order.index(view.state) for view in seen)
    for view, seconds in zip(seen, times, strict=True):
        assert (view.completed_on is not None) == (view.state == "COMPLETED") == (view.result is not None)
        for step in view.steps:
            assert step.started_on is None or step.started_on <= at(seconds)
            assert step.completed_on is None or (step.started_on is not None and step.started_on <= step.completed_on)


def a_deployment(pipeline: Pipeline, index: int) -> Deployment:
    return Deployment("{d}", Environment("{e}", "Test", "test", "Test"), pipeline, pipeline.steps[index], "{r}")


def test_deployments_of_a_pipeline_appear_together_after_the_preceding_steps():
    pipeline = a_pipeline({}, {"environment": "test"}, {"environment": "staging", "manual": True})
    first, second = a_deployment(pipeline, 1), a_deployment(pipeline, 2)
    assert deployment_at(first, at(19)) is None
    assert deployment_at(second, at(19)) is None
    views = [deployment_at(one, at(20)) for one in (first, second)]
    assert [(view.state, view.released_on) for view in views if view] == [("IN_PROGRESS", at(20)), ("UNDEPLOYED", at(20))]
    done = deployment_at(first, at(31))
    assert done is not None
    assert (done.state, done.status, done.completed_on) == ("COMPLETED", "SUCCESSFUL", at(30))


def test_a_failed_deployment_leaves_the_next_environment_undeployed():
    pipeline = a_pipeline({"environment": "test", "result": "FAILED"}, {"environment": "staging"})
    first, second = (deployment_at(a_deployment(pipeline, index), at(60)) for index in (0, 1))
    assert first is not None
    assert second is not None
    assert (first.status, second.state) == ("FAILED", "UNDEPLOYED")


def test_a_pipeline_that_fails_before_its_deployment_has_none():
    pipeline = a_pipeline({"result": "FAILED"}, {"environment": "test"})
    assert deployment_at(a_deployment(pipeline, 1), at(600)) is None
