"""Every Python block of the documentation runs, from the top of its page to the end."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = sorted(page for page in DOCS.rglob("*.md") if BLOCK.search(page.read_text()))

#: Names that a page uses without an import: those of the reader's own DAG file.
READERS_OWN = """
from datetime import datetime

from airflow.sdk import DAG, Asset, dag, task

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.operators.metrics import BitbucketMetricsOperator
from airflow_provider_bitbucket.operators.pipelines import BitbucketTriggerPipelineOperator
from airflow_provider_bitbucket.sensors.pipelines import BitbucketPipelineSensor
from airflow_provider_bitbucket.sensors.pull_requests import BitbucketPullRequestSensor
from bitbucket_cloud_emulator import BitbucketEmulator

hook = BitbucketHook()
"""

#: The DAG that a page tests, where it shows how to test one.
TESTED_DAGS = {
    "pipelines.md": """
with DAG("deploy", schedule=None) as my_dag:
    BitbucketTriggerPipelineOperator(
        task_id="deploy", repository="api", branch="main", custom_pipeline="deploy-staging", poll_interval=1
    )
""",
    "sensors.md": """
with DAG("merged", schedule=None, params={"pull_request": 0}) as my_dag:
    BitbucketPullRequestSensor(
        task_id="merged", repository="api", pull_request="{{ params.pull_request }}", poke_interval=1
    )
""",
}


@pytest.fixture
def bitbucket_with_history(connect: Callable[..., None]) -> Iterator[BitbucketEmulator]:
    """An emulator with three months of history, which a page may change, behind ``bitbucket_default``."""
    with BitbucketEmulator("demo", speed=0, now=NOW) as emulator:
        connect(connection_json(emulator, rate_limit="100000"))  # else a page waits for the budget of an hour
        yield emulator


@pytest.mark.airflow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_the_blocks_of_a_page_run(
    page: Path,
    bitbucket_with_history: BitbucketEmulator,
    connect: Callable[..., None],
    sync_dag: Callable[[Any], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.sdk import DAG

    monkeypatch.chdir(tmp_path)  # for files that a block writes
    names: dict[str, Any] = {"__name__": f"docs_{page.stem}"}
    exec(READERS_OWN + TESTED_DAGS.get(page.name, ""), names)  # noqa: S102 - the project's own text
    with DAG(f"docs_{page.stem}", schedule=None):
        for block in BLOCK.finditer(page.read_text()):
            line = page.read_text()[: block.start(1)].count("\n")
            exec(compile("\n" * line + block[1], str(page), "exec"), names)  # noqa: S102 - the project's own text
    for name, test in [(name, value) for name, value in names.items() if name.startswith("test_") and inspect.isfunction(value)]:
        sync_dag(names["my_dag"])
        with BitbucketEmulator("empty", speed=0, now=NOW) as emulator:
            connect(connection_json(emulator))
            assert list(inspect.signature(test).parameters) == ["bitbucket_default"], name
            test(emulator)
