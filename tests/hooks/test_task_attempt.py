"""What a kill of a task means for its pipeline, by what a real Airflow reports of the task."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse

from airflow_provider_bitbucket.hooks.start_record import StartRecord
from airflow_provider_bitbucket.hooks.task_attempt import KillDecision, TaskAttempt, decide_deferred

ENDED = ["failed", "success", "skipped", "upstream_failed", "removed", "restarting"]
CONTINUED = ["up_for_retry", "up_for_reschedule", "scheduled", "queued", "deferred", None]

InTask = Callable[..., Any]


@pytest.fixture
def in_task(run_dag: Callable[[DAG], Any]) -> InTask:
    """Run a function inside a task that has left its start record: ``in_task(function, retries=0, mapped=False)``."""

    def run(function: Callable[[Any], Any], *, retries: int = 0, mapped: bool = False) -> Any:
        returned: list[Any] = []
        with DAG(f"attempt_{uuid.uuid4().hex}", schedule=None) as dag:

            @task(retries=retries)
            def ask(number: int) -> None:
                context = get_current_context()
                StartRecord(context).write(uuid="{1}")
                returned.append(function(context))

            ask.expand(number=[1, 2]) if mapped else ask(1)
        assert run_dag(dag).state == "success"
        return returned[0]

    return run


@contextmanager
def instance(context: Any, **values: Any) -> Iterator[None]:
    """Change the task's own instance in Airflow's database for a while."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import update

    ti = context["ti"]
    own = TaskInstance.dag_id == ti.dag_id, TaskInstance.map_index == ti.map_index

    def change(changed: dict[str, Any]) -> None:
        with create_session() as session:
            session.execute(update(TaskInstance).where(*own).values(changed))

    change(values)
    try:
        yield
    finally:
        change({"id": ti.id, "state": "running"})


def decisions(context: Any, states: list[Any]) -> dict[Any, bool]:
    """Whether the pipeline is stopped, for each state that Airflow reports of the task."""
    stopped = {}
    for state in states:
        with instance(context, state=state):
            stopped[state] = TaskAttempt(context).decide().stop
    return stopped


@pytest.mark.parametrize("mapped", [False, True], ids=["single", "mapped"])
@pytest.mark.parametrize("retries", [0, 1])
def test_only_what_ended_the_task_stops_its_pipeline(in_task: InTask, retries: int, mapped: bool) -> None:
    stopped = in_task(lambda context: decisions(context, [*ENDED, *CONTINUED]), retries=retries, mapped=mapped)

    assert stopped == {**dict.fromkeys(ENDED, True), **dict.fromkeys(CONTINUED, False)}


@pytest.mark.parametrize("retries", [0, 1])
def test_a_running_task_leaves_its_pipeline_to_the_next_try_if_there_is_one(in_task: InTask, retries: int) -> None:
    decision = in_task(lambda context: TaskAttempt(context).decide(), retries=retries)

    assert decision.stop is (retries == 0)
    assert ("last attempt" in decision.reason) is (retries == 0)


@pytest.mark.parametrize("state", ["running", "failed", "success", "up_for_retry", None])
def test_a_try_that_a_later_one_has_replaced_leaves_the_pipeline_to_it(in_task: InTask, state: str | None) -> None:
    """Also the last attempt: a task that lost its scheduler is run again without a retry, as another instance."""

    def replaced(context: Any) -> tuple[bool, KillDecision]:
        with instance(context, id=uuid.uuid4(), state=state):
            attempt = TaskAttempt(context)
            return attempt.is_current(), attempt.decide()

    assert in_task(replaced) == (False, KillDecision(False, "A later attempt of the task has taken over."))


def test_a_clear_replaces_a_try_at_once_and_stops_its_pipeline(in_task: InTask) -> None:
    def cleared(context: Any) -> KillDecision:
        with instance(context, id=uuid.uuid4(), state="restarting"):
            return TaskAttempt(context).decide()

    assert in_task(cleared) == KillDecision(True, "Airflow reports the task as restarting.")


def test_the_pipeline_of_a_deleted_run_is_stopped(in_task: InTask) -> None:
    def deleted(context: Any) -> KillDecision:
        elsewhere = {**context, "ti": context["ti"].model_copy(update={"run_id": "no-such-run"})}
        return TaskAttempt(elsewhere).decide()

    assert in_task(deleted) == KillDecision(True, "Airflow reports the task as removed.")


class Failing:
    """The supervisor's connection when the API server does not answer as it should."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def send(self, message: Any) -> Any:
        raise self.error


@contextmanager
def failing(error: Exception) -> Iterator[None]:
    """Let every request to the API server fail."""
    from airflow.sdk.execution_time import task_runner

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(task_runner, "SUPERVISOR_COMMS", Failing(error))
        yield


@pytest.mark.parametrize("ask", [lambda context: TaskAttempt(context).decide(), lambda context: decide_deferred(context["ti"])])
def test_a_pipeline_is_left_alone_while_airflow_cannot_be_asked(in_task: InTask, ask: InTask) -> None:
    def asked(context: Any) -> KillDecision:
        with failing(ConnectionError("the API server is away")):
            decision: KillDecision = ask(context)
        return decision

    assert in_task(asked) == KillDecision(False, "Airflow did not report the state of the task: the API server is away")


@pytest.mark.parametrize(("status", "refused"), [(401, True), (403, True), (500, False), (None, False)])
def test_a_try_whose_token_expired_while_its_machine_was_suspended_is_not_the_current_one(
    in_task: InTask, status: int | None, refused: bool
) -> None:
    response = ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"status_code": status, "message": "no"})

    def asked(context: Any) -> bool | str:
        with failing(AirflowRuntimeError(response)):
            try:
                return TaskAttempt(context).is_current()
            except AirflowRuntimeError:
                return "unknown"

    assert in_task(asked) == (False if refused else "unknown")


def test_a_trigger_leaves_the_pipeline_of_a_task_that_is_still_deferred(in_task: InTask) -> None:
    def asked(context: Any) -> dict[Any, bool]:
        stopped = {}
        for state in ("deferred", "failed", "success", "skipped", None, "scheduled", "running"):
            with instance(context, state=state):
                stopped[state] = decide_deferred(context["ti"]).stop
        return stopped

    stopped = in_task(asked)
    assert not stopped.pop("deferred")
    assert all(stopped.values())
