"""How responses and errors end a wait, without any waiting."""

from __future__ import annotations

import logging
import math
import time

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
from airflow_provider_bitbucket.triggers.pipelines import BitbucketPipelineTrigger
from airflow_provider_bitbucket.triggers.wait_condition import WaitCondition

LOG = logging.getLogger("watch")
LATER = 1e12
PASSED = 0.0


def make(deadline: float = LATER, poll_interval: float = 30.0, last_reported: str = "") -> WaitCondition:
    return BitbucketPipelineTrigger(
        bitbucket_conn_id="bitbucket_default",
        workspace=None,
        repository="api",
        pipeline="{uuid}",
        poll_interval=poll_interval,
        deadline=deadline,
        last_reported=last_reported,
    ).condition(LOG)


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
    event = make().on_response(outcome("COMPLETED", result=result))

    assert event is not None
    assert event["status"] == status
    assert event["found"]["build_number"] == 7


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
def test_a_wait_continues_in_every_other_state_known_or_unknown(seen: PipelineOutcome) -> None:
    condition = make()

    assert condition.on_response(seen) is None
    assert condition.pause == 30


def test_a_pipeline_that_has_finished_at_the_deadline_is_no_timeout() -> None:
    event = make(PASSED).on_response(outcome("COMPLETED", result="SUCCESSFUL"))

    assert event is not None
    assert event["status"] == "succeeded"


def test_the_deadline_ends_the_wait_with_the_last_state_of_the_pipeline() -> None:
    event = make(PASSED).on_response(PAUSED)

    assert event is not None
    assert event["status"] == "timeout"
    assert "paused" in event["message"]


def test_the_last_poll_is_at_the_deadline_and_not_an_interval_after_it() -> None:
    condition = make(time.time() + 5)
    condition.on_response(RUNNING)

    assert 0 < condition.pause <= 5


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (BitbucketConnectionError, None),
        (BitbucketRateLimitError, 429),
        *((BitbucketServerError, 500 + n) for n in (0, 2, 3, 4, 55)),
    ],
)
def test_a_transient_error_does_not_end_the_wait(error: type[BitbucketError], status: int | None) -> None:
    assert make().on_error(error("no luck", status=status)) is None


@pytest.mark.parametrize(
    "error",
    [BitbucketAuthError, BitbucketPermissionError, BitbucketNotFoundError, BitbucketGoneError, BitbucketBadRequestError],
)
def test_a_definite_answer_ends_the_wait_with_bitbuckets_words(error: type[BitbucketError]) -> None:
    event = make().on_error(error("Token is invalid"))

    assert event == {"status": "lost", "found": {"uuid": "{uuid}"}, "message": "Token is invalid"}


def test_polls_back_off_during_an_outage_and_return_to_the_interval_after_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    condition = make()
    pauses = []
    for _ in range(6):
        condition.on_error(BitbucketServerError("Service Unavailable", status=503))
        pauses.append(condition.pause)

    assert pauses == [60, 120, 240, 300, 300, 300]
    assert condition.on_response(RUNNING) is None
    assert condition.pause == 30
    assert "Bitbucket answers again, after 6 failed polls." in caplog.text


def test_a_retry_after_is_followed() -> None:
    condition = make()
    error = BitbucketRateLimitError("Budget is used up", status=429)
    error.retry_after = 2000
    condition.on_error(error)

    assert condition.pause == 2000


def test_days_of_errors_do_not_overflow_the_back_off() -> None:
    condition = make(poll_interval=0.5)
    for _ in range(3000):
        assert condition.on_error(BitbucketServerError("503", status=503)) is None


def test_an_interval_above_the_longest_back_off_is_kept() -> None:
    condition = make(poll_interval=900)
    condition.on_error(BitbucketServerError("Busy", status=503))

    assert condition.pause == 900


def test_errors_until_the_deadline_end_as_a_timeout_that_names_the_error() -> None:
    event = make(PASSED).on_error(BitbucketConnectionError("connection refused"))

    assert event is not None
    assert event["status"] == "timeout"
    assert "connection refused" in event["message"]


def test_each_change_of_state_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    condition = make(math.inf)
    for seen in [RUNNING, RUNNING, PAUSED, PAUSED, RUNNING, RUNNING]:
        condition.on_response(seen)

    logged = [record.getMessage() for record in caplog.records]
    assert len(logged) == 3
    assert "is paused" in logged[1]


def test_a_pipeline_that_needs_a_person_is_a_warning_with_its_address(caplog: pytest.LogCaptureFixture) -> None:
    make().on_response(PAUSED)

    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "https://bitbucket.org/acme/api/pipelines/results/7" in record.getMessage()


def test_the_next_condition_does_not_repeat_what_was_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    first = make()
    first.on_response(RUNNING)
    second = make(last_reported=first.last_reported)
    second.on_response(RUNNING)

    assert len(caplog.records) == 1
