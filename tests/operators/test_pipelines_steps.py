"""What the task's log shows of the steps over there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from airflow_provider_bitbucket.pipeline_runs.step_logs import _Text
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.operators.waiting import Trigger, both_modes, time_passes_with_polls

LOG = "GET /repositories/{workspace}/{repo_slug}/pipelines/{pipeline_uuid}/steps/{step_uuid}/log"
STEPS = [{"name": "Build", "seconds": 30}, {"name": "Deploy", "seconds": 30}]


@pytest.fixture(autouse=True)
def steps(bitbucket: BitbucketEmulator) -> Iterator[None]:
    """Five seconds pass with each look, so that every step is seen at work, however busy this machine is."""
    bitbucket.script("api", "default", steps=STEPS)
    with time_passes_with_polls(bitbucket, 5):
        yield


def told(log: str, pattern: str) -> list[str]:
    """The lines of a log that a pattern is in, without what stands before it."""
    return re.findall(pattern, log)


@both_modes
def test_what_became_of_each_step_is_told_once_with_a_link(
    bitbucket: BitbucketEmulator, trigger: Trigger, deferrable: bool
) -> None:
    run = trigger(deferrable=deferrable)
    assert run.state == "success"
    for name in ("Build", "Deploy"):
        assert (
            len(
                told(
                    run.log,
                    f"Step '{name}': SUCCESSFUL after 30 s. {bitbucket.url}/acme/api/pipelines/results/1/steps/%7B[0-9a-f-]+%7D ",
                )
            )
            == 1
        )
    assert bitbucket.requests().get(LOG, 0) == 0


@both_modes
def test_all_logs_are_shown_and_no_line_twice(bitbucket: BitbucketEmulator, trigger: Trigger, deferrable: bool) -> None:
    run = trigger(deferrable=deferrable, log_steps="all")
    assert run.state == "success"
    for name in ("Build", "Deploy"):
        lines = told(run.log, rf"\[{name}\] (.*?) \[airflow")
        assert len(lines) > 5
        assert len(told(run.log, rf"\[{name}\] Step result: SUCCESSFUL")) == 1
    if not deferrable:
        assert run.log.index("[Build] ") < run.log.index("Step 'Build': SUCCESSFUL"), "while it runs"
        assert bitbucket.requests()[LOG] > 4


def test_no_step_is_asked_for_when_none_is_wanted(bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
    bitbucket.script("api", "default", steps=[{"name": "Build", "seconds": 10, "result": "FAILED"}])
    run = trigger(deferrable=False, log_steps="none")
    assert run.state == "failed"
    assert "Step 'Build': FAILED" in str(run.error), "the error says which"
    assert "  | " not in str(run.error)
    assert bitbucket.requests().get(LOG, 0) == 0


def test_a_step_that_can_not_be_read_just_now_does_not_end_the_wait(bitbucket: BitbucketEmulator, trigger: Trigger) -> None:
    bitbucket.fault("server_error", path="/steps", count=3)
    run = trigger(deferrable=False, log_steps="all")
    assert run.state == "success"
    assert "Reading the steps failed" in run.log
    assert len(told(run.log, r"\[Deploy\] Step result: SUCCESSFUL")) == 1


def test_an_unknown_way_to_log_is_refused(trigger: Trigger) -> None:
    with pytest.raises(ValueError, match="log_steps is 'some'"):
        trigger(log_steps="some")


def test_a_log_that_arrives_in_pieces_has_whole_lines_and_characters() -> None:
    content, lines, text = "één\nzwei\r\n三".encode(), [], _Text()
    for at in range(len(content)):
        lines += text.add(content[at : at + 1], is_finished=at == len(content) - 1)
    assert lines == ["één", "zwei", "三"]
    assert text.size == len(content)
    assert text.complete
