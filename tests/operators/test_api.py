"""Any operation of the API from a task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitbucket.exceptions import BitbucketLostAnswerError
from airflow_provider_bitbucket.operators.api import BitbucketApiOperator, json_body
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.airflow_home import TaskRun

Run = Callable[..., TaskRun]
VARIABLES = "/repositories/{workspace}/{repo_slug}/pipelines_config/variables"
API: dict[str, Any] = {"path_parameters": {"repo_slug": "api"}}
BRANCHES: dict[str, Any] = {**API, "path": "/repositories/{workspace}/{repo_slug}/refs/branches"}


def branches(bitbucket: BitbucketEmulator) -> list[str]:
    """Return the branches of the repository."""
    return [*next(bitbucket.state.repositories()).branches]


def test_the_response_is_filtered_and_returned(bitbucket: BitbucketEmulator, run_task: Run) -> None:
    run = run_task(BitbucketApiOperator, path="/user", response_filter=lambda user: user["display_name"])

    assert run.value == bitbucket.state.credentials[0].user.display_name


def test_all_pages_of_a_list_are_returned(bitbucket: BitbucketEmulator, run_task: Run) -> None:
    run = run_task(
        BitbucketApiOperator,
        **API,
        path="/repositories/{workspace}/{repo_slug}/commits",
        query={"pagelen": 2},
        paginate=True,
        response_filter=len,
    )

    assert run.value == 3
    assert sum(bitbucket.requests().values()) == 2


def test_a_body_is_templated_and_sent_as_json(bitbucket: BitbucketEmulator, run_task: Run) -> None:
    body = {"name": "run/{{ ti.task_id }}", "target": {"hash": "main"}}

    run = run_task(BitbucketApiOperator, **BRANCHES, method="POST", body=body)

    assert run.value["name"] == "run/task"


def test_values_of_a_path_are_quoted(bitbucket: BitbucketEmulator, run_task: Run) -> None:
    run_task(BitbucketApiOperator, **BRANCHES, method="POST", body={"name": "a/b", "target": {"hash": "main"}})
    one = {"path": f"{BRANCHES['path']}/{{name}}", "path_parameters": {"repo_slug": "api", "name": "a/b"}}

    assert run_task(BitbucketApiOperator, **one).value["name"] == "a/b"
    assert run_task(BitbucketApiOperator, **one, method="DELETE").value is None
    assert "a/b" not in branches(bitbucket)


def test_a_response_that_is_no_json_is_text(bitbucket: BitbucketEmulator, run_task: Run) -> None:
    path = "/repositories/{workspace}/{repo_slug}/src/main/README.md"

    assert run_task(BitbucketApiOperator, **API, path=path, headers={"Accept": "*/*"}).value == "# api\n"


def test_a_post_whose_answer_was_lost_is_not_sent_again_nor_is_the_task_retried(
    bitbucket: BitbucketEmulator, run_task: Run
) -> None:
    bitbucket.fault("lost_answer", method="POST")

    run = run_task(BitbucketApiOperator, **BRANCHES, method="POST", body={"name": "x", "target": {"hash": "main"}}, retries=3)

    assert run.state == "failed"
    assert isinstance(run.error, BitbucketLostAnswerError)
    assert sum(bitbucket.requests().values()) == 1


def test_a_post_is_sent_again_where_that_is_harmless(bitbucket: BitbucketEmulator, run_task: Run) -> None:
    bitbucket.fault("reset", method="POST", count=1)

    run = run_task(
        BitbucketApiOperator, **BRANCHES, method="POST", body={"name": "x", "target": {"hash": "main"}}, retry_post=True
    )

    assert run.state == "success"
    assert "x" in branches(bitbucket)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"path": "repositories/acme"}, "path is 'repositories/acme'; expected a path such as"),
        ({"path": "https://elsewhere.example.com/x"}, "expected a path such as"),
        ({"path": "/user?fields=uuid"}, "without a query"),
        ({"path": "{{ none }}"}, "path is empty"),
        ({"path": "/repositories/{workspace}/{repo_slug}"}, "expected a value for {repo_slug}"),
        ({"path": "/repositories/acme/{repo_slug}", "path_parameters": {"repo_slug": ".."}}, "cannot be part of an address"),
        ({"path": "/user", "body": "text"}, "body is 'text'; expected a mapping or list"),
        ({"path": "/user", "query": {"a": {"b": 1}}}, "A value of query is {'b': 1}"),
    ],
)
def test_malformed_parameters_are_refused_before_any_request(
    bitbucket: BitbucketEmulator, run_task: Run, parameters: dict[str, Any], message: str
) -> None:
    run = run_task(BitbucketApiOperator, **parameters)

    assert message in str(run.error)
    assert not bitbucket.requests()


@pytest.mark.parametrize("body", [{"a": float("nan")}, [{1}], {"a": object()}])
def test_a_body_that_json_cannot_express_is_refused(body: Any) -> None:
    with pytest.raises(ValueError, match="body cannot be sent as JSON"):
        json_body("body", body)


def test_only_a_plain_get_has_pages() -> None:
    with pytest.raises(ValueError, match="only a GET"):
        BitbucketApiOperator(task_id="task", path="/user", method="POST", paginate=True)
