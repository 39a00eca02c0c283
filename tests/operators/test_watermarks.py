"""Reading only what changed, from one run to the next."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from airflow.providers.common.compat.sdk import Asset
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_provider_bitbucket.hooks.tables import sql_engine
from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator
from airflow_provider_bitbucket.operators.sql import BitbucketToSqlOperator
from airflow_provider_bitbucket.operators.watermarks import Watermarks
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import REVIEWER, open_pull_request

Run = Callable[..., Any]
LONG_AGO = datetime.now(UTC) - timedelta(days=3)


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """Two pull requests, updated days ago, and a connection."""
    connect(connection_json(bitbucket_emulator))
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
            params={"path": str(path)},
            output_path="file://{{ params.path }}",
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
        context: Any = {
            "outlet_events": OutletEventAccessors(),
            "asset_state_store": {asset: states},
            "task_state_store": task,
            "run": id(task),
        }
        operator = BitbucketExtractOperator(
            task_id="extract", incremental=True, output_path=f"file://{tmp_path}/{{{{ run }}}}.parquet", outlets=[asset]
        )
        operator.render_template_fields(context)
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
        output_path=f"file://{tmp_path}/{{{{ run_id }}}}.parquet",
        outlets=[asset],
    )
    context: Any = {"outlet_events": OutletEventAccessors(), "asset_state_store": {asset: states}, "task_state_store": Store()}
    operator.execute(context)
    assert list(states) == ["pull_requests of acme/api"]


def test_an_airflow_that_keeps_no_state_reads_the_data_interval_and_says_so(
    bitbucket: BitbucketEmulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    operator = BitbucketExtractOperator(
        task_id="extract", incremental=True, output_path=f"file://{tmp_path}/{{{{ run_id }}}}.parquet", outlets=[Asset("prs")]
    )
    now = datetime.now(UTC)
    context: Any = {
        "outlet_events": OutletEventAccessors(),
        "data_interval_start": now - timedelta(hours=1),
        "data_interval_end": now,
    }
    assert operator.execute(context)["rows"] == 0
    assert "Assets have no state" in capsys.readouterr().out


@pytest.fixture(params=["sqlite", "postgres"])
def warehouse(
    request: pytest.FixtureRequest, connect: Callable[..., None], tmp_path: Path
) -> Iterator[Callable[[str], list[int]]]:
    """Execute a statement in the database that connection ``warehouse`` leads to, and return the first column of its rows."""
    if request.param == "sqlite":
        connect(json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}), "warehouse")
    else:
        connect(request.getfixturevalue("postgres_url"), "warehouse")
    engine = sql_engine("warehouse")

    def execute(statement: str) -> list[int]:
        with engine.begin() as connection:
            done = connection.execute(sa.text(statement))
            return list(done.scalars()) if done.returns_rows else []

    yield execute
    for table in ("prs", "others"):
        execute(f"DROP TABLE IF EXISTS {table}")


Warehouse = Callable[[str], list[int]]


@pytest.mark.airflow
def test_each_load_of_a_table_reads_what_changed_since_the_last_one_that_was_committed(
    bitbucket: BitbucketEmulator, run_task: Run, warehouse: Warehouse
):
    def run(table: str = "prs", **parameters: Any) -> int | str:
        done = run_task(
            BitbucketToSqlOperator,
            incremental=True,
            sql_conn_id="warehouse",
            table=table,
            outlets=[Asset("table of prs")],
            **{"repositories": "api", **parameters},
        )
        return int(done.value["rows"]) if done.state == "success" else str(done.state)

    assert run() == 2
    assert run() == 0
    update(bitbucket, 2)
    assert run(repositories=["api", "gone"]) == "failed"
    assert run() == 1  # what the failed run read was not written
    assert warehouse("SELECT comment_count FROM prs ORDER BY id") == [0, 1]
    assert run("others") == 2  # another table has nothing yet
    warehouse("DROP TABLE prs")
    assert run() == 2  # nor has one that is made anew
    assert warehouse("SELECT id FROM prs ORDER BY id") == [1, 2]


def load(asset: Asset, states: Store, task: Store, **more: Any) -> int:
    """Run the task that loads table ``prs``, and return how many rows it wrote."""
    context: Any = {
        "outlet_events": OutletEventAccessors(),
        "asset_state_store": {asset: states},
        "task_state_store": task,
        **more,
    }
    operator = BitbucketToSqlOperator(task_id="load", sql_conn_id="warehouse", table="prs", incremental=True, outlets=[asset])
    rows: int = operator.execute(context)["rows"]
    return rows


class Dies(Store):
    """A state that a worker never gets to write a watermark to."""

    def set(self, key: str, value: Any) -> None:
        if " of acme/" in key:
            raise KeyboardInterrupt
        super().__setitem__(key, value)


def test_a_load_that_is_killed_after_its_commit_is_done_again_and_doubles_nothing(
    bitbucket: BitbucketEmulator, warehouse: Warehouse
):
    asset, states, task = Asset("prs"), Dies(), Store()
    with pytest.raises(KeyboardInterrupt):
        load(asset, states, task)
    assert warehouse("SELECT id FROM prs ORDER BY id") == [1, 2]
    assert load(asset, Store(states), task) == 2
    assert warehouse("SELECT id FROM prs ORDER BY id") == [1, 2]


def test_a_load_that_the_database_refuses_is_read_again(bitbucket: BitbucketEmulator, warehouse: Warehouse):
    asset, states = Asset("prs"), Store()
    warehouse("CREATE TABLE prs (pull_requests_key VARCHAR(32) PRIMARY KEY, mine TEXT NOT NULL)")
    with pytest.raises(sa.exc.IntegrityError):
        load(asset, states, Store())
    assert not [key for key in states if "acme/api" in key]
    warehouse("DROP TABLE prs")
    assert [load(asset, states, Store()), load(asset, states, Store())] == [2, 0]


def test_tasks_that_find_no_table_at_the_same_time_all_store_their_watermarks():
    """The first mapped load: each forgets what was read before, and none what another has just read."""

    class State(dict):  # type: ignore[type-arg]  # as Airflow's stores, which have get and set
        set = dict.__setitem__

    asset, now = State(), datetime.now(UTC)
    first, second = (
        Watermarks({"asset_state_store": {"prs": asset}, "task_state_store": State()}, "prs", "pull_requests")  # type: ignore[arg-type,typeddict-item,typeddict-unknown-key]  # as much of a context as is read
        for _ in range(2)
    )
    for task, name in ((first, "acme/a"), (second, "acme/b")):
        task.reset()
        assert not task.before([name])
    for task, name in ((first, "acme/a"), (second, "acme/b")):
        task.advance(name, now)
    later = Watermarks({"asset_state_store": {"prs": asset}, "task_state_store": State()}, "prs", "pull_requests")  # type: ignore[arg-type,typeddict-item,typeddict-unknown-key]  # likewise
    assert later.before(["acme/a", "acme/b"]) == {"acme/a": now, "acme/b": now}


def test_a_task_that_is_cleared_after_its_table_was_dropped_fills_it_again(bitbucket: BitbucketEmulator, warehouse: Warehouse):
    asset, states, task = Asset("prs"), Store(), Store()
    assert [load(asset, states, Store()), load(asset, states, task)] == [2, 0]
    warehouse("DROP TABLE prs")
    assert [load(asset, states, task), load(asset, states, Store())] == [2, 0]


def test_a_load_on_an_airflow_that_keeps_no_state_reads_the_data_interval_and_says_so(
    bitbucket: BitbucketEmulator, warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
):
    operator = BitbucketToSqlOperator(
        task_id="load", sql_conn_id="warehouse", table="prs", incremental=True, outlets=[Asset("prs")]
    )
    end = LONG_AGO + timedelta(hours=1)
    context: Any = {"outlet_events": OutletEventAccessors()}
    assert operator.execute({**context, "data_interval_start": end, "data_interval_end": datetime.now(UTC)})["rows"] == 0
    assert "Assets have no state" in capsys.readouterr().out
    assert operator.execute({**context, "data_interval_start": LONG_AGO, "data_interval_end": end})["rows"] == 2


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"outlets": []}, r"^incremental needs outlets=\[Asset\(\.\.\.\)\]"),
        ({"mode": "replace"}, "mode 'replace' deletes all rows that are not read"),
    ],
)
def test_a_load_that_could_not_go_on_is_refused_when_the_dag_is_parsed(given: dict[str, Any], says: str):
    with pytest.raises(ValueError, match=says):
        BitbucketToSqlOperator(
            task_id="load", sql_conn_id="warehouse", table="prs", incremental=True, **{"outlets": [Asset("prs")], **given}
        )
