"""The operator in a DAG of its own, against the emulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitbucket.client.transport import budget
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
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
def eager_budget(bitbucket: BitbucketEmulator) -> None:
    """Let the request budget of ``bitbucket_default`` probe milliseconds after a 429 instead of minutes."""
    BitbucketHook().get_conn()
    for key, known in budget._budgets.items():
        budget._budgets[key] = budget.RateBudget(known.name, clock=key[2], first_probe_seconds=0.02)


@pytest.fixture
def trigger(run_task: Callable[..., TaskRun]) -> Trigger:
    """Run the operator in a DAG, on ``main`` of ``api`` by default; waits take milliseconds."""

    def run(**parameters: Any) -> TaskRun:
        target = {} if {"branch", "tag", "commit", "pull_request"} & set(parameters) else {"branch": "main"}
        return run_task(QuickPipelineOperator, **{"repository": "api", "poll_interval": 0.02, **target, **parameters})

    return run
