"""A task reports one build status, whatever happens to its attempts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_bitbucket.changes.build_statuses import short_key, status_key
from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.operators.build_statuses import BitbucketBuildStatusOperator
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.airflow_home import TaskRun
from tests.operators.attempts import check_one_effect_despite_kills, check_one_effect_despite_lost_answers


def prepare(client: BitbucketClient, _: BitbucketEmulator) -> dict[str, Any]:
    """Return the parameters of a status of a short hash."""
    return {"repository": "api", "commit": client.commits.get("api", "main")["hash"][:12], "state": "FAILED"}


def effect(client: BitbucketClient) -> list[tuple[Any, ...]]:
    """Return the statuses of the commit."""
    return [(row["key"], row["state"], row["name"]) for row in client.build_statuses.list("api", "main")]


def test_a_task_killed_at_any_point_reports_one_status(monkeypatch: pytest.MonkeyPatch) -> None:
    check_one_effect_despite_kills(monkeypatch, BitbucketBuildStatusOperator, prepare, effect)


def test_a_task_whose_response_was_lost_reports_one_status(monkeypatch: pytest.MonkeyPatch) -> None:
    check_one_effect_despite_lost_answers(monkeypatch, BitbucketBuildStatusOperator, prepare, effect)


def test_the_default_status_is_that_of_the_dag_and_leads_to_its_run(
    bitbucket: BitbucketEmulator, run_task: Callable[..., TaskRun]
) -> None:
    client = BitbucketClient(ApiToken(*bitbucket.api_token), "acme", bitbucket.api_url)
    commit = client.commits.get("api", "main")["hash"]

    run = run_task(
        BitbucketBuildStatusOperator, repository="api", commit=commit, state="{{ 'successful' }}", description="{{ ti.task_id }}"
    )

    (status,) = client.build_statuses.list("api", commit)
    assert run.value == {"key": status["key"], "state": "SUCCESSFUL", "url": status["url"], "commit": commit}
    assert status["key"] == status_key(status["name"])
    assert status["url"].startswith(f"http://localhost:8080/dags/{status['name']}/runs/manual__")
    assert status["description"] == "task"


def test_an_address_that_bitbucket_refuses_is_replaced_by_the_page_of_the_commit(
    bitbucket: BitbucketEmulator, run_task: Callable[..., TaskRun]
) -> None:
    bitbucket.settings(build_urls_need_a_dot=True)
    commit = BitbucketClient(ApiToken(*bitbucket.api_token), "acme", bitbucket.api_url).commits.get("api", "main")["hash"]

    run = run_task(BitbucketBuildStatusOperator, repository="api", commit=commit, state="FAILED")

    assert run.value["url"] == f"{bitbucket.url}/acme/api/commits/{commit}"


def test_an_unknown_state_is_refused_without_a_request(bitbucket: BitbucketEmulator, run_task: Callable[..., TaskRun]) -> None:
    bitbucket.reset_requests()

    run = run_task(BitbucketBuildStatusOperator, repository="api", commit="abcdef1", state="GREEN")

    assert "state is 'GREEN'; expected one of FAILED, INPROGRESS, STOPPED, SUCCESSFUL" in str(run.error)
    assert not bitbucket.requests()


@given(st.text(min_size=1), st.text(min_size=1), st.integers(-1, 10**6))
def test_keys_fit_and_those_of_tasks_begin_with_that_of_their_dag(dag_id: str, task_id: str, map_index: int) -> None:
    key = status_key(dag_id, task_id, map_index)

    assert len(key) <= 40
    assert key.startswith(f"{status_key(dag_id)}-")
    assert key != status_key(dag_id, task_id, map_index + 1)


@given(st.text(min_size=1, max_size=200))
def test_keys_that_are_too_long_are_shortened_and_stay_different(key: str) -> None:
    assert len(short_key(key)) <= 40
    assert short_key(f"{key:x<41}") != short_key(f"{key:x<41}y")
    if len(key) <= 40:
        assert short_key(key) == key
