"""Waiting for the review of a pull request: approvals of the head, requested changes, tasks and checks."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_bitbucket.client import NO_RETRIES
from airflow_provider_bitbucket.sensors.pull_requests import BitbucketPullRequestSensor
from airflow_provider_bitbucket.triggers.blocking import BlockingWait
from airflow_provider_bitbucket.triggers.reviews import BitbucketReviewTrigger, ReviewFetcher
from airflow_provider_bitbucket.triggers.wait_condition import WaitEvent
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import AUTHOR, OWNER, REVIEWER, client_of, open_pull_request, requested, set_status
from tests.sensors.conftest import Sense
from tests.triggers.quick import QuickReviewTrigger
from tests.triggers.waits import LATER

Poll = Callable[..., WaitEvent | None]


@pytest.fixture
def poll(bitbucket: BitbucketEmulator) -> Poll:
    """Poll once with a trigger for pull request 1 and return how the wait ended."""

    class Log:
        def info(self, *_: Any, **__: Any) -> None: ...

        warning = info

    def poll(**wanted: Any) -> WaitEvent | None:
        return BlockingWait(make(**wanted), client_of(bitbucket, retries=NO_RETRIES), Log()).poll()

    return poll


def make(**wanted: Any) -> BitbucketReviewTrigger:
    common = {"bitbucket_conn_id": "bitbucket_default", "workspace": None, "repository": "acme/api"}
    return QuickReviewTrigger(**{**common, "poll_interval": 30, "deadline": LATER, "pull_request": 1, **wanted})


def happen(bitbucket: BitbucketEmulator, kind: str, user: str, **details: Any) -> None:
    bitbucket.control("POST", "pullrequests/acme/api/1/events", {"events": [{"do": kind, "user": user, **details}]})


def head(bitbucket: BitbucketEmulator) -> str:
    return str(client_of(bitbucket).pull_requests.get("api", 1)["source"]["commit"]["hash"])  # type: ignore[index]  # it has one


def status(event: WaitEvent | None) -> str | None:
    return event and event["status"]


def test_approvals_are_counted_without_that_of_the_author(bitbucket: BitbucketEmulator, poll: Poll) -> None:
    open_pull_request(bitbucket, (1, "approve", REVIEWER), (2, "approve", AUTHOR))
    assert status(poll(approvals=1)) == "succeeded"
    assert poll(approvals=2) is None
    happen(bitbucket, "approve", OWNER)
    event = poll(approvals=2)

    assert event is not None
    assert {one["name"] for one in event["found"]["approved_by"]} == {"Robin Reviewer", "Dana Demo"}
    assert event["found"]["commit"] == head(bitbucket)


def test_an_approval_does_not_count_for_commits_that_were_pushed_after_it(bitbucket: BitbucketEmulator, poll: Poll) -> None:
    open_pull_request(bitbucket, (1, "approve", REVIEWER), (2, "push", AUTHOR))
    assert poll(approvals=1) is None
    assert status(poll(approvals=1, at_commit="any")) == "succeeded"
    happen(bitbucket, "edit", AUTHOR, title="Better")
    assert poll(approvals=1) is None, "a new title is no push"
    happen(bitbucket, "approve", OWNER)
    assert status(poll(approvals=1)) == "succeeded"
    happen(bitbucket, "edit", AUTHOR, title="Best")
    assert status(poll(approvals=1)) == "succeeded"


def test_another_head_than_the_expected_commit_ends_the_wait(bitbucket: BitbucketEmulator, poll: Poll) -> None:
    open_pull_request(bitbucket, (1, "approve", REVIEWER))
    reviewed = head(bitbucket)
    assert status(poll(approvals=1, at_commit=reviewed)) == "succeeded"
    assert status(poll(approvals=1, at_commit=reviewed[:7])) == "succeeded"
    happen(bitbucket, "push", AUTHOR)
    event = poll(approvals=1, at_commit=reviewed)

    assert event is not None
    assert event["status"] == "failed"
    assert f"its head is {head(bitbucket)} instead of {reviewed}" in event["message"]


def test_requested_changes_keep_it_waiting_until_they_are_withdrawn(bitbucket: BitbucketEmulator, poll: Poll) -> None:
    open_pull_request(bitbucket, (1, "request_changes", REVIEWER))
    assert poll(changes_requested=0) is None
    assert status(poll(changes_requested=1)) == "succeeded"
    happen(bitbucket, "approve", REVIEWER)
    assert status(poll(changes_requested=0)) == "succeeded"


def test_unresolved_tasks_keep_it_waiting(bitbucket: BitbucketEmulator, poll: Poll) -> None:
    open_pull_request(bitbucket)
    tasks = client_of(bitbucket).pull_request_tasks
    number = tasks.create("api", 1, "Write a test")["id"]
    assert poll(tasks_resolved=True) is None
    tasks.update("api", 1, number, text="Write a test", resolved=True)
    assert status(poll(tasks_resolved=True)) == "succeeded"


def test_checks_must_be_there_and_the_latest_of_each_must_be_successful(bitbucket: BitbucketEmulator, poll: Poll) -> None:
    open_pull_request(bitbucket)
    assert poll(checks=True) is None
    set_status(bitbucket, head(bitbucket), "unit", "FAILED")
    assert poll(checks=True) is None
    set_status(bitbucket, head(bitbucket), "unit", "SUCCESSFUL")
    assert status(poll(checks=True)) == "succeeded"


@pytest.mark.parametrize("end", ["decline", "merge"])
def test_a_pull_request_that_was_closed_without_the_review_ends_the_wait(
    bitbucket: BitbucketEmulator, poll: Poll, end: str
) -> None:
    open_pull_request(bitbucket, (1, end, OWNER))
    assert status(poll(approvals=1)) == "failed"


def test_reviews_that_are_not_complete_cost_their_share_of_a_list_and_no_more(bitbucket: BitbucketEmulator) -> None:
    numbers = [open_pull_request(bitbucket) for _ in range(60)]
    bitbucket.reset_requests()
    assert len(fetched(bitbucket, numbers)) == 60
    assert requested(bitbucket) == {"pullrequests": 2}


def fetched(bitbucket: BitbucketEmulator, numbers: Collection[int]) -> dict[str, Any]:
    subjects = [make(pull_request=number, approvals=1, tasks_resolved=True, checks=True).subject for number in numbers]
    answers: dict[str, Any] = {}
    for _, step in ReviewFetcher(client_of(bitbucket, retries=NO_RETRIES), "api").fetch(subjects, frozenset(subjects)):
        answers.update(step)
    return answers


@pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferrable"])
def test_the_sensor_waits_for_a_review(bitbucket: BitbucketEmulator, run_sensor: Sense, deferrable: bool) -> None:
    open_pull_request(bitbucket, (1, "approve", REVIEWER), (2, "approve", OWNER))
    run = run_sensor(
        BitbucketPullRequestSensor,
        pull_request=1,
        approvals=2,
        changes_requested=0,
        tasks_resolved=True,
        at_commit=f"{{{{ '{head(bitbucket)}' }}}}",
        deferrable=deferrable,
    )

    assert run.state == "success", run.error
    assert len(run.value["approved_by"]) == 2
    assert "its review is complete" in run.log


def test_the_sensor_fails_without_retries_when_the_pull_request_is_declined(
    bitbucket: BitbucketEmulator, run_sensor: Sense
) -> None:
    open_pull_request(bitbucket, (1, "decline", OWNER))
    run = run_sensor(BitbucketPullRequestSensor, pull_request=1, approvals=1)

    assert isinstance(run.error, AirflowFailException)
    assert "is DECLINED" in str(run.error)


def test_a_malformed_commit_is_refused_before_any_request(bitbucket: BitbucketEmulator, run_sensor: Sense) -> None:
    run = run_sensor(BitbucketPullRequestSensor, pull_request=1, approvals=1, at_commit="main")

    assert "at_commit is 'main'; expected the hash of a commit" in str(run.error)
    assert not bitbucket.requests()
