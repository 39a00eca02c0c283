"""A failed task is a comment on its pull request, one for a task, that shows why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, conf
from airflow.providers.standard.operators.python import PythonOperator

from airflow_provider_bitbucket.client import BitbucketClient
from airflow_provider_bitbucket.notifications.pull_requests import BitbucketPullRequestCommentNotifier, code_block
from bitbucket_cloud_emulator import BitbucketEmulator

RunDag = Callable[[DAG], Any]
CONTEXT: dict[str, Any] = {
    "dag_run": {"dag_id": "etl", "run_id": "nightly run"},
    "ti": {"dag_id": "etl", "task_id": "load", "map_index": -1, "try_number": 2, "state": "failed"},
    "exception": ValueError("no such table: orders"),
}


@pytest.fixture
def pull_request(client: BitbucketClient) -> int:
    """The number of an open pull request."""
    client.request("POST", "/repositories/acme/api/src", data={"branch": "topic", "a.sql": "select 1\n"})
    return int(client.pull_requests.create("api", source="topic", title="Add a query")["id"])


@pytest.fixture
def texts(client: BitbucketClient, pull_request: int) -> Callable[[], list[str]]:
    """Return the texts of the pull request's comments."""
    return lambda: [comment["content"]["raw"] for comment in client.pull_request_comments.list("api", pull_request)]


def write_log(*events: dict[str, Any] | str) -> None:
    """Write the log of the attempt in :data:`CONTEXT` where Airflow writes it."""
    base = Path(conf.get("logging", "base_log_folder"))
    path = base / "dag_id=etl" / "run_id=nightly run" / "task_id=load" / "attempt=2.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(event if isinstance(event, str) else json.dumps(event) for event in events))


def test_a_failed_task_is_named_with_its_error_and_links(
    pull_request: int, texts: Callable[[], list[str]], run_dag: RunDag
) -> None:
    def fail() -> None:
        raise ValueError("no such table: orders")

    with DAG("etl_of_pull_request", schedule=None) as dag:
        notifier = BitbucketPullRequestCommentNotifier(repository="api", pull_request=str(pull_request))
        PythonOperator(task_id="load", python_callable=fail, on_failure_callback=notifier)
    run = run_dag(dag)

    (text,) = texts()
    assert text.startswith("**`etl_of_pull_request.load` failed** in run [`manual__")
    assert ", attempt 1 ([log](http://localhost:8080/dags/etl_of_pull_request/runs/manual__" in text
    assert "no such table: orders" in text
    assert run.state == "failed"


def test_the_end_of_the_log_is_shown_with_its_exceptions(pull_request: int, texts: Callable[[], list[str]]) -> None:
    write_log(
        "::group::Before",
        *({"timestamp": "2026-11-28T00:00:00Z", "level": "info", "event": f"Row {number}"} for number in range(30)),
        {"level": "error", "event": "Task failed", "error_detail": [{"exc_type": "ValueError", "exc_value": "no ``` here"}]},
    )

    BitbucketPullRequestCommentNotifier(repository="api", pull_request=pull_request, log_lines=3)(CONTEXT)

    (text,) = texts()
    assert "\n````text\nRow 29\nTask failed\nValueError: no ``` here\n````" in text
    assert "Row 28" not in text


def test_a_later_run_updates_the_comment_in_place(pull_request: int, texts: Callable[[], list[str]]) -> None:
    notifier = BitbucketPullRequestCommentNotifier(repository="api", pull_request=pull_request)
    notifier(CONTEXT)

    notifier({**CONTEXT, "ti": {**CONTEXT["ti"], "state": "success", "try_number": 3}})

    (text,) = texts()
    assert text.startswith("**`etl.load` succeeded** in run [`nightly run`](http://localhost:8080/dags/etl/runs/nightly%20run)")
    assert "```" not in text


def test_a_comment_whose_response_was_lost_is_written_once(
    bitbucket: BitbucketEmulator, pull_request: int, texts: Callable[[], list[str]]
) -> None:
    bitbucket.fault("lost_answer", method="POST", path="/comments")

    BitbucketPullRequestCommentNotifier(repository="api", pull_request=pull_request, text="Hello")(CONTEXT)

    assert len(texts()) == 1


def test_a_pull_request_that_does_not_exist_is_an_error_in_the_log(
    bitbucket: BitbucketEmulator, capsys: pytest.CaptureFixture[str]
) -> None:
    BitbucketPullRequestCommentNotifier(repository="api", pull_request=99)(CONTEXT)

    assert "BitbucketPullRequestCommentNotifier could not report to Bitbucket: BitbucketNotFoundError" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({}, "A deadline in Airflow was missed."),
        ({"dag_run": {"dag_id": "etl", "dag_run_id": "manual"}}, "**`etl` missed a deadline** in run [`manual`]"),
    ],
    ids=["without-context", "with-context"],
)
def test_a_deadline_alert_comments(pull_request: int, texts: Callable[[], list[str]], context: Any, expected: str) -> None:
    async def run() -> None:
        await BitbucketPullRequestCommentNotifier(repository="api", pull_request=pull_request, context=context)

    asyncio.run(run())
    (text,) = texts()
    assert text.startswith(expected)


@pytest.mark.parametrize("text", ["plain", "```\nand more", "a ````` b"])
def test_no_text_ends_its_block_of_code(text: str) -> None:
    fence = code_block(text).strip().splitlines()[-1]

    assert set(fence) == {"`"}
    assert fence not in text
