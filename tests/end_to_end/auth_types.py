"""A real Airflow with a connection of every auth type, several users, and logins of these users through a browser."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from cryptography.fernet import Fernet

from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from demo.local_airflow import LocalAirflow

SHARED = ("api_token", "access_token", "oauth_client_credentials")
PER_USER = ("api_token_per_user", "oauth")
AUTH_TYPES = (*SHARED, *PER_USER)
#: Name of a user in Airflow -> nickname of their account on Bitbucket. nora has not connected an account.
PEOPLE = {"priya": "priya.raman", "tomas": "tomás.herrera"}
AIRFLOW_USERS = (*PEOPLE, "nora")
#: Credentials that may read pipelines but not start any.
LIMITED_CONSUMER = ("limited-key", "limited-consumer-secret")
LIMITED_LOGIN, LIMITED_TOKEN, LIMITED_ACCESS_TOKEN = "limited@example.com", "limited-api-token", "limited-access-token"
READ_ONLY = ["read:repository:bitbucket", "read:pipeline:bitbucket", "read:user:bitbucket"]
SECURED = "a-secured-variable"
#: The command for logins: the first one works on every version of Airflow, the second one from 3.2 on.
COMMAND, AIRFLOW_COMMAND = ("airflow_provider_bitbucket.cli",), ("airflow", "bitbucket")
ROOT = Path(__file__).resolve().parents[2]


def conn_id(auth_type: str, *, limited: bool = False) -> str:
    """Return the connection id of an auth type."""
    return f"{'limited' if limited else 'bitbucket'}_{auth_type}"


class Site:
    """An Airflow and a Bitbucket, with the runs that tests have started, the output of commands, and the granted codes."""

    def __init__(self, airflow: LocalAirflow, bitbucket: BitbucketEmulator) -> None:
        self.airflow = airflow
        self.bitbucket = bitbucket
        self.printed: list[str] = []
        self.codes: list[str] = []
        self.runs: dict[tuple[str, ...], tuple[str, str]] = {}

    def start(self, name: str, dag: str, auth_type: str, *, limited: bool = False, **conf: Any) -> None:
        """Trigger a DAG run as the user who is signed in, and record it under ``name``."""
        run = self.airflow.trigger(dag, {"bitbucket_conn_id": conn_id(auth_type, limited=limited), **conf})
        self.runs[name, auth_type] = dag, run

    def outcome(self, name: str, auth_type: str) -> str:
        """Wait until a run has ended and return its state."""
        return self.airflow.wait(*self.runs[name, auth_type], seconds=120)

    def wait_for_all(self) -> None:
        """Wait until all runs have ended."""
        for name, auth_type in self.runs:
            self.outcome(name, auth_type)

    def finish(self, name: str, auth_type: str, result: str) -> None:
        """Complete the pipeline of a run with a result."""
        number = self.xcom(name, auth_type, "build_number")
        self.bitbucket.control("POST", f"pipelines/acme/api/{number}/finish", {"result": result})

    def refreshes(self, nickname: str) -> int:
        """Return how often a user's login through the default consumer was renewed."""
        logins = [one for one in self.bitbucket.logins() if (one["user"], one["consumer"]) == (nickname, "demo-key")]
        return sum(int(one["refreshes"]) for one in logins)

    def trigger_log(self, name: str, auth_type: str, task: str = "run", attempt: int = 1) -> str:
        """Return the log of the triggerer for a task of a run; empty if the task was not deferred."""
        dag, run = self.runs[name, auth_type]
        folder = self.airflow.home / "logs" / f"dag_id={dag}" / f"run_id={run}" / f"task_id={task}"
        return "".join(path.read_text() for path in folder.glob(f"attempt={attempt}.log.trigger.*"))

    def state(self, name: str, auth_type: str, task: str = "run") -> str | None:
        """Return the state of a task of a run."""
        return next((one["state"] for one in self.airflow.tasks(*self.runs[name, auth_type]) if one["task_id"] == task), None)

    def log(self, name: str, auth_type: str, task: str = "run", attempt: int = 1) -> str:
        """Return the log of a task of a run."""
        return self.airflow.log(*self.runs[name, auth_type], task, attempt)

    def xcom(self, name: str, auth_type: str, key: str, task: str = "run") -> Any:
        """Return an XCom of a task of a run."""
        return self.airflow.xcom(*self.runs[name, auth_type], task, key)

    def sign_in(self, user: str) -> None:
        """Sign in as a user of Airflow for the following API requests."""
        self.airflow.sign_in(user, f"{user}-airflow-password")

    def command(self, *command: str) -> str:
        """Run a Python module in Airflow's environment and return its output."""
        done = subprocess.run(
            [sys.executable, "-m", *command], env=self.airflow.env, capture_output=True, text=True, check=False, timeout=60
        )
        self.printed.append(done.stdout + done.stderr)
        return self.printed[-1]

    def log_in(self, command: tuple[str, ...], connection: str, user: str) -> str:
        """Log in on the command line without a local browser and return the output."""
        arguments = ["login", "--conn-id", connection, "--user", user, "--no-browser"]
        process = subprocess.Popen(
            [sys.executable, "-m", *command, *arguments],
            env=self.airflow.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout
        shown = ""
        for line in process.stdout:
            shown += line
            if f"{self.bitbucket.url}/site/" in line:
                break
        rest, _ = process.communicate(self._grant(line.strip(), PEOPLE[user]) + "\n", timeout=90)
        self.printed.append(shown + rest)
        assert process.returncode == 0, self.printed[-1]
        return self.printed[-1]

    def _grant(self, address: str, nickname: str) -> str:
        """Grant access on Bitbucket's page and return the address that it redirects to."""
        sent = requests.post(address, data={"decision": "grant", "user": nickname}, allow_redirects=False, timeout=30)
        self.codes += parse_qs(urlsplit(sent.headers["Location"]).query)["code"]
        return sent.headers["Location"]

    def secrets(self) -> list[str]:
        """Return all secrets in every form in which they are sent, including revoked and used ones."""
        state = self.bitbucket.state
        pairs = [(one.key, one.secret) for one in state.consumers.values()]
        pairs += [(one.login, one.secret) for one in state.credentials if one.login]
        refresh_tokens = {token for one in state.logins for token in (one.refresh_token, *one.rotated)}
        texts = (
            {secret for _, secret in pairs} | {one.secret for one in state.credentials} | refresh_tokens | {*self.codes, SECURED}
        )
        return sorted(texts | {base64.b64encode(f"{name}:{secret}".encode()).decode() for name, secret in pairs})

    def written(self) -> dict[str, bytes]:
        """Return the content of every file below AIRFLOW_HOME: all logs and the database."""
        return {
            str(path.relative_to(self.airflow.home)): path.read_bytes() for path in self.airflow.home.rglob("*") if path.is_file()
        }

    def shown(self) -> dict[str, bytes]:
        """Return what Airflow's API, and thereby the UI, shows of runs, tasks, XComs, logs, variables and connections."""
        tasks = "/dags/~/dagRuns/~/taskInstances"
        pages = ["/dags/~/dagRuns", tasks, "/variables", "/connections", "/eventLogs", "/importErrors"]
        found = {page: self._all(page) for page in pages}
        for entry in self._all(f"{tasks}/~/xcomEntries"):
            path = "/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}".format_map(entry)
            found[path] = self.airflow.api("GET", f"{path}?map_index={entry['map_index']}")
        for task in found[tasks]:
            path = "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/logs".format_map(task)
            for attempt in range(1, (task["try_number"] or 0) + 1):
                found[f"{path}/{attempt}"] = self.airflow.api("GET", f"{path}/{attempt}?full_content=true")
        return {path: json.dumps(answer).encode() for path, answer in found.items()}

    def _all(self, path: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        while True:
            page = self.airflow.api("GET", f"{path}?limit=100&offset={len(rows)}")
            more = next(value for value in page.values() if isinstance(value, list))
            rows += more
            if not more or len(rows) >= page["total_entries"]:
                return rows


def leaks(secrets: Iterable[str], contents: dict[str, bytes]) -> list[tuple[str, str]]:
    """Return each secret that is found, with the file or API path that contains it."""
    return [(place, secret) for place, content in contents.items() for secret in secrets if secret.encode() in content]


@contextmanager
def site(bitbucket: BitbucketEmulator, home: Path) -> Iterator[Site]:
    """Start Airflow with a connection of every auth type; those of single users are added through the API."""
    bitbucket.consumer(LIMITED_CONSUMER[0], secret=LIMITED_CONSUMER[1], scopes=["account", "pipeline", "repository"])
    bitbucket.consumer(LIMITED_CONSUMER[0], callback_url="http://127.0.0.1:8910/callback")
    bitbucket.credentials("api_token", LIMITED_TOKEN, login=LIMITED_LOGIN, scopes=READ_ONLY)
    bitbucket.credentials("workspace_access_token", LIMITED_ACCESS_TOKEN, scopes=READ_ONLY, workspace="acme")
    dags = home.parent / f"{home.name}-dags"
    for folder in (ROOT / "example_dags", Path(__file__).parent / "dags"):
        copytree(folder, dags, dirs_exist_ok=True, ignore=ignore_patterns("__pycache__"))
    passwords = home.parent / f"{home.name}-passwords.json"
    passwords.write_text(json.dumps({user: f"{user}-airflow-password" for user in AIRFLOW_USERS}))
    env = {
        "AIRFLOW__CORE__FERNET_KEY": Fernet.generate_key().decode(),
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:admin" for user in AIRFLOW_USERS),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW_VAR_DEPLOY_PHRASE": SECURED,
        **{f"AIRFLOW_CONN_{conn_id(each).upper()}": connection_json(bitbucket, each) for each in AUTH_TYPES},
        **{f"AIRFLOW_CONN_{conn_id(each, limited=True).upper()}": _limited(bitbucket, each) for each in AUTH_TYPES},
    }
    with LocalAirflow(home, dags, env) as airflow:
        running = Site(airflow, bitbucket)
        running.sign_in("priya")
        tokens = {conn_id("api_token_per_user", limited=True): {"priya": (LIMITED_LOGIN, LIMITED_TOKEN)}}
        tokens[conn_id("api_token_per_user")] = {user: bitbucket.api_tokens[nickname] for user, nickname in PEOPLE.items()}
        for shared, credentials in tokens.items():
            for user, (login, token) in credentials.items():
                body = {"connection_id": f"{shared}__{user}", "conn_type": "bitbucket", "login": login, "password": token}
                airflow.api("POST", "/connections", {**body, "extra": json.dumps({"user": user})})
        yield running


def _limited(bitbucket: BitbucketEmulator, auth_type: str) -> str:
    """Return a connection whose credentials may not start pipelines."""
    fields = json.loads(connection_json(bitbucket, auth_type))
    match auth_type:
        case "api_token":
            fields |= {"login": LIMITED_LOGIN, "password": LIMITED_TOKEN}
        case "access_token":
            fields |= {"password": LIMITED_ACCESS_TOKEN}
        case "oauth" | "oauth_client_credentials":
            fields |= dict(zip(("login", "password"), LIMITED_CONSUMER, strict=True))
    return json.dumps(fields)
