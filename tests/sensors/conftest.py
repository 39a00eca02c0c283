"""Sensors run by a real Airflow against the emulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.airflow_home import TaskRun
from tests.triggers.quick import quick_sensor

Sense = Callable[..., TaskRun]


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """The emulator, with ``bitbucket_default`` leading to it."""
    connect(connection_json(bitbucket_emulator))
    return bitbucket_emulator


@pytest.fixture
def run_sensor(run_task: Callable[..., TaskRun], bitbucket: BitbucketEmulator) -> Sense:
    """Run a sensor in a DAG, for ``api`` by default; waits take milliseconds."""

    def run(sensor: type, **parameters: Any) -> TaskRun:
        return run_task(quick_sensor(sensor), **{"repository": "api", "poke_interval": 0.1, "timeout": 30, **parameters})

    return run
