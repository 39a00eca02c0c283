"""Cold start and refresh of a DAG bundle, beside Airflow's git bundle with a git connection, on the same repository.

Both read the same git server of the emulator; each round starts with an empty directory. The ratio of medians is the figure,
since machines are noisy: what our bundle adds is reading the connection and, for OAuth client credentials, a token request.

``python benchmarks/dag_bundle.py [rounds] [files]``
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bitbucket_cloud_emulator import BitbucketEmulator

AUTH_TYPES = ("access_token", "oauth_client_credentials")


def make_origin(directory: Path, files: int) -> None:
    """Make a repository with a number of DAG files."""
    (directory / "dags").mkdir(parents=True)
    for number in range(files):
        (directory / f"dags/dag_{number}.py").write_text(f"NUMBER = {number}\n" * 50)
    identity = ["-c", "user.name=Dana Demo", "-c", "user.email=dana@example.com"]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Add DAGs"]):
        subprocess.run(["git", *identity, *command], cwd=directory, check=True)


def seconds(make: Callable[[], Any]) -> tuple[float, float]:
    """Return the seconds of a cold start and of a refresh of a new bundle."""
    with tempfile.TemporaryDirectory() as storage:
        os.environ["AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH"] = storage
        started = time.perf_counter()
        bundle = make()
        bundle.initialize()
        initialized = time.perf_counter()
        bundle.refresh()
        return initialized - started, time.perf_counter() - initialized


def main(rounds: int = 5, files: int = 300) -> None:
    """Print the medians and their ratios."""
    from airflow.providers.git.bundles.git import GitDagBundle

    from airflow_provider_bitbucket.bundles.bitbucket import BitbucketDagBundle
    from airflow_provider_bitbucket.testing import connection_json

    with tempfile.TemporaryDirectory() as home, BitbucketEmulator("empty") as emulator:
        os.environ["AIRFLOW_HOME"] = home
        origin = Path(home) / "origin"
        make_origin(origin, files)
        url = emulator.serve_git("acme/api", origin / ".git")
        git = {"conn_type": "git", "host": url, "login": "x-token-auth", "password": emulator.access_token}
        os.environ["AIRFLOW_CONN_GIT_DEFAULT"] = json.dumps(git)
        for auth_type in AUTH_TYPES:
            os.environ[f"AIRFLOW_CONN_{auth_type.upper()}"] = connection_json(emulator, auth_type)
        makers: dict[str, Callable[[], Any]] = {"git bundle": lambda: GitDagBundle(name="git", tracking_ref="main")} | {
            auth_type: lambda auth_type=auth_type: BitbucketDagBundle(
                name=auth_type, repository="api", tracking_ref="main", bitbucket_conn_id=auth_type
            )
            for auth_type in AUTH_TYPES
        }
        measured: dict[str, list[tuple[float, float]]] = {name: [] for name in makers}
        for _ in range(rounds):
            for name, make in makers.items():
                measured[name].append(seconds(make))
    plain = [statistics.median(column) for column in zip(*measured["git bundle"], strict=True)]
    print(f"{files} files, {rounds} rounds         cold start        refresh")
    for name, values in measured.items():
        cold, refresh = (statistics.median(column) for column in zip(*values, strict=True))
        print(f"{name:26} {cold:6.2f} s x{cold / plain[0]:.2f}   {refresh:6.2f} s x{refresh / plain[1]:.2f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
