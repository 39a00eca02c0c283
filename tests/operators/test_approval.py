"""The decision of reviewers as a task, run by a real Airflow against the emulator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator

from airflow_provider_bitbucket.exceptions import BitbucketApprovalTimeoutError, BitbucketRejectedError
from airflow_provider_bitbucket.operators.approval import BitbucketApprovalOperator
from airflow_provider_bitbucket.triggers.reviews import BitbucketReviewTrigger
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.airflow_home import TaskRun
from tests.emulator_data import OWNER, REVIEWER, client_of, open_pull_request
from tests.operators.waiting import until
from tests.triggers.quick import quick

PULL_REQUESTS = "GET /repositories/{workspace}/{repo_slug}/pullrequests"


class QuickApprovalOperator(BitbucketApprovalOperator):
    """Waits without delays."""

    def trigger(self, pull_request: int) -> BitbucketReviewTrigger:
        waits: BitbucketReviewTrigger = quick(super().trigger(pull_request))
        return waits


Ask = Callable[..., TaskRun]


@pytest.fixture
def ask(run_task: Callable[..., TaskRun], bitbucket: BitbucketEmulator) -> Ask:
    """Run the operator in a DAG, for ``api``; waits take milliseconds."""
    common = {"repository": "api", "poll_interval": 0.05, "response_timeout": 100}
    return lambda **parameters: run_task(QuickApprovalOperator, **{**common, **parameters})


@pytest.fixture
def when_deferred(bitbucket: BitbucketEmulator) -> Iterator[Callable[..., None]]:
    """Let a reviewer act as soon as the task has polled three times."""
    with ThreadPoolExecutor() as pool:

        def act(kind: str, user: str = REVIEWER) -> None:
            until(lambda: bitbucket.requests().get(PULL_REQUESTS, 0) >= 3, seconds=100)
            review(bitbucket, kind, user)

        yield lambda *arguments: pool.submit(act, *arguments)


def review(bitbucket: BitbucketEmulator, kind: str, user: str = REVIEWER) -> None:
    bitbucket.control("POST", "pullrequests/acme/api/1/events", {"events": [{"do": kind, "user": user}]})


def test_an_approval_ends_the_wait_and_the_task_returns_by_whom_and_when(
    bitbucket: BitbucketEmulator, ask: Ask, when_deferred: Callable[..., None]
) -> None:
    open_pull_request(bitbucket)
    bitbucket.reset_requests()
    when_deferred("approve")
    run = ask(pull_request="{{ 1 }}")

    assert run.state == "success", run.error
    assert "DEFERRED" in run.log
    assert run.value["chosen_options"] == ["Approve"]
    assert run.value["params_input"] == {}
    assert run.value["responded_by_user"]["name"] == "Robin Reviewer"
    assert run.value["responded_at"] == run.value["pull_request"]["approved_by"][0]["on"]
    assert run.value["pull_request"]["state"] == "OPEN"
    assert run.xcom["pull_request_url"] == f"{bitbucket.url}/acme/api/pull-requests/1"


def test_it_opens_the_pull_request_once_and_merges_it_when_approved(
    bitbucket: BitbucketEmulator, ask: Ask, when_deferred: Callable[..., None]
) -> None:
    client = client_of(bitbucket)
    client.request("POST", f"{client.repository_path('api')}/src", data={"branch": "limits", "limits.yml": "max: 9"})
    parameters = {"source": "limits", "title": "Raise the limit", "merge": True, "merge_strategy": "squash"}
    timed_out = ask(**parameters, response_timeout=0.2)
    assert isinstance(timed_out.error, BitbucketApprovalTimeoutError)
    assert "0 of 1 approvals" in str(timed_out.error)
    bitbucket.reset_requests()
    when_deferred("approve")
    run = ask(**parameters)

    assert run.state == "success", run.error
    assert run.value["pull_request"]["id"] == 1
    assert run.value["pull_request"]["state"] == "MERGED"
    assert len([*client.pull_requests.list("api")]) == 1
    assert ask(pull_request=1).value["chosen_options"] == ["Approve"], "one that was merged was approved"


@pytest.mark.parametrize("kind", ["request_changes", "decline"])
def test_a_rejection_skips_what_depends_on_it(bitbucket: BitbucketEmulator, run_dag: Callable[[DAG], Any], kind: str) -> None:
    open_pull_request(bitbucket, (1, kind, OWNER))
    with DAG(f"gate_{kind}", schedule=None) as dag:
        gate = QuickApprovalOperator(task_id="gate", repository="api", pull_request=1)
        gate >> BaseOperator(task_id="deploy") >> BaseOperator(task_id="announce", trigger_rule="all_done")
    run = run_dag(dag)
    states = {one.task_id: str(one.state) for one in run.get_task_instances()}

    assert states["gate"] == "success"
    assert states["deploy"] == "skipped"
    response = run.get_task_instance("gate").xcom_pull(task_ids="gate")
    assert response["chosen_options"] == ["Reject"]
    assert response["responded_by_user"]["name"] == "Dana Demo"


def test_a_rejection_fails_the_task_without_retries_if_asked(
    bitbucket: BitbucketEmulator, ask: Ask, when_deferred: Callable[..., None]
) -> None:
    open_pull_request(bitbucket)
    bitbucket.reset_requests()
    when_deferred("request_changes")
    run = ask(pull_request=1, fail_on_reject=True, retries=2)

    assert run.state == "failed"
    assert isinstance(run.error, BitbucketRejectedError)
    assert "changes requested by Robin Reviewer" in str(run.error)


@pytest.mark.parametrize("parameters", [{}, {"pull_request": 1, "source": "x", "title": "x"}, {"source": "x"}])
def test_contradicting_parameters_are_refused_when_the_dag_is_parsed(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give either pull_request, or source and title"):
        BitbucketApprovalOperator(task_id="gate", repository="api", **parameters)
