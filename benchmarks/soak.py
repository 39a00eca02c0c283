"""Hundreds of deferred waits in a real Airflow, while Bitbucket misbehaves and the triggerer is killed again and again.

Every task has to end as its pipeline did, and there has to be one pipeline for each. Prints what happened; exits 1 otherwise.

Usage: python benchmarks/soak.py [waits]
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

from airflow_provider_bitbucket.emulator import BitbucketEmulator
from demo.local_airflow import LocalAirflow

KINDS = {"goes-well": "success", "fails": "failed", "takes-long": "success"}
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "rate_limit", "count": 3, "method": "GET"},
    {"kind": "server_error", "count": 5},
    {"kind": "reset", "count": 5},
    {"kind": "lost_answer", "count": 1, "method": "POST"},
    {"kind": "latency", "latency": 1.0, "count": 5},
)
KILL_EVERY_SECONDS = 60.0


def main(waits: int) -> None:
    """Run the soak."""
    chance = random.Random(7)  # noqa: S311 - which fault when, no secret
    with BitbucketEmulator("empty", speed=2) as bitbucket, tempfile.TemporaryDirectory() as home:
        bitbucket.script("api", "goes-well", steps=[{"name": "Test", "seconds": 120}])
        bitbucket.script("api", "takes-long", steps=[{"name": "Test", "seconds": 400}])
        bitbucket.script("api", "fails", steps=[{"name": "Test", "seconds": 90, "result": "FAILED"}])
        env = {
            "AIRFLOW_CONN_BITBUCKET_DEFAULT": bitbucket.connection_json(),
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": "64",
        }
        with LocalAirflow(Path(home), Path(__file__).parent / "dags", env) as airflow:
            kinds = [chance.choice([*KINDS]) for _ in range(waits)]
            run = airflow.trigger("soak", {"pipelines": kinds})
            began, kills, faults = time.monotonic(), 0, Counter[str]()
            while airflow.api("GET", f"/dags/soak/dagRuns/{run}")["state"] not in ("success", "failed"):
                fault = chance.choice(FAULTS)
                bitbucket.fault(**fault, path="/pipelines")
                faults[fault["kind"]] += fault["count"]
                time.sleep(chance.uniform(2, 10))
                if time.monotonic() - began > KILL_EVERY_SECONDS * (kills + 1):
                    airflow.kill("triggerer", signal.SIGKILL)
                    airflow.start("triggerer")
                    kills += 1
                    print(f"{time.monotonic() - began:.0f} s: {dict(_states(airflow, run))}", flush=True)
            report(airflow, bitbucket, run, kinds, kills, faults, time.monotonic() - began)


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
    kinds: list[str],
    kills: int,
    faults: Counter[str],
    seconds: float,
) -> None:
    """Print what came of it, and end with 1 if a task did not end as its pipeline did."""
    started = Counter(
        pipeline.target["selector"]["pattern"] for pipeline in bitbucket.state.workspaces["acme"].repositories["api"].pipelines
    )
    wrong = [
        f"task {one['map_index']} of a pipeline that {kinds[one['map_index']]}: {one['state']}"
        for one in _instances(airflow, run)
        if one["state"] != KINDS[kinds[one["map_index"]]]
    ]
    print(
        f"{len(kinds)} waits in {seconds:.0f} s, the triggerer killed {kills} times, faults {dict(faults)}: "
        f"{len(kinds) - len(wrong)} ended as they should; pipelines {dict(started)} for tasks {dict(Counter(kinds))}; "
        f"{sum(bitbucket.requests().values()):,} requests"
    )
    if wrong or started != Counter(kinds):
        raise SystemExit("\n".join(wrong) or "Not one pipeline for each task")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
