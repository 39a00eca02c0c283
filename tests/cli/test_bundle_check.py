"""``airflow bitbucket bundle check`` reports why a DAG bundle does not load."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitbucket.cli.__main__ import main
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.git_directory import GitDirectory

Check = Callable[..., str]


@pytest.fixture
def check(
    airflow_home: Path,
    connect: Callable[..., None],
    bitbucket_emulator: BitbucketEmulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Check:
    """Configure the bundle ``team``, run the command and return its output, or the message that it ends with."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    connect(connection_json(bitbucket_emulator))
    (tmp_path / "origin").mkdir()
    origin = GitDirectory(tmp_path / "origin")
    origin.commit(dags__hello_py="")
    bitbucket_emulator.serve_git("acme/api", origin.path / ".git")

    def run(*arguments: str, **parameters: Any) -> str:
        bundle = {
            "name": "team",
            "classpath": "airflow_provider_bitbucket.bundles.bitbucket.BitbucketDagBundle",
            "kwargs": {"repository": "api", "tracking_ref": "main", "subdir": "dags", **parameters},
        }
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST", json.dumps([bundle]))
        capsys.readouterr()
        try:
            main(("bundle", "check", *arguments))
        except SystemExit as end:
            return str(end)
        return capsys.readouterr().out

    return run


def test_a_bundle_that_loads_is_shown_with_its_commit_and_files(check: Check) -> None:
    output = check()
    assert "may read acme/api" in output
    assert "1 Python files below dags; it loads" in output


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"repository": "missing"}, "acme/missing is not visible to connection 'bitbucket_default'"),
        ({"repository": "https://github.com/acme/api"}, "expected 'repository', 'workspace/repository' or a clone URL"),
        ({"tracking_ref": "nowhere"}, "nowhere"),
        ({"subdir": "elsewhere"}, "there is no directory 'elsewhere' in acme/api at main"),
        ({"bitbucket_conn_id": "unknown"}, "unknown"),
    ],
    ids=["repository", "host", "ref", "directory", "connection"],
)
def test_a_bundle_that_does_not_load_is_explained(check: Check, parameters: dict[str, str], reason: str) -> None:
    assert reason in check(**parameters)


def test_a_credential_that_bitbucket_refuses_is_explained(check: Check, bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.revoke(bitbucket_emulator.api_token[1])
    assert "Invalid credentials" in check()


def test_a_name_that_is_not_configured_is_answered_with_those_that_are(check: Check) -> None:
    assert check("--name", "other") == "No Bitbucket bundle 'other' is configured; there are: team"


def test_the_configuration_of_the_docs_loads(check: Check, bitbucket_emulator: BitbucketEmulator) -> None:
    page = (Path(__file__).parents[2] / "docs/dag_bundle.md").read_text()
    (export,) = re.findall(r"^(export AIRFLOW__DAG_PROCESSOR__.*?'$)", page, re.MULTILINE | re.DOTALL)
    script = f'{export}\nprintf %s "$AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"'
    configured = json.loads(subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout)
    assert configured[0]["classpath"] == "airflow_provider_bitbucket.bundles.bitbucket.BitbucketDagBundle"
    output = check(**{**configured[0]["kwargs"], "repository": "acme/api"})
    assert "it loads" in output
