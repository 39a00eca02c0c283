"""Kill at every point between asking for a pipeline and its end, in a real Airflow, and count pipelines: one each.

Bitbucket holds the request at which a case is killed, and the test kills when that request has come in, so nothing depends on
timing. All cases run side by side in their own repositories. Then the scheduler is killed with its workers, then the triggerer.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from demo.local_airflow import LocalAirflow, wait_until

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(600)]

HELD_SECONDS = 300  # until the test lets go
QUICKLY = {  # what Airflow does about the dead after minutes
    "AIRFLOW__CORE__PARALLELISM": "16",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "2",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    # What a scheduler that is dead has queued nobody looks after until another one adopts it.
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
}
DEFINITION = "pipelines: {default: [{step: {name: Work, script: [make]}}]}"
LIST, LOOK = "/pipelines/?$", "/pipelines/[^/]+$"


@dataclass(frozen=True)
class Case:
    """When a task is killed.

    :param name: also that of its repository
    :param held: method and path of the request during which it is killed; None: not by this test alone
    :param faults: what Bitbucket does to that request
    """

    name: str
    held: tuple[str, str] | None
    faults: tuple[dict[str, Any], ...] = ()
    deferrable: bool = False

    @property
    def dag(self) -> str:
        return "once_deferrable" if self.deferrable else "once_blocking"


def held_path(case: Case) -> str:
    """What the path of a held request looks like."""
    return f"/{case.name}{case.held[1] if case.held else LIST}"


HELD = {"kind": "latency", "latency": HELD_SECONDS}
LATE = {"kind": "late_answer", "latency": HELD_SECONDS}
CASES = [
    Case("before-the-post", ("GET", LIST), (HELD,)),
    Case("during-a-post-that-comes-about", ("POST", LIST), (HELD,)),
    Case("during-a-post-that-does-not", ("POST", LIST), (HELD, {"kind": "reset"})),
    Case("after-the-post-before-the-answer", ("POST", LIST), (LATE,)),
    Case("after-the-post-deferrable", ("POST", LIST), (LATE,), deferrable=True),
    Case("while-waiting", ("GET", LOOK), ({**LATE, "after": 1},)),
    Case("while-handing-over", ("GET", LOOK), (LATE,), deferrable=True),
    Case("lost-answer", None, ({"kind": "lost_answer"},)),
    Case("deferred", None, (), deferrable=True),
]


@pytest.fixture(scope="module")
def bitbucket() -> Iterator[BitbucketEmulator]:
    """A repository for each case; pipelines take an hour."""
    with BitbucketEmulator("empty", speed=2) as emulator:
        client = BitbucketClient(ApiToken(*emulator.api_token), "acme", emulator.api_url)
        for case in CASES:
            repository = client.repository_path(case.name)
            client.post(repository, {"scm": "git"})
            client.request("POST", f"{repository}/src", data={"branch": "main", "bitbucket-pipelines.yml": DEFINITION})
            client.request("PUT", f"{repository}/pipelines_config", json={"enabled": True})
            for pipeline in client.pipelines.list(case.name):  # of the push
                emulator.control("DELETE", f"pipelines/acme/{case.name}/{pipeline['build_number']}")
            emulator.script(case.name, "*", steps=[{"name": "Work", "seconds": 3600}])
        yield emulator


@pytest.fixture(scope="module")
def airflow(bitbucket: BitbucketEmulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAirflow]:
    """A running Airflow, connected, that soon notices who is dead."""
    env = {"AIRFLOW_CONN_BITBUCKET_DEFAULT": connection_json(bitbucket), **QUICKLY}
    with LocalAirflow(tmp_path_factory.mktemp("airflow"), Path(__file__).parent / "dags", env) as running:
        yield running


class Matrix:
    """All cases, in one Airflow."""

    def __init__(self, airflow: LocalAirflow, bitbucket: BitbucketEmulator) -> None:
        self.airflow = airflow
        self.bitbucket = bitbucket
        self.client = BitbucketClient(ApiToken(*bitbucket.api_token), "acme", bitbucket.api_url)
        self.runs: dict[str, str] = {}
        self.killed: dict[str, int] = {}  # case -> in which try

    def begin(self, case: Case) -> None:
        """Switch the faults of a case on and start its run."""
        method, _ = case.held or ("POST", "")
        for number, fault in enumerate(case.faults):
            # Letting go of the request clears the first fault only, by its path; the second one says the same otherwise.
            self.bitbucket.fault(**fault, method=method, path=held_path(case) if number == 0 else f"(?:{held_path(case)})")
        self.runs[case.name] = self.airflow.trigger(case.dag, {"repository": case.name})

    def task(self, case: Case) -> dict[str, Any]:
        """The task of a case, as Airflow shows it."""
        task: dict[str, Any] = self.airflow.tasks(case.dag, self.runs[case.name])[0]
        return task

    def kill_those_held(self) -> bool:
        """Kill tasks whose request Bitbucket holds just now, and let go of it; True when all have been killed."""
        struck = {fault["path"] for fault in self.bitbucket.control("GET", "faults") if fault["struck"]}
        for case in CASES:
            if case.held and held_path(case) in struck:
                self.note_killed(case)
                os.kill(self.task(case)["pid"], signal.SIGKILL)
                self.bitbucket.clear_faults(held_path(case))
        return self.killed.keys() == {case.name for case in CASES if case.held}

    def kill_the_scheduler(self) -> None:
        """Kill the scheduler, and with it every worker; start it again."""
        for case in CASES:
            if not case.deferrable:
                self.note_killed(case)
        self.airflow.kill("scheduler")
        self.airflow.start("scheduler")

    def note_killed(self, case: Case) -> None:
        """Note in which try the task of a case is killed."""
        self.killed[case.name] = self.task(case)["try_number"]

    def wait_until_settled(self) -> None:
        """Wait until all tasks wait for their pipelines, in a later try than that in which they were killed."""
        try:
            wait_until(lambda: all(map(self.settled, CASES)), seconds=180, what="all tasks wait", every=1)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; {self.states()}") from None

    def settled(self, case: Case) -> bool:
        """Whether the task knows its pipeline and waits for it, in a later try than the one that was killed."""
        task = self.task(case)
        if task["state"] != ("deferred" if case.deferrable else "running"):
            return False
        if task["try_number"] <= self.killed.get(case.name, 0):
            return False
        try:
            return bool(self.airflow.xcom(case.dag, self.runs[case.name], "run", "pipeline_uuid"))
        except RuntimeError:
            return False

    def states(self) -> str:
        """How the tasks stand, for the message of a failure."""
        tasks = {case.name: self.task(case) for case in CASES}
        return ", ".join(f"{name}: {task['state']} in try {task['try_number']}" for name, task in tasks.items())

    def pipelines(self, case: Case) -> list[Any]:
        return [*self.client.pipelines.list(case.name)]


@pytest.fixture(scope="module")
def matrix(airflow: LocalAirflow, bitbucket: BitbucketEmulator) -> Matrix:
    """All cases, killed, and gone on with."""
    matrix = Matrix(airflow, bitbucket)
    for case in CASES:
        matrix.begin(case)
    wait_until(matrix.kill_those_held, seconds=90, what="all tasks were killed", every=0.2)
    matrix.wait_until_settled()
    matrix.kill_the_scheduler()
    matrix.wait_until_settled()
    airflow.kill("triggerer")
    airflow.start("triggerer")
    bitbucket.clock(advance=4000)
    return matrix


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_pipeline_whatever_dies(matrix: Matrix, case: Case) -> None:
    run = matrix.runs[case.name]
    state = matrix.airflow.wait(case.dag, run, seconds=60)
    number = matrix.task(case)["try_number"]
    log = "\n".join(matrix.airflow.log(case.dag, run, "run", attempt) for attempt in range(1, number + 1))

    assert len(matrix.pipelines(case)) == 1, log
    assert state == "success", log
