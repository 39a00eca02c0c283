"""A real Airflow for an hour: scheduler, triggerer, DAG processor and API server in a home of their own, on free ports.

The demo and the end-to-end tests both use it, through Airflow's public REST API only.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
FINISHED = ("success", "failed")


def free_port() -> int:
    """Return a free TCP port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(done: Callable[[], Any], *, seconds: float, what: str, every: float = 0.5) -> Any:
    """Call ``done`` until it returns something true and return that.

    :raises TimeoutError: says what was waited for, after ``seconds``
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := done():
            return result
        time.sleep(every)
    raise TimeoutError(f"{what}: not so after {seconds:.0f} s")


class LocalAirflow:
    """An Airflow of its own, as a context manager.

    :param home: AIRFLOW_HOME: database, configuration and logs go there
    :param dags: folder with the DAG files
    :param env: further environment variables, connections above all (``AIRFLOW_CONN_BITBUCKET_DEFAULT``)
    """

    def __init__(self, home: Path, dags: Path, env: dict[str, str] | None = None) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._token = ""
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")},
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
            "AIRFLOW__API__SECRET_KEY": secrets.token_urlsafe(48),
            # Writers wait for one another, on a busy machine for longer than SQLite's default of 5 seconds. The wait needs a
            # limit, because the API server can wait for itself (see _call).
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db?timeout=15",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
            # DAG files do not change here; to parse all of them every 30 seconds takes half a core.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
            "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",  # only what is asked for runs
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            **(env or {}),
        }

    def __enter__(self) -> LocalAirflow:
        self.home.mkdir(parents=True, exist_ok=True)
        self.run("db", "migrate")
        try:
            for component in COMPONENTS:
                self.start(component)
            self.wait_until_up()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, *arguments: str, answer: str | None = None) -> str:
        """Run an ``airflow`` command and return its output.

        :param answer: text for the question that the command asks
        :raises RuntimeError: with the end of its output, when it fails
        """
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *arguments],
            env=self.env,
            input=answer,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"airflow {' '.join(arguments)} failed:\n{(done.stdout + done.stderr)[-3000:]}")
        return done.stdout

    def start(self, component: str, name: str = "") -> None:
        """Start one component; its output goes to ``<home>/<name>.out``.

        :param name: how it is called here; default: as the component. A second triggerer needs another name.
        """
        name = name or component
        arguments = ["--host", "127.0.0.1", "--port", str(self.port), "--workers", "1"] if component == "api-server" else []
        ports = {"AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port())} if name != component else {}
        with (self.home / f"{name}.out").open("ab") as output:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "airflow", component, *arguments],
                env={**self.env, **ports},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, component: str, signum: int = signal.SIGKILL) -> None:
        """Send a signal to a component and all its children, and wait until it is gone."""
        process = self.processes[component]
        _signal_all(process, signum)
        process.wait(timeout=30)
        del self.processes[component]  # not before, so that stop() ends one that does not go

    def signal(self, component: str, signum: int) -> None:
        """Send a signal to a component and all its children."""
        _signal_all(self.processes[component], signum)

    def wait_until_up(self) -> None:
        """Wait until every component reports that it is healthy.

        :raises RuntimeError: one has ended
        """
        wait_until(self._healthy, seconds=120, what="Airflow is up")

    def stop(self) -> None:
        """Stop every component, politely first."""
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(timeout=8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=15)
            _signal_all(process, signal.SIGKILL)  # nothing that it started outlives it
        self.processes.clear()

    def sign_in(self, user: str, password: str) -> None:
        """Send later API calls as a user; needed if anonymous callers are not admins."""
        body = {"username": user, "password": password}
        self._token = self._call("POST", "/auth/token", body)["access_token"]

    def api(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call Airflow's public REST API (path below ``/api/v2``) and return the JSON."""
        return self._call(method, f"/api/v2{path}", body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call the API server, and repeat the call once if SQLite was locked.

        The server logs each call to the database on its event loop, and can wait there for a task's write that cannot be
        committed until the event loop continues. After SQLite's timeout one of the two fails with 500 and has no effect.
        """
        for _ in range(2):
            try:
                return self._call_once(method, path, body)
            except RuntimeError as error:
                if ": 500 " not in str(error):
                    raise
                time.sleep(1)
        return self._call_once(method, path, body)

    def _call_once(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - our own server on this machine
            f"{self.url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "Accept": "application/json",
                **({"Authorization": f"Bearer {self._token}"} if self._token else {}),
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()[:500]}") from error
        return json.loads(text) if text else None

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Start a run of a DAG and return its run id; waits until the DAG file has been parsed."""
        wait_until(lambda: self._knows(dag_id), seconds=90, what=f"Airflow has parsed DAG {dag_id!r}")
        return str(self.api("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf or {}})["dag_run_id"])

    def wait(self, dag_id: str, run_id: str, *, seconds: float = 180) -> str:
        """Wait for the end of a run and return its state, ``success`` or ``failed``."""

        def state() -> str | None:
            current = str(self.api("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])
            return current if current in FINISHED else None

        return str(wait_until(state, seconds=seconds, what=f"run {run_id} of {dag_id} has ended"))

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run, in the order they started."""
        found = self.api("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return sorted(found, key=lambda task: (task["start_date"] or "9", task["task_id"]))

    def xcom(self, dag_id: str, run_id: str, task_id: str, key: str = "return_value") -> Any:
        """Return an XCom of a task."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}?deserialize=false"
        return self.api("GET", path)["value"]

    def log(self, dag_id: str, run_id: str, task_id: str, attempt: int = 1) -> str:
        """Return the log of one try of a task as text, one event a line."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{attempt}?full_content=true"
        return "\n".join(_line(event) for event in self.api("GET", path)["content"])

    def _healthy(self) -> bool:
        for component, process in self.processes.items():
            if process.poll() is not None:
                tail = (self.home / f"{component}.out").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"airflow {component} ended with {process.returncode}:\n{tail}")
        try:
            health = self.api("GET", "/monitor/health")
        except (OSError, RuntimeError):
            return False
        return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "triggerer", "dag_processor"))

    def _knows(self, dag_id: str) -> bool:
        try:
            self.api("GET", f"/dags/{dag_id}")
        except RuntimeError:
            return False
        return True


def _signal_all(process: subprocess.Popen[bytes], signum: int) -> None:
    """Send a signal to a component and all that it started: workers have process groups of their own, in its session."""
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == process.pid:
                os.kill(pid, signum)


def _line(event: Any) -> str:
    """Return one event of a log as text; an exception with its message."""
    if not isinstance(event, dict):
        return str(event)
    raised = "".join(f"\n{one.get('exc_type')}: {one.get('exc_value')}" for one in event.get("error_detail") or ())
    return f"{(event.get('timestamp') or '')[:19]} {event.get('event', event)}{raised}"
