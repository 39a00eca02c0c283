"""A run is a build status that changes in place, and no notifier fails or blocks a run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowSkipException
from airflow.providers.standard.operators.python import PythonOperator

from airflow_provider_bitbucket.client import BitbucketClient
from airflow_provider_bitbucket.notifications.build_statuses import BitbucketBuildStatusNotifier
from bitbucket_cloud_emulator import BitbucketEmulator

RunDag = Callable[[DAG], Any]


def task(notifier: Any, call: Callable[[], Any] = lambda: None, **parameters: Any) -> PythonOperator:
    """Make a task with the notifier in all its callbacks."""
    kinds = ("execute", "success", "failure", "retry", "skipped")
    callbacks: dict[str, Any] = {f"on_{kind}_callback": notifier for kind in kinds}
    return PythonOperator(task_id="load", python_callable=call, **{**callbacks, **parameters})


def raises(error: Exception) -> Callable[[], None]:
    """Make a function that raises an error."""

    def call() -> None:
        raise error

    return call


def sent(bitbucket: BitbucketEmulator) -> list[tuple[str, str]]:
    """Return key and state of every status that was sent, in order."""
    recent = bitbucket.control("GET", "requests?recent=100")["recent"]
    bodies = [json.loads(one["body"]) for one in recent if one["path"].endswith("/statuses/build")]
    return [(body["key"], body["state"]) for body in bodies]


def states(client: BitbucketClient, commit: str) -> dict[str, str]:
    """Return the states of the statuses by name."""
    return {status["name"]: status["state"] for status in client.build_statuses.list("api", commit)}


@pytest.mark.parametrize(
    ("call", "end"),
    [
        (lambda: None, "SUCCESSFUL"),
        (raises(ValueError("no")), "FAILED"),
        (raises(AirflowSkipException("not needed")), "STOPPED"),
    ],
    ids=["success", "failure", "skip"],
)
def test_a_task_is_in_progress_first_and_then_has_its_result_under_the_same_key(
    bitbucket: BitbucketEmulator, commit: str, run_dag: RunDag, call: Callable[[], None], end: str
) -> None:
    with DAG(f"etl_{end}", schedule=None) as dag:
        task(BitbucketBuildStatusNotifier(repository="api", commit=commit), call)
    run_dag(dag)

    (first, *_), *others = sent(bitbucket)
    assert [state for _, state in sent(bitbucket)] == ["INPROGRESS", end]
    assert {key for key, _ in others} == {first}


def test_a_task_that_is_retried_stays_in_progress(bitbucket: BitbucketEmulator, commit: str, run_dag: RunDag) -> None:
    errors = [ValueError("the first attempt")]
    with DAG("retried", schedule=None) as dag:
        notifier = BitbucketBuildStatusNotifier(repository="api", commit=commit)
        task(notifier, lambda: raises(errors.pop())() if errors else None, retries=1, retry_delay=0)
    run_dag(dag)

    assert [state for _, state in sent(bitbucket)] == ["INPROGRESS", "INPROGRESS", "INPROGRESS", "SUCCESSFUL"]


def test_a_status_leads_to_the_log_and_names_the_task(client: BitbucketClient, commit: str, run_dag: RunDag) -> None:
    with DAG("etl", schedule=None) as dag:
        task(BitbucketBuildStatusNotifier(repository="api", commit=commit, description="Load of {{ dag.dag_id }}"))
    run = run_dag(dag)

    (status,) = client.build_statuses.list("api", commit)
    assert status["name"] == "etl.load"
    assert status["description"] == "Load of etl"
    assert status["url"].startswith("http://localhost:8080/dags/etl/runs/manual__")
    assert status["url"].endswith("/tasks/load?try_number=1")
    assert run.state == "success"


def test_a_task_that_was_killed_does_not_stay_in_progress_when_its_run_ends(
    client: BitbucketClient, commit: str, run_dag: RunDag
) -> None:
    notifier = BitbucketBuildStatusNotifier(repository="api", commit=commit)
    client.build_statuses.set("api", commit, key="other", name="other", state="INPROGRESS", url="https://ci.example.com")
    with DAG("killed", schedule=None, on_success_callback=notifier, on_failure_callback=notifier) as dag:
        task(notifier, on_success_callback=None)  # a killed task does not come to its callbacks
    run_dag(dag)

    assert states(client, commit) == {"other": "INPROGRESS", "killed.load": "STOPPED", "killed": "SUCCESSFUL"}


def test_a_dag_whose_task_fails_has_failed(client: BitbucketClient, commit: str, run_dag: RunDag) -> None:
    notifier = BitbucketBuildStatusNotifier(repository="api", commit=commit[:12])
    with DAG("failing", schedule=None, on_success_callback=notifier, on_failure_callback=notifier) as dag:
        PythonOperator(task_id="load", python_callable=raises(ValueError("no")))
    run_dag(dag)

    assert states(client, commit) == {"failing": "FAILED"}


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"commit": "{{ nothing.of_this }}"}, "'nothing' is undefined"),
        ({"commit": "{{ dag_run.conf.get('commit', '') }}"}, "commit is empty"),
        ({"commit": "f" * 40}, "Commit not found"),
        ({"commit": "f" * 40, "bitbucket_conn_id": "unknown"}, "unknown"),
        ({"commit": "f" * 40, "state": "GREEN"}, "state is 'GREEN'; expected one of FAILED, INPROGRESS"),
    ],
    ids=["template", "empty", "commit", "connection", "state"],
)
def test_a_report_that_is_impossible_is_an_error_in_the_log_and_the_task_succeeds(
    bitbucket: BitbucketEmulator, run_dag: RunDag, capsys: pytest.CaptureFixture[str], parameters: dict[str, Any], reason: str
) -> None:
    with DAG("impossible", schedule=None) as dag:
        task(BitbucketBuildStatusNotifier(repository="api", **parameters))
    run = run_dag(dag)

    assert run.state == "success"
    log = capsys.readouterr().out
    assert "BitbucketBuildStatusNotifier could not report to Bitbucket" in log
    assert reason in log


def test_a_refused_report_does_not_fail_the_task(bitbucket: BitbucketEmulator, commit: str, run_dag: RunDag) -> None:
    bitbucket.fault("server_error", count=None, status=401, path="/statuses/build")
    with DAG("refused", schedule=None) as dag:
        task(BitbucketBuildStatusNotifier(repository="api", commit=commit), on_execute_callback=None)

    assert run_dag(dag).state == "success"


def test_one_notifier_serves_runs_with_different_commits(client: BitbucketClient, commit: str) -> None:
    client.request("POST", "/repositories/acme/api/src", data={"branch": "main", "a.txt": "a"})
    newer = str(client.commits.get("api", "main")["hash"])
    notifier = BitbucketBuildStatusNotifier(repository="api", commit="{{ commit_of_run }}", key="etl", state="FAILED")

    for one in (commit, newer):
        notifier({"commit_of_run": one})

    assert [client.build_statuses.get("api", one, "etl")["state"] for one in (commit, newer)] == ["FAILED", "FAILED"]


def test_a_deadline_alert_reports_without_blocking_the_triggerer(client: BitbucketClient, commit: str) -> None:
    alert = BitbucketBuildStatusNotifier(
        repository="api",
        commit=commit,
        state="FAILED",
        name="{{ dag_run.dag_id }} is late",
        context={"dag_run": {"dag_id": "etl", "dag_run_id": "manual"}},  # type: ignore[arg-type]  # as deadline alerts have it
    )

    async def run() -> None:
        await alert

    asyncio.run(run())
    (status,) = client.build_statuses.list("api", commit)
    assert (status["name"], status["state"]) == ("etl is late", "FAILED")
    assert status["url"] == "http://localhost:8080/dags/etl/runs/manual"


def test_a_deadline_alert_without_a_context_needs_a_key(
    client: BitbucketClient, commit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(**parameters: Any) -> None:
        await BitbucketBuildStatusNotifier(repository="api", commit=commit, state="FAILED", **parameters)

    asyncio.run(run())
    assert "key is None; expected text" in capsys.readouterr().out
    asyncio.run(run(key="nightly", url="https://airflow.example.com"))
    assert [status["key"] for status in client.build_statuses.list("api", commit)] == ["nightly"]
