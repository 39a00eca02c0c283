"""Hundreds of deferred waits in a real Airflow, while Bitbucket misbehaves and the triggerer is killed repeatedly.

Every task has to end as its pipeline did, and there has to be one pipeline for each. Prints what happened; exits 1 otherwise.
Each task has its own custom pipeline: tasks that start the same one at the same time cannot be distinguished when answers
are lost, and correctly fail with the list of candidates. The hourly limit is raised: 500 starts alone need more.

    python -m benchmarks.soak [waits [folder]]

The folder is Airflow's home, its logs included; without one it is a temporary folder.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from demo.local_airflow import LocalAirflow

#: What pipelines do -> how their tasks have to end.
KINDS = {"goes-well": "success", "fails": "failed", "takes-long": "success"}
STEPS: dict[str, dict[str, Any]] = {
    "goes-well": {"seconds": 120},
    "takes-long": {"seconds": 400},
    "fails": {"seconds": 90, "result": "FAILED"},
}
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "rate_limit", "count": 3},
    {"kind": "server_error", "count": 5},
    {"kind": "reset", "count": 5},
    {"kind": "lost_answer", "count": 1, "method": "POST"},
    {"kind": "latency", "latency": 1.0, "count": 5},
)
#: Emulated seconds. A fault occurs every 6 real seconds and ends after 3. With 10 it was an outage: a triggerer that is killed
#: after a minute, and has no waits for its first 20 seconds, polls twice, and got no answer for minutes (measured with 500).
FAULT_SECONDS = 6
KILL_EVERY_SECONDS = 60.0


def main(waits: int, home: Path) -> None:
    """Run the soak."""
    chance = random.Random(7)  # noqa: S311 - which fault when, no secret
    with BitbucketEmulator("empty", speed=2) as bitbucket:
        names = [f"{chance.choice([*KINDS])}-{number}" for number in range(waits)]
        for name in names:
            bitbucket.script("api", name, steps=[{"name": "Test", **STEPS[kind_of(name)]}])
        bitbucket.settings(rate_limit=1_000_000, retry_after="seconds")
        env = {
            "AIRFLOW_CONN_BITBUCKET_DEFAULT": connection_json(bitbucket, "access_token"),
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
        }
        with LocalAirflow(home, Path(__file__).parent / "dags", env) as airflow:
            run = airflow.trigger("soak", {"pipelines": names})
            began, kills = time.monotonic(), 0
            while airflow.api("GET", f"/dags/soak/dagRuns/{run}")["state"] not in ("success", "failed"):
                bitbucket.fault(**chance.choice(FAULTS), path="/pipelines", seconds=FAULT_SECONDS)
                time.sleep(chance.uniform(2, 10))
                if time.monotonic() - began > KILL_EVERY_SECONDS * (kills + 1):
                    airflow.kill("triggerer", signal.SIGKILL)
                    airflow.start("triggerer")
                    kills += 1
                    print(f"{time.monotonic() - began:.0f} s: {dict(_states(airflow, run))}", flush=True)
            report(airflow, bitbucket, run, names, kills, time.monotonic() - began)


def kind_of(name: str) -> str:
    """What a custom pipeline does."""
    return name.rpartition("-")[0]


def _instances(airflow: LocalAirflow, run: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        path = f"/dags/soak/dagRuns/{run}/taskInstances?task_id=wait&limit=100&offset={len(found)}"
        page = airflow.api("GET", path)["task_instances"]
        found += [one for one in page if one["task_id"] == "wait"]
        if len(page) < 100:
            return found


def _states(airflow: LocalAirflow, run: str) -> Counter[str]:
    return Counter(str(one["state"]) for one in _instances(airflow, run))


def report(
    airflow: LocalAirflow,
    bitbucket: BitbucketEmulator,
    run: str,
    names: list[str],
    kills: int,
    seconds: float,
) -> None:
    """Print what came of it, and end with 1 if a task did not end as its pipeline did."""
    struck = Counter[str]()
    for fault in bitbucket.control("GET", "faults"):
        struck[fault["kind"]] += fault["struck"]
    pipelines = bitbucket.state.workspaces["acme"].repositories["api"].pipelines
    started = Counter(pipeline.target["selector"]["pattern"] for pipeline in pipelines)
    wrong = [f"{name} was started {started[name]} times" for name in names if started[name] != 1]
    for one in _instances(airflow, run):
        name = names[one["map_index"]]
        if one["state"] != KINDS[kind_of(name)]:
            wrong += [f"the task of {name}: {one['state']}", _end_of_log(airflow, run, one)]
    print(
        f"{len(names)} waits ({dict(Counter(map(kind_of, names)))}) in {seconds:.0f} s, the triggerer killed {kills} times, "
        f"requests hit by faults {dict(struck)}, of {sum(bitbucket.requests().values()):,} requests: "
        f"{'every task ended as its pipeline did, one pipeline each' if not wrong else 'not as it should be'}"
    )
    if wrong:
        raise SystemExit("\n".join(wrong))


def _end_of_log(airflow: LocalAirflow, run: str, instance: dict[str, Any]) -> str:
    path = f"/dags/soak/dagRuns/{run}/taskInstances/wait/logs/{instance['try_number']}?map_index={instance['map_index']}"
    return str(airflow.api("GET", f"{path}&full_content=true")["content"][-5:])


if __name__ == "__main__":
    asked = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temporary:
        main(int(asked[0]) if asked else 100, Path(asked[1] if len(asked) > 1 else temporary).absolute())
