"""Reading only what changed, from one run to the next."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import Asset
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider_bitbucket.emulator import BitbucketEmulator
from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator
from tests.stories import REVIEWER, open_pull_request

Run = Callable[..., Any]
LONG_AGO = datetime.now(UTC) - timedelta(days=3)


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """Two pull requests, updated days ago, and a connection."""
    connect(bitbucket_emulator.connection_json())
    for _ in range(2):
        open_pull_request(bitbucket_emulator, opened=LONG_AGO)
    return bitbucket_emulator


def update(bitbucket: BitbucketEmulator, number: int) -> None:
    event = {"do": "comment", "user": REVIEWER, "text": "Now?", "at": datetime.now(UTC).isoformat()}
    bitbucket.control("POST", f"pullrequests/acme/api/{number}/events", {"events": [event]})


@pytest.mark.airflow
def test_each_run_reads_what_changed_since_the_last_one_that_was_written(
    bitbucket: BitbucketEmulator, run_task: Run, tmp_path: Path
):
    path = tmp_path / "prs.parquet"

    def run(name: str = "prs", **parameters: Any) -> list[int] | str:
        path.unlink(missing_ok=True)
        done = run_task(
            BitbucketExtractOperator,
            incremental=True,
            output_path=f"file://{path}",
            outlets=[Asset(name)],
            **{"repositories": "api", **parameters},
        )
        return sorted(pd.read_parquet(path)["id"]) if done.state == "success" else done.state

    assert run() == [1, 2]
    assert run() == []
    update(bitbucket, 2)
    assert run(repositories=["api", "gone"]) == "failed"
    assert run() == [2]  # what the failed run read was not written
    assert run() == [2]  # the overlap
    assert run("another") == [1, 2]
    assert run("third", since=(LONG_AGO + timedelta(days=1)).isoformat()) == [2]


class Store(dict[str, Any]):
    """A state as Airflow gives it."""

    set = dict.__setitem__


def test_a_task_that_is_cleared_writes_again_what_it_wrote(bitbucket: BitbucketEmulator, tmp_path: Path):
    asset, states = Asset("prs"), Store()

    def run(task: Store) -> int:
        context: Any = {"outlet_events": OutletEventAccessors(), "asset_state_store": {asset: states}, "task_state_store": task}
        operator = BitbucketExtractOperator(
            task_id="extract", incremental=True, output_path=f"file://{tmp_path}/prs.parquet", outlets=[asset]
        )
        rows: int = operator.execute(context)["rows"]
        return rows

    first, second = Store(), Store()
    assert [run(first), run(second), run(first), run(second)] == [2, 0, 2, 0]


def test_a_skipped_repository_is_read_from_where_it_was_when_it_can_be_read_again(bitbucket: BitbucketEmulator, tmp_path: Path):
    asset, states = Asset("prs"), Store()
    operator = BitbucketExtractOperator(
        task_id="extract",
        repositories=["api", "gone"],
        on_repository_error="skip",
        incremental=True,
        output_path=f"file://{tmp_path}/prs.parquet",
        outlets=[asset],
    )
    context: Any = {"outlet_events": OutletEventAccessors(), "asset_state_store": {asset: states}, "task_state_store": Store()}
    operator.execute(context)
    assert list(states) == ["pull_requests of acme/api"]


def test_an_airflow_that_keeps_no_state_reads_the_data_interval_and_says_so(
    bitbucket: BitbucketEmulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    operator = BitbucketExtractOperator(
        task_id="extract", incremental=True, output_path=f"file://{tmp_path}/prs.parquet", outlets=[Asset("prs")]
    )
    now = datetime.now(UTC)
    context: Any = {
        "outlet_events": OutletEventAccessors(),
        "data_interval_start": now - timedelta(hours=1),
        "data_interval_end": now,
    }
    assert operator.execute(context)["rows"] == 0
    assert "keeps no state of assets" in capsys.readouterr().out
