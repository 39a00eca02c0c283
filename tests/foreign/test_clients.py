"""Clients of other projects work with the emulator, as real programs in separate processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator

HERE = Path(__file__).parent
NODE = shutil.which("node") and shutil.which("npm")


def run(*command: str) -> dict[str, Any]:
    """Run a program and return the JSON in the last line of its output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def test_atlassian_python_api_works_on_a_repository(bitbucket_emulator: BitbucketEmulator) -> None:
    pytest.importorskip("atlassian", reason="atlassian-python-api is not installed")
    result = run(sys.executable, str(HERE / "atlassian_client.py"), bitbucket_emulator.url, *bitbucket_emulator.api_token)
    assert result == {
        "workspace": "Acme",
        "members": ["dana.demo", "robin.reviewer", "alex.author"],
        "projects": ["ACME"],
        "repositories": ["api"],
        "open": ["Add a page"],
        "comments": ["Why?"],
        "tasks": ["Explain it"],
        "changed": ["docs/page.md"],
        "commits": ["Edited online with Bitbucket"],
        "merged": True,
        "participants": [True],
        "build": "ci",
        "file": "# Page\n",
        "pipelines": result["pipelines"],
        "started": max(result["pipelines"]),
        "steps": result["steps"],
        "environments": [],
        "hooks": [],
    }


@pytest.fixture(scope="module")
def node_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of ``tests/foreign/node`` with its packages installed."""
    if not NODE:
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "client.js"):
        shutil.copy(HERE / "node" / name, folder)
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return folder / "client.js"


def test_the_npm_package_bitbucket_works_on_a_repository(bitbucket_emulator: BitbucketEmulator, node_program: Path) -> None:
    result = run("node", str(node_program), bitbucket_emulator.api_url, *bitbucket_emulator.api_token)
    assert result == {
        "repositories": ["api"],
        "changed": ["docs/page.md"],
        "activity": ["approval", "comment", "update", "update"],
        "state": "MERGED",
        "commits": 5,
        "file": "# Page\n",
        "pipeline": result["pipeline"],
        "refused": 404,
    }
