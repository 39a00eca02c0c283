"""What a wait makes of what it sees, without any waiting."""

from __future__ import annotations

import logging
import math
import time
from typing import Any

import pytest

from airflow_provider_bitbucket.client import (
    BitbucketAuthError,
    BitbucketBadRequestError,
    BitbucketConnectionError,
    BitbucketError,
    BitbucketGoneError,
    BitbucketNotFoundError,
    BitbucketPermissionError,
    BitbucketRateLimitError,
    BitbucketServerError,
    PipelineOutcome,
)
from airflow_provider_bitbucket.client.pipeline_state import evaluate
from airflow_provider_bitbucket.triggers.pipelines import PipelineWatch

LOG = logging.getLogger("watch")
LATER = 1e12
OVER = 0.0


def watch(deadline: float = LATER, poll_interval: float = 30.0) -> PipelineWatch:
    return PipelineWatch("api", "{uuid}", poll_interval=poll_interval, deadline=deadline, log=LOG)


def outcome(name: str, **inner: str) -> PipelineOutcome:
    state = {"name": name, **{kind: {"name": word} for kind, word in inner.items()}}
    return evaluate({"uuid": "{uuid}", "build_number": 7, "state": state}, "https://bitbucket.org/acme/api/pipelines/results")


RUNNING = outcome("IN_PROGRESS", stage="RUNNING")
PAUSED = outcome("IN_PROGRESS", stage="PAUSED")


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ("SUCCESSFUL", "succeeded"),
        ("FAILED", "failed"),
        ("ERROR", "failed"),
        ("STOPPED", "failed"),
        ("EXPIRED", "failed"),
        ("A_NEW_WORD", "failed"),
    ],
)
def test_only_a_successful_pipeline_counts_as_success(result: str, status: str) -> None:
    event = watch().saw(outcome("COMPLETED", result=result))

    assert event is not None
    assert event["status"] == status
    assert event["pipeline"]["build_number"] == 7


@pytest.mark.parametrize(
    "seen",
    [
        outcome("PARSING"),
        outcome("PENDING"),
        RUNNING,
        PAUSED,
        outcome("IN_PROGRESS", stage="HALTED"),
        outcome("A_NEW_WORD", stage="ANOTHER"),
    ],
)
def test_every_other_state_known_or_not_is_waited_through(seen: PipelineOutcome) -> None:
    watching = watch()

    assert watching.saw(seen) is None
    assert watching.pause == 30


def test_a_pipeline_that_is_over_at_the_deadline_is_no_timeout() -> None:
    event = watch(OVER).saw(outcome("COMPLETED", result="SUCCESSFUL"))

    assert event is not None
    assert event["status"] == "succeeded"


def test_the_deadline_ends_the_wait_and_says_how_the_pipeline_stood() -> None:
    event = watch(OVER).saw(PAUSED)

    assert event is not None
    assert event["status"] == "timeout"
    assert "paused" in event["message"]


def test_the_last_look_is_at_the_deadline_and_not_an_interval_after_it() -> None:
    watching = watch(time.time() + 5)
    watching.saw(RUNNING)

    assert 0 < watching.pause <= 5


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BitbucketConnectionError, None),
        (BitbucketRateLimitError, 429),
        *((BitbucketServerError, 500 + n) for n in (0, 2, 3, 4, 55)),
    ],
)
def test_a_fault_on_the_way_does_not_fail_the_pipeline(error: type[BitbucketError], status: int | None) -> None:
    assert watch().failed(error("no luck", status=status)) is None


@pytest.mark.parametrize(
    "error",
    [BitbucketAuthError, BitbucketPermissionError, BitbucketNotFoundError, BitbucketGoneError, BitbucketBadRequestError],
)
def test_a_definite_answer_ends_the_wait_with_bitbuckets_words(error: type[BitbucketError]) -> None:
    event = watch().failed(error("Token is invalid"))

    assert event == {"status": "lost", "pipeline": {"uuid": "{uuid}"}, "message": "Token is invalid"}


def test_while_bitbucket_is_away_looks_get_rarer_and_then_normal_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watching = watch()
    pauses = []
    for _ in range(6):
        watching.failed(BitbucketServerError("Service Unavailable", status=503))
        pauses.append(watching.pause)

    assert pauses == [60, 120, 240, 300, 300, 300]
    assert watching.saw(RUNNING) is None
    assert watching.pause == 30
    assert "Bitbucket answers again, after 6 failed looks." in caplog.text


def test_bitbucket_is_not_asked_before_it_said_it_may_be() -> None:
    watching = watch()
    error = BitbucketRateLimitError("Budget is used up", status=429)
    error.retry_after = 2000
    watching.failed(error)

    assert watching.pause == 2000


def test_days_of_faults_are_no_problem_of_arithmetic() -> None:
    watching = watch(poll_interval=0.5)
    for _ in range(3000):
        assert watching.failed(BitbucketServerError("503", status=503)) is None


def test_an_interval_above_the_longest_pause_is_kept() -> None:
    watching = watch(poll_interval=900)
    watching.failed(BitbucketServerError("Busy", status=503))

    assert watching.pause == 900


def test_faults_until_the_deadline_end_as_a_timeout_that_names_the_fault() -> None:
    event = watch(OVER).failed(BitbucketConnectionError("connection refused"))

    assert event is not None
    assert event["status"] == "timeout"
    assert "connection refused" in event["message"]


def test_each_change_of_state_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    watching = watch(math.inf)
    for seen in [RUNNING, RUNNING, PAUSED, PAUSED, RUNNING, RUNNING]:
        watching.saw(seen)

    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 3
    assert "is paused" in told[1]


def test_who_has_to_click_gets_the_address(caplog: pytest.LogCaptureFixture) -> None:
    watch().saw(PAUSED)

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "https://bitbucket.org/acme/api/pipelines/results/7" in record.getMessage()


def test_the_next_watch_does_not_repeat_what_was_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    first: Any = watch()
    first.saw(RUNNING)
    second = PipelineWatch("api", "{uuid}", poll_interval=30, deadline=LATER, log=LOG, told=first.told)
    second.saw(RUNNING)

    assert len(caplog.records) == 1
