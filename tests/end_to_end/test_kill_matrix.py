"""Tasks are killed at every point between requesting a pipeline and its end, and each still starts exactly one pipeline.

The emulator delays the request during which a case is killed, and the test kills the task once that request has arrived, so
that nothing depends on timing. All cases run concurrently in their own repositories. Then their workers and triggerer fail:
the scheduler is killed with them, all of them get SIGTERM, the API server is down, workers and the triggerer are suspended
until others have taken over, the triggerer is killed. Finally a user ends some tasks, which stops their pipelines.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from demo.local_airflow import LocalAirflow, wait_until

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(900)]

HELD_SECONDS = 300  # longer than any test needs; tests clear the fault
SHORT_TIMEOUTS = {  # Airflow's defaults for the detection of dead processes are minutes
    "AIRFLOW__CORE__PARALLELISM": "32",  # suspended workers keep their slots
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "8",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "1",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "3",
    "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": "3",
    # Tasks queued by a scheduler that was killed wait until another one adopts them.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
}
DEFINITION = "pipelines: {default: [{step: {name: Work, script: [make]}}]}"
LIST, GET = "/pipelines/?$", "/pipelines/[^/]+$"


@dataclass(frozen=True)
class Case:
    """A task and the time at which it is killed.

    :param name: name of the case and of its repository
    :param held: method and path of the request during which it is killed; None: it is killed only together with others
    :param faults: faults of the emulator that apply to that request
    """

    name: str
    held: tuple[str, str] | None
    faults: tuple[dict[str, Any], ...] = ()
    deferrable: bool = False

    @property
    def dag(self) -> str:
        return "once_deferrable" if self.deferrable else "once_blocking"


def held_path(case: Case) -> str:
    """Return the regular expression of the path of the held request."""
    return f"/{case.name}{case.held[1] if case.held else LIST}"


HELD = {"kind": "latency", "latency": HELD_SECONDS}
LATE = {"kind": "late_answer", "latency": HELD_SECONDS}
CASES = [
    Case("before-the-post", ("GET", LIST), (HELD,)),
    Case("during-a-post-that-takes-effect", ("POST", LIST), (HELD,)),
    Case("during-a-post-without-effect", ("POST", LIST), (HELD, {"kind": "reset"})),
    Case("after-the-post-before-the-answer", ("POST", LIST), (LATE,)),
    Case("after-the-post-deferrable", ("POST", LIST), (LATE,), deferrable=True),
    Case("while-waiting", ("GET", GET), ({**LATE, "after": 1},)),
    Case("while-deferring", ("GET", GET), (LATE,), deferrable=True),
    Case("lost-answer", None, ({"kind": "lost_answer"},)),
    Case("deferred", None, (), deferrable=True),
]
BLOCKING = [case for case in CASES if not case.deferrable]
# Actions of a user on a task that waits in a worker, as requests to Airflow's API: method, path and body.
USER_ACTIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "marked-failed": ("PATCH", "/dagRuns/{run}/taskInstances/run", {"new_state": "failed"}),
    "marked-success": ("PATCH", "/dagRuns/{run}/taskInstances/run", {"new_state": "success"}),
    "run-failed": ("PATCH", "/dagRuns/{run}", {"state": "failed"}),
    "cleared": ("POST", "/clearTaskInstances", {"dry_run": False, "only_failed": False, "task_ids": ["run"]}),
}
ENDED_BY_USER = [Case(name, None) for name in USER_ACTIONS]


@pytest.fixture(scope="module")
def bitbucket() -> Iterator[BitbucketEmulator]:
    """An emulator with a repository for each case, whose pipelines take ten hours."""
    with BitbucketEmulator("empty", speed=2) as emulator:
        client = BitbucketClient(ApiToken(*emulator.api_token), "acme", emulator.api_url)
        for case in (*CASES, *ENDED_BY_USER):
            repository = client.repository_path(case.name)
            client.post(repository, {"scm": "git"})
            client.request("POST", f"{repository}/src", data={"branch": "main", "bitbucket-pipelines.yml": DEFINITION})
            client.request("PUT", f"{repository}/pipelines_config", json={"enabled": True})
            for pipeline in client.pipelines.list(case.name):  # started by the push
                emulator.control("DELETE", f"pipelines/acme/{case.name}/{pipeline['build_number']}")
            emulator.script(case.name, "*", steps=[{"name": "Work", "seconds": 36000}])
        yield emulator


@pytest.fixture(scope="module")
def airflow(bitbucket: BitbucketEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    """A running Airflow with a connection to the emulator, which detects dead processes quickly."""
    env = {"AIRFLOW_CONN_BITBUCKET_DEFAULT": connection_json(bitbucket), **SHORT_TIMEOUTS}
    with LocalAirflow(tmp_path_factory.mktemp("airflow"), Path(__file__).parent / "dags", env) as running:
        yield running


class Matrix:
    """All cases in one Airflow."""

    def __init__(self, airflow: LocalAirflow, bitbucket: BitbucketEmulator) -> None:
        self.airflow = airflow
        self.bitbucket = bitbucket
        self.client = BitbucketClient(ApiToken(*bitbucket.api_token), "acme", bitbucket.api_url)
        self.runs: dict[str, str] = {}
        self.killed: dict[str, int] = {}  # name of a case -> number of its last killed attempt

    def begin(self, case: Case) -> None:
        """Set the faults of a case and start its DAG run."""
        method, _ = case.held or ("POST", "")
        for number, fault in enumerate(case.faults):
            # Clearing the first fault by its path must keep the second one, whose path is therefore written differently.
            self.bitbucket.fault(**fault, method=method, path=held_path(case) if number == 0 else f"(?:{held_path(case)})")
        self.runs[case.name] = self.airflow.trigger(case.dag, {"repository": case.name})

    def task(self, case: Case) -> dict[str, Any]:
        """Return the task of a case from Airflow's API."""
        task: dict[str, Any] = self.airflow.tasks(case.dag, self.runs[case.name])[0]
        return task

    def kill_held_tasks(self) -> bool:
        """Kill the tasks whose request is held now and release the request; return whether all have been killed."""
        struck = {fault["path"] for fault in self.bitbucket.control("GET", "faults") if fault["struck"]}
        for case in CASES:
            if case.held and held_path(case) in struck:
                self.record_killed(case)
                os.kill(self.task(case)["pid"], signal.SIGKILL)
                self.bitbucket.clear_faults(held_path(case))
        return self.killed.keys() == {case.name for case in CASES if case.held}

    def kill_the_scheduler(self) -> None:
        """Kill the scheduler and with it every worker, and start it again."""
        self.record_killed(*BLOCKING)
        self.airflow.kill("scheduler")
        self.airflow.start("scheduler")

    def worker_processes(self) -> list[psutil.Process]:
        """Return the processes of the tasks that wait in workers, each after its supervisor."""
        tasks = [psutil.Process(self.task(case)["pid"]) for case in BLOCKING]
        return [process for task in tasks for process in (task.parent(), task) if process]

    def terminate_the_workers(self) -> None:
        """Send SIGTERM to all processes of the workers, as stopping a service or a pod does."""
        self.record_killed(*BLOCKING)
        for process in self.worker_processes():
            process.terminate()

    def stop_the_api_server_until_workers_end(self) -> None:
        """Stop the API server until every worker has ended its task because of it."""
        self.record_killed(*BLOCKING)
        pids = [self.task(case)["pid"] for case in BLOCKING]
        self.airflow.kill("api-server")
        wait_until(lambda: not any(map(psutil.pid_exists, pids)), seconds=120, what="the workers have ended their tasks")
        self.airflow.start("api-server")
        self.airflow.wait_until_up()

    def suspend_workers_and_triggerer(self) -> None:
        """Suspend workers, tasks and triggerer until others have taken over, then let them continue."""
        self.record_killed(*BLOCKING)
        deferred = [case for case in CASES if case.deferrable]
        first = self.triggerers(deferred)
        suspended = self.worker_processes()
        self.airflow.signal("triggerer", signal.SIGSTOP)
        for process in suspended:
            process.suspend()
        self.airflow.start("triggerer", "second-triggerer")
        wait_until(lambda: not first & self.triggerers(deferred), seconds=60, what="the second triggerer has taken over")
        self.wait_until_settled()
        self.airflow.signal("triggerer", signal.SIGCONT)
        for process in suspended:
            process.resume()
        wait_until(
            lambda: all("another triggerer waits" in self.log(case) for case in deferred),
            seconds=60,
            what="the first triggerer has dropped its triggers",
        )
        wait_until(
            lambda: not any(task.is_running() for task in suspended[1::2]), seconds=60, what="the suspended tasks have ended"
        )

    def triggerers(self, cases: Sequence[Case]) -> set[int]:
        """Return the ids of the triggerers that run the triggers of some cases."""
        return {self.task(case)["triggerer_job"]["id"] for case in cases}

    def end_by_user(self, case: Case) -> None:
        """End the task of a case as a user does."""
        method, path, body = USER_ACTIONS[case.name]
        run = self.runs[case.name]
        self.airflow.api(
            method, f"/dags/{case.dag}{path.format(run=run)}", {**body, **({"dag_run_id": run} if case.name == "cleared" else {})}
        )

    def log(self, case: Case, number: int | None = None) -> str:
        """Return the log of an attempt of a task, by default of all attempts; empty if an attempt has written none."""
        numbers = [number] if number else range(1, self.task(case)["try_number"] + 1)
        logs = []
        for attempt in numbers:
            with suppress(RuntimeError):
                logs.append(self.airflow.log(case.dag, self.runs[case.name], "run", attempt))
        return "\n".join(logs)

    def record_killed(self, *cases: Case) -> None:
        """Record the attempts in which the tasks of some cases are killed."""
        for case in cases:
            self.killed[case.name] = self.task(case)["try_number"]

    def wait_until_settled(self, cases: Sequence[Case] = CASES) -> None:
        """Wait until tasks wait for their pipelines in an attempt after the killed one."""
        try:
            wait_until(lambda: all(map(self.settled, cases)), seconds=180, what="all tasks wait", every=1)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.states()}") from None

    def settled(self, case: Case) -> bool:
        """Return whether a task waits for its pipeline in an attempt after the killed one."""
        task = self.task(case)
        if task["state"] != ("deferred" if case.deferrable else "running"):
            return False
        if task["try_number"] <= self.killed.get(case.name, 0):
            return False
        return "Pipeline #" in self.log(case, task["try_number"])  # an XCom may be that of an earlier attempt

    def states(self) -> str:
        """Return the states of all tasks, for the message of a failure."""
        tasks = {case.name: self.task(case) for case in CASES}
        return ", ".join(f"{name}: {task['state']} in attempt {task['try_number']}" for name, task in tasks.items())

    def pipelines(self, case: Case) -> list[Any]:
        return [*self.client.pipelines.list(case.name)]


@pytest.fixture(scope="module")
def matrix(airflow: LocalAirflow, bitbucket: BitbucketEmulator) -> Matrix:
    """All cases after every kill, waiting for their pipelines again."""
    matrix = Matrix(airflow, bitbucket)
    for case in CASES:
        matrix.begin(case)
    wait_until(matrix.kill_held_tasks, seconds=90, what="all tasks were killed", every=0.2)
    matrix.wait_until_settled()
    for fail in (
        matrix.kill_the_scheduler,
        matrix.terminate_the_workers,
        matrix.stop_the_api_server_until_workers_end,
        matrix.suspend_workers_and_triggerer,
    ):
        fail()
        matrix.wait_until_settled()
    for triggerer in ("triggerer", "second-triggerer"):
        airflow.kill(triggerer)
    airflow.start("triggerer")
    for case in ENDED_BY_USER:
        matrix.begin(case)
    matrix.wait_until_settled(ENDED_BY_USER)
    for case in ENDED_BY_USER:
        matrix.end_by_user(case)
    return matrix


@pytest.mark.parametrize("case", ENDED_BY_USER, ids=lambda case: case.name)
def test_ending_a_task_as_a_user_stops_its_pipeline(matrix: Matrix, bitbucket: BitbucketEmulator, case: Case) -> None:
    number = min(pipeline["build_number"] for pipeline in matrix.pipelines(case))  # a cleared task starts another pipeline
    path = f"pipelines/acme/{case.name}/{number}"
    wait_until(
        lambda: bitbucket.control("GET", path)["result"] == "STOPPED",
        seconds=60,
        what=f"the pipeline is stopped:\n{matrix.log(case)}",
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_exactly_one_pipeline_is_started_whatever_is_killed(matrix: Matrix, bitbucket: BitbucketEmulator, case: Case) -> None:
    assert len(matrix.pipelines(case)) == 1, matrix.log(case)
    number = matrix.pipelines(case)[0]["build_number"]
    bitbucket.control("POST", f"pipelines/acme/{case.name}/{number}/finish", {"result": "SUCCESSFUL"})
    state = matrix.airflow.wait(case.dag, matrix.runs[case.name], seconds=60)

    assert len(matrix.pipelines(case)) == 1, matrix.log(case)
    assert state == "success", matrix.log(case)
