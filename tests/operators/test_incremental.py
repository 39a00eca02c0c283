"""An incremental task finds late changes: commits pushed days after they were written, and pipelines that end later."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import Asset
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.commits.graph import add_commit
from tests.emulator_data import client_of, open_pull_request, set_status

Run = Callable[[], pd.DataFrame]


def now() -> datetime:
    return datetime.now(UTC)


class Store(dict[str, Any]):
    """A state as Airflow gives it."""

    set = dict.__setitem__


@pytest.fixture
def daily(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None], tmp_path: Path) -> Callable[[str], Run]:
    """A task of a dataset, whose last run was so long ago, to be run again."""
    connect(connection_json(bitbucket_emulator))

    def task(dataset: str, ago: timedelta = timedelta(days=1)) -> Run:
        asset, path = Asset("lake"), tmp_path / "{{ run_id }}.parquet"
        operator = BitbucketExtractOperator(
            task_id="extract",
            dataset=dataset,
            repositories="api",
            incremental=True,
            output_path=f"file://{path}",
            outlets=[asset],
        )
        states = Store({f"{dataset} of acme/api": (now() - ago).isoformat()})

        def run() -> pd.DataFrame:
            path.unlink(missing_ok=True)
            context: Any = {
                "outlet_events": OutletEventAccessors(),
                "asset_state_store": {asset: states},
                "task_state_store": Store(),
            }
            operator.execute(context)
            return pd.read_parquet(path)

        return run

    return task


def test_a_commit_that_is_pushed_days_after_it_was_written_is_found(
    bitbucket_emulator: BitbucketEmulator, daily: Callable[[str], Run]
):
    repository = next(bitbucket_emulator.state.repositories())
    run = daily("commits")
    run()
    late = add_commit(
        bitbucket_emulator.state, repository, author=None, message="Late", branch="main", at=now() - timedelta(days=20)
    )
    assert late.hash in set(run()["hash"])


def test_a_build_that_ends_hours_after_its_pull_request_changed_is_seen_to_end(
    bitbucket_emulator: BitbucketEmulator, daily: Callable[..., Run]
):
    number = open_pull_request(bitbucket_emulator, opened=now() - timedelta(hours=10))
    commit = next(client_of(bitbucket_emulator).pull_requests.commits("api", number))["hash"]
    run = daily("build_statuses", timedelta(hours=9))
    set_status(bitbucket_emulator, commit, "tests", "INPROGRESS")
    run()
    set_status(bitbucket_emulator, commit, "tests", "SUCCESSFUL")
    assert list(run()["state"]) == ["SUCCESSFUL"]


def test_branches_of_which_nothing_says_when_they_came_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="branches cannot be incremental: Bitbucket reports no date"):
        BitbucketExtractOperator(
            task_id="extract", dataset="branches", incremental=True, output_path="file:///out", outlets=[Asset("lake")]
        )
