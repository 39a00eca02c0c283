"""A task reads its connection once, however many clients with different retries it needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator
from airflow_provider_bitbucket.operators.metrics import BitbucketMetricsOperator
from airflow_provider_bitbucket.operators.repositories import BitbucketListRepositoriesOperator
from airflow_provider_bitbucket.sensors.pipelines import BitbucketPipelineSensor
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import run_pipelines
from tests.operators.quick import QuickPipelineOperator

TASKS: dict[str, tuple[type[Any], Mapping[str, Any]]] = {
    "extract": (BitbucketExtractOperator, {"repositories": "api", "output_path": "file://{tmp_path}/rows.parquet"}),
    "metrics": (
        BitbucketMetricsOperator,
        {"metric": "dora", "repositories": "api", "output_path": "file://{tmp_path}/dora.parquet"},
    ),
    "list": (BitbucketListRepositoriesOperator, {}),
    "failed pipeline": (
        QuickPipelineOperator,
        {"repository": "api", "branch": "main", "poll_interval": 0.02},
    ),
    "sensor of a failed pipeline": (BitbucketPipelineSensor, {"repository": "api", "pipeline": 1, "poke_interval": 0}),
}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_reads_its_connection_once(
    task: str,
    bitbucket_emulator: BitbucketEmulator,
    connect: Callable[..., None],
    run_task: Callable[..., Any],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failing = [{"steps": [{"name": "Build", "seconds": 1, "result": "FAILED"}]}]
    run_pipelines(bitbucket_emulator, *failing)
    bitbucket_emulator.script("api", "default", steps=failing[0]["steps"])
    bitbucket_emulator.clock(speed=1000)
    fields = json.loads(connection_json(bitbucket_emulator))
    connect(json.dumps({**fields, "extra": {**fields["extra"], "colour": "red"}}))  # named in a warning by every read
    cls, parameters = TASKS[task]
    shown = {name: value.format(tmp_path=tmp_path) if name == "output_path" else value for name, value in parameters.items()}
    run = run_task(cls, **shown)
    assert run.state == ("failed" if "failed" in task else "success"), run.log
    assert caplog.text.count("unknown extra fields 'colour' are ignored") == 1
