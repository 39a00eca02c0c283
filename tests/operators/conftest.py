"""The operator in a DAG of its own, against the emulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.airflow_home import TaskRun
from tests.operators.quick import QuickPipelineOperator
from tests.operators.waiting import Trigger


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """The emulator, with ``bitbucket_default`` leading to it."""
    connect(connection_json(bitbucket_emulator))
    return bitbucket_emulator


@pytest.fixture
def trigger(run_task: Callable[..., TaskRun], monkeypatch: pytest.MonkeyPatch) -> Trigger:
    """Run the operator in a DAG, on ``main`` of ``api`` unless told otherwise; waits in milliseconds."""
    monkeypatch.setattr("airflow_provider_bitbucket.triggers.waiting.FIRST_LOOK_SECONDS", 0)
    monkeypatch.setattr("airflow_provider_bitbucket.client.transport.budget._FIRST_TRY", 0.02)

    def run(**parameters: Any) -> TaskRun:
        target = {} if {"branch", "tag", "commit", "pull_request"} & set(parameters) else {"branch": "main"}
        return run_task(QuickPipelineOperator, **{"repository": "api", "poll_interval": 0.02, **target, **parameters})

    return run
