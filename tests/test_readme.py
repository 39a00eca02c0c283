"""Every code block of the README works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def block(language: str, word: str) -> str:
    """Return the only block in a language that contains a word."""
    found = [text for kind, text in BLOCKS if kind == language and word in text]
    assert len(found) == 1, f"{len(found)} {language} blocks with {word!r}"
    return found[0]


def test_every_block_has_a_test() -> None:
    assert [kind for kind, _ in BLOCKS] == ["sh", "sh", "sh", "python", "python", "python", "python"]


def test_the_make_targets_exist() -> None:
    """CI runs the targets themselves."""
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\S+)", block("sh", "make demo"), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_package_name_is_that_of_the_distribution() -> None:
    name = block("sh", "pip install").split()[-1]
    assert f'name = "{name}"' in (ROOT / "pyproject.toml").read_text()


def test_the_environment_variable_defines_a_connection(
    bitbucket_emulator: BitbucketEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = block("sh", "AIRFLOW_CONN").replace("you@example.com", "demo@example.com").replace("<API token>", "demo-api-token")
    shell = subprocess.run(
        ["sh", "-c", f'{text}\nprintf %s "$AIRFLOW_CONN_BITBUCKET_DEFAULT"'], capture_output=True, text=True, check=True
    )
    connection = {**json.loads(shell.stdout), "host": bitbucket_emulator.api_url}
    monkeypatch.setenv("AIRFLOW_CONN_BITBUCKET_DEFAULT", json.dumps(connection))
    from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook

    works, message = BitbucketHook().test_connection()
    assert works, message


@pytest.mark.airflow
def test_the_first_dag_succeeds(
    run_dag: Callable[[Any], Any], connect: Callable[..., None], bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.clock(speed=100)
    connect(connection_json(bitbucket_emulator))
    names: dict[str, Any] = {"__name__": "first_dag"}
    source = block("python", "release_and_measure").replace("\nrelease_and_measure()\n", "\nTHE_DAG = release_and_measure()\n")
    source = source.replace("deferrable=True,", "deferrable=True, poll_interval=1,")  # shortens the test
    exec(compile(source, "README.md", "exec"), names)  # noqa: S102 - the README is part of this project
    assert run_dag(names["THE_DAG"]).state == "success"


def test_the_client_works_without_airflow(bitbucket_emulator: BitbucketEmulator, tmp_path: Path) -> None:
    source = block("python", "ApiToken").replace("you@example.com", "demo@example.com").replace("<API token>", "demo-api-token")
    source = source.replace('workspace="acme"', f'workspace="acme", base_url="{bitbucket_emulator.api_url}"')
    source += "\nimport sys\nassert not {'airflow', 'pandas'} & set(sys.modules)\n"
    bitbucket_emulator.control("POST", "pullrequests/acme/api", {"title": "Add the thing", "author": "alex.author"})
    script = tmp_path / "client.py"
    script.write_text(source)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "1 Add the thing"


def test_the_test_of_a_dag_passes(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(block("python", "pytest_plugins"))
    (tmp_path / "test_deploy.py").write_text(block("python", "bitbucket_default"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert "1 passed" in done.stdout, done.stdout
