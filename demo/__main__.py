"""``make demo`` and ``make demo-ui``: the main job on the embedded Bitbucket, by a real Airflow, then what happened."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from demo.local_airflow import LocalAirflow

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "demo-output"
SPEED = 10  # emulated seconds a second: a pipeline of half a minute takes three
DEPLOY, TRIGGER, TIMES, RELEASE, REPORT, TO_SQL, KEEP_LOGINS = (
    "example_bitbucket_deploy",
    "example_bitbucket_trigger_pipeline",
    "example_bitbucket_pull_request_report",
    "example_bitbucket_release",
    "example_bitbucket_report",
    "example_bitbucket_to_sql",
    "example_bitbucket_keep_logins",
)
CALLBACK_URL = "http://127.0.0.1:8910/callback"

console = Console(width=120)


def main() -> int:
    """Run the demo and return the exit code: 0 when every DAG run succeeded."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--ui", action="store_true", help="start everything, print the address, stay until Ctrl-C")
    ui = parser.parse_args().ui
    for number in (signal.SIGINT, signal.SIGTERM):  # a kill cleans up like Ctrl-C, which a background job would ignore
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="bitbucket-demo-") as home, BitbucketEmulator(seed="demo", speed=SPEED) as bitbucket:
        say(f"An embedded Bitbucket answers at {bitbucket.url} (workspace {bitbucket.workspace}).")
        say("Starting Airflow: scheduler, DAG processor, triggerer and API server ...")
        with LocalAirflow(Path(home), ROOT / "example_dags") as airflow:
            say(f"Airflow is up at {airflow.url}.")
            add_connections(airflow, bitbucket)
            return stay(airflow, bitbucket) if ui else run_dags(airflow, bitbucket)


def add_connections(airflow: LocalAirflow, bitbucket: BitbucketEmulator) -> None:
    """Add the connections of the example DAGs to Airflow's database, where the UI shows them, and log a user in."""
    bitbucket.consumer(callback_url=CALLBACK_URL)
    warehouse = {"conn_type": "sqlite", "host": f"{airflow.home}/warehouse.db"}
    connections = {
        "bitbucket_default": json.loads(connection_json(bitbucket)),
        "bitbucket_oauth": json.loads(connection_json(bitbucket, "oauth", callback_url=CALLBACK_URL)),
        "warehouse": warehouse,
    }
    for conn_id, fields in connections.items():
        # Port 0: the test button of Airflow 3.3.2 sends port 0 for an empty port, which its server takes for another host.
        body = {**fields, "connection_id": conn_id, "port": 0, "extra": json.dumps(fields.get("extra", {}))}
        airflow.api("POST", "/connections", body)
    code = bitbucket.grant_access(redirect_uri=CALLBACK_URL)
    airflow.run("bitbucket", "login", "--conn-id", "bitbucket_oauth", "--user", "dana", "--no-browser", answer=f"{code}\n")


def run_dags(airflow: LocalAirflow, bitbucket: BitbucketEmulator) -> int:
    """Run the example DAGs side by side, then show what they did on both sides."""
    OUTPUT.mkdir(exist_ok=True)
    bitbucket.reset_requests()
    runs = {
        DEPLOY: airflow.trigger(DEPLOY),
        TRIGGER: airflow.trigger(TRIGGER),
        TIMES: airflow.trigger(TIMES, {"output": OUTPUT.as_uri()}),
        RELEASE: airflow.trigger(RELEASE),
        REPORT: airflow.trigger(REPORT, {"output": str(OUTPUT)}),
        TO_SQL: airflow.trigger(TO_SQL),
        KEEP_LOGINS: airflow.trigger(KEEP_LOGINS),
    }
    say(f"{len(runs)} DAG runs started; waiting for them ...")
    states = {dag: airflow.wait(dag, run, seconds=600) for dag, run in runs.items()}
    show_tasks(airflow, runs)
    for dag, state in states.items():
        if state != "success":
            show_failures(airflow, dag, runs[dag])
    if states[TRIGGER] == "success":
        show_pipeline(bitbucket, airflow.xcom(TRIGGER, runs[TRIGGER], "deploy"))
    if states[TIMES] == "success":
        show_metrics()
    if states[REPORT] == "success":
        show_report(airflow.xcom(REPORT, runs[REPORT], "report"))
    if states[TO_SQL] == "success":
        say(
            f"wrote {airflow.xcom(TO_SQL, runs[TO_SQL], 'publish')} pull requests to table bitbucket_pull_requests of 'warehouse'"
        )
    show_requests(bitbucket)
    return 0 if set(states.values()) == {"success"} else 1


def stay(airflow: LocalAirflow, bitbucket: BitbucketEmulator) -> int:
    """Print the addresses and keep everything running until Ctrl-C."""
    say(f"\nOpen     {airflow.url}  (no login)")
    say(f"DAGs     {airflow.url}/dags - press play on one that starts with 'example_bitbucket'")
    say(f"Form     {airflow.url}/connections - open 'bitbucket_default', use its test button, or add another")
    say(f"Bitbucket {bitbucket.url}  (login demo@example.com, API token demo-api-token)")
    say("Ctrl-C stops everything.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        say("Stopping ...")
    return 0


def show_tasks(airflow: LocalAirflow, runs: dict[str, str]) -> None:
    """Print every task of the runs with its state and duration."""
    table = Table("DAG", "task", "state", "seconds", title="What Airflow ran")
    for dag, run in runs.items():
        for task in airflow.tasks(dag, run):
            state = task["state"] or "none"
            colour = {"success": "green", "skipped": "cyan"}.get(state, "red")
            table.add_row(dag, task["task_id"], f"[{colour}]{state}[/]", f"{task['duration'] or 0:.1f}")
    console.print(table)


def show_failures(airflow: LocalAirflow, dag: str, run: str) -> None:
    """Print the end of the log of every task that failed."""
    for task in airflow.tasks(dag, run):
        if task["state"] == "failed":
            console.rule(f"{dag}.{task['task_id']} failed")
            print(airflow.log(dag, run, task["task_id"], task["try_number"])[-4000:])


def show_pipeline(bitbucket: BitbucketEmulator, summary: dict[str, Any]) -> None:
    """Print the deferred pipeline with its steps, as Bitbucket reports them."""
    client = BitbucketClient(
        ApiToken("demo@example.com", "demo-api-token"), workspace=bitbucket.workspace, base_url=bitbucket.api_url
    )
    table = Table("step", "result", "seconds", title=f"Pipeline #{summary['build_number']}: {summary['status']}")
    for step in client.pipelines.steps("api", summary["uuid"]):
        result = step["state"].get("result", {}).get("name", step["state"]["name"])
        table.add_row(step.get("name", "-"), result, str(step.get("duration_in_seconds", "-")))
    console.print(table)
    say(summary["url"])


def show_metrics() -> None:
    """Print the summary that the report DAG wrote: medians by repository, over all weeks."""
    import pandas as pd

    times = pd.read_parquet(OUTPUT / "pull_request_times.parquet")
    parts = ["pickup", "review", "merge", "total"]
    table = Table("repository", "merged", *(f"{part}, median h" for part in parts), title="Pull requests of the last 13 weeks")
    for repository, rows in times[times["state"] == "MERGED"].groupby("repository", observed=True):
        medians = (rows[f"{part}_seconds"].median() / 3600 for part in parts)
        table.add_row(str(repository), str(len(rows)), *(f"{hours:.1f}" for hours in medians))
    table.caption = "by week: demo-output/summary.parquet"
    console.print(table)
    for file in sorted(OUTPUT.glob("*.parquet")):
        say(f"wrote {file.relative_to(ROOT)} ({len(pd.read_parquet(file)):,} rows, {file.stat().st_size:,} bytes)")


def show_report(written: dict[str, Any]) -> None:
    """Print the headline of the report, and where its page is."""
    for tile in written["headline"].values():
        say(f"  {tile['text']}")
    say(f"wrote {Path(written['path']).as_uri()} - open it in a browser")


def show_requests(bitbucket: BitbucketEmulator) -> None:
    """Print what all of it cost of Bitbucket's hourly budget."""
    counts = bitbucket.requests()
    table = Table("request", "times", title=f"{sum(counts.values())} requests of 1,000 an hour")
    for route, times in sorted(counts.items(), key=lambda item: -item[1]):
        table.add_row(route, str(times))
    console.print(table)


def say(text: str) -> None:
    """Print a line at once, without colours or wrapping."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
