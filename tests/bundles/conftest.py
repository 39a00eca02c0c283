"""A repository with a DAG, served by the emulator, and a bundle that reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitbucket.bundles.bitbucket import BitbucketDagBundle
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.git_directory import GitDirectory

Bundle = Callable[..., BitbucketDagBundle]


@pytest.fixture
def origin(bitbucket_emulator: BitbucketEmulator, tmp_path: Path) -> GitDirectory:
    """The repository ``acme/api`` with the DAG ``hello`` in ``dags/``."""
    (tmp_path / "origin").mkdir()
    directory = GitDirectory(tmp_path / "origin")
    directory.commit(dags__hello_py="from airflow.sdk import DAG\nDAG('hello', schedule=None)\n", readme_py="")
    bitbucket_emulator.serve_git("acme/api", directory.path / ".git")
    return directory


@pytest.fixture
def storage(airflow_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory in which Airflow keeps bundles."""
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(tmp_path / "bundles"))
    return tmp_path / "bundles"


@pytest.fixture
def bundle(origin: GitDirectory, storage: Path, bitbucket_emulator: BitbucketEmulator, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """Make a bundle of ``api`` that reads ``dags`` of ``main``, with a connection of an auth type."""

    def make(auth_type: str = "api_token", **parameters: Any) -> BitbucketDagBundle:
        monkeypatch.setenv("AIRFLOW_CONN_BITBUCKET_DEFAULT", connection_json(bitbucket_emulator, auth_type))
        return BitbucketDagBundle(**{"name": "team", "repository": "api", "tracking_ref": "main", "subdir": "dags", **parameters})

    return make
