"""``BitbucketToSqlOperator`` and ``BitbucketListRepositoriesOperator`` in a real Airflow."""

from __future__ import annotations

import json
import runpy
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitbucket.client import BitbucketNotFoundError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator
from airflow_provider_bitbucket.operators.repositories import BitbucketListRepositoriesOperator
from airflow_provider_bitbucket.operators.sql import BitbucketToSqlOperator
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator_data import REVIEWER, client_of, open_pull_request

Run = Callable[..., Any]
Query = Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture
def query(connect: Callable[..., None], tmp_path: Path) -> Query:
    """Ask the SQLite database that connection ``warehouse`` leads to."""
    path = tmp_path / "warehouse.db"
    connect(json.dumps({"conn_type": "sqlite", "host": str(path)}), "warehouse")

    def query(statement: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute(statement).fetchall()

    return query


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """Two pull requests in repository api, and a connection."""
    connect(connection_json(bitbucket_emulator))
    for hours in (2, 50):
        open_pull_request(bitbucket_emulator, (hours, "approve", REVIEWER))
    return bitbucket_emulator


@pytest.mark.airflow
def test_parameters_are_templates_and_the_task_returns_what_it_wrote(bitbucket: BitbucketEmulator, run_task: Run, query: Query):
    done = run_task(
        BitbucketToSqlOperator,
        params={"table": "prs", "repository": "api", "day": "2026-10-02", "conn": "warehouse"},
        sql_conn_id="{{ params.conn }}",
        table="{{ params.table }}",
        repositories=["{{ params.repository }}"],
        since="{{ params.day }}",
        until="{{ params.get('until') }}",
        with_activity=True,
    )
    assert done.state == "success", done.log
    assert (done.value["table"], done.value["dataset"], done.value["rows"]) == ("prs", "pull_requests", 1)
    assert [(one["repository"], one["rows"]) for one in done.value["repositories"]] == [("acme/api", 1)]
    assert query("SELECT repository, id, approvals, first_review_kind FROM prs") == [("acme/api", 2, 1, "approval")]


@pytest.mark.airflow
def test_a_repository_that_can_not_be_read_fails_the_task_by_name_and_publishes_nothing(
    bitbucket: BitbucketEmulator, run_task: Run, query: Query, caplog: pytest.LogCaptureFixture
):
    done = run_task(BitbucketToSqlOperator, sql_conn_id="warehouse", table="prs", repositories=["api", "gone"])
    assert done.state == "failed"
    assert isinstance(done.error, BitbucketNotFoundError)
    assert "pull_requests of acme/gone cannot be read" in caplog.text
    assert query("SELECT COUNT(*) FROM prs") == [(0,)]


@pytest.mark.airflow
def test_a_workspace_of_fifty_repositories_is_spread_over_mapped_tasks(connect: Callable[..., None], run_dag: Run, query: Query):
    from airflow.sdk import DAG

    with BitbucketEmulator("large", speed=0, now=NOW, pull_requests=100, repositories=50) as bitbucket:
        connect(connection_json(bitbucket))
        with DAG("mapped_sql", schedule=None) as dag:
            repositories = BitbucketListRepositoriesOperator(task_id="repositories")
            BitbucketToSqlOperator.partial(task_id="load", sql_conn_id="warehouse", table="prs").expand(
                repositories=repositories.output
            )
        run = run_dag(dag)
    assert str(run.state) == "success"
    assert len([one for one in run.get_task_instances() if one.task_id == "load"]) == 50
    assert query("SELECT COUNT(DISTINCT repository), COUNT(*), COUNT(DISTINCT pull_requests_key) FROM prs") == [(50, 100, 100)]


@pytest.mark.airflow
def test_the_example_loads_a_workspace_and_emits_one_asset_event(bitbucket: BitbucketEmulator, run_dag: Run, query: Query):
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    open_pull_request(bitbucket, title="Of last night", opened=datetime.now(UTC) - timedelta(hours=5))
    client_of(bitbucket).request("POST", "/repositories/acme/web", json={})
    example = runpy.run_path(str(Path(__file__).parents[2] / "example_dags" / "example_bitbucket_to_sql.py"))
    dag = example["example_bitbucket_to_sql"]()
    assert str(run_dag(dag).state) == "success"
    assert query("SELECT title FROM bitbucket_pull_requests") == [("Of last night",)]
    assert query("SELECT name FROM bitbucket_branches ORDER BY name") == [
        ("feature/1",),
        ("feature/2",),
        ("feature/3",),
        ("main",),
    ]
    with create_session() as session:
        named = AssetModel.name == "bitbucket_pull_requests"
        event = session.scalars(select(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id).where(named)).one()
    assert event.extra["rows"] == 1


@pytest.mark.airflow
@pytest.mark.parametrize("operator", ["extract", "sql"])
def test_who_waits_for_the_asset_learns_how_many_rows_there_are_and_until_when(
    bitbucket: BitbucketEmulator, run_dag: Run, query: Query, tmp_path: Path, operator: str
):
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.sdk import DAG, Asset
    from airflow.utils.session import create_session
    from sqlalchemy import select

    asset = Asset(f"pull_requests_{operator}")
    with DAG(f"assets_{operator}", schedule=None) as dag:
        common: dict[str, Any] = {"task_id": "load", "outlets": [asset], "until": "2026-10-02T00:00:00+02:00"}
        if operator == "sql":
            BitbucketToSqlOperator(sql_conn_id="warehouse", table="prs", **common)
        else:
            BitbucketExtractOperator(output_path=f"file://{tmp_path}/prs.parquet", **common)
    assert str(run_dag(dag).state) == "success"
    with create_session() as session:
        event = session.scalars(
            select(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id).where(AssetModel.name == asset.name)
        ).one()
    assert event.extra["rows"] == 1
    assert event.extra["dataset"] == "pull_requests"
    assert event.extra["watermark"] == "2026-10-01T22:00:00+00:00"


def test_a_mode_that_does_not_exist_is_refused_when_the_dag_is_parsed():
    with pytest.raises(ValueError, match="mode is 'append'; expected one of upsert, replace"):
        BitbucketToSqlOperator(task_id="load", sql_conn_id="warehouse", table="prs", mode="append")


def test_a_file_to_write_to_is_refused_when_the_dag_is_parsed():
    with pytest.raises(ValueError, match="output_path belongs to BitbucketExtractOperator"):
        BitbucketToSqlOperator(task_id="load", sql_conn_id="warehouse", table="prs", output_path="file:///tmp/prs")


@pytest.fixture
def workspace(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """Repositories api, Web-Shop, web-admin (in project OPS) and quoted."""
    connect(connection_json(bitbucket_emulator))
    client = client_of(bitbucket_emulator)
    for slug, body in {"web-shop": {"name": "Web-Shop"}, "web-admin": {}, "quoted": {"name": 'a "b\\'}}.items():
        bitbucket_emulator.clock(advance=3600)
        client.request("POST", f"/repositories/acme/{slug}", json=body)
    made = {one.slug: one for one in bitbucket_emulator.state.repositories()}["web-admin"]
    made.project = replace(made.project, key="OPS", name="Operations")
    return bitbucket_emulator


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["api", "web-shop", "web-admin", "quoted"]),
        ({"project": "OPS"}, ["web-admin"]),
        ({"name": "WEB"}, ["web-shop", "web-admin"]),
        ({"name": '"b\\'}, ["quoted"]),
        ({"name": '" OR name ~ "'}, []),
        ({"updated_since": "2026-11-02T09:30:00+00:00"}, ["web-admin", "quoted"]),
        ({"updated_since": "2026-11-02T09:30:00+00:00", "name": "web", "project": "OPS"}, ["web-admin"]),
    ],
)
def test_the_repositories_of_a_workspace_can_be_chosen(workspace: BitbucketEmulator, wanted: dict[str, str], found: list[str]):
    workspace.reset_requests()
    assert BitbucketHook().list_repositories(**wanted) == found
    assert sum(workspace.requests().values()) == 1


@pytest.mark.airflow
def test_repositories_come_in_batches_and_what_renders_to_nothing_chooses_all(workspace: BitbucketEmulator, run_task: Run):
    done = run_task(
        BitbucketListRepositoriesOperator,
        params={"name": "web"},
        project="{{ params.get('project') }}",
        name="{{ params.name }}",
        updated_since="",
        batch_size=2,
    )
    assert done.state == "success", done.log
    assert done.value == [["web-shop", "web-admin"]]
    with pytest.raises(ValueError, match="batch_size is 0"):
        BitbucketListRepositoriesOperator(task_id="list", batch_size=0)


@pytest.mark.airflow
def test_the_example_writes_dora_of_whole_weeks_every_night(
    bitbucket_demo: BitbucketEmulator, connect: Callable[..., None], run_dag: Run, query: Query
):
    connect(connection_json(bitbucket_demo))
    example = runpy.run_path(str(Path(__file__).parents[2] / "example_dags" / "example_bitbucket_dora.py"))
    for _ in range(2):
        assert str(run_dag(example["example_bitbucket_dora"]()).state) == "success"
    assert query(
        "SELECT COUNT(*) > 5, COUNT(*) = COUNT(DISTINCT repository || week), MAX(deployments) > 0 FROM bitbucket_dora"
    ) == [(1, 1, 1)]
    assert query("SELECT DISTINCT strftime('%w %H:%M', week) FROM bitbucket_dora") == [("1 00:00",)]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"metric": "dora", "dataset": "commits"}, "metric cannot be combined with dataset or incremental"),
        ({"metric": "speed"}, "no metric 'speed'"),
        ({"metric": "dora", "with_activity": True}, "'dora' has no with_activity"),
        ({"metric": "stale_branches", "group_by": "week"}, "does not support group_by"),
        ({"group_by": ["week"]}, "group_by need metric"),
        ({"with_steps": True}, "with_steps need metric"),
    ],
)
def test_an_option_that_does_not_fit_the_metric_is_refused_when_the_dag_is_parsed(parameters: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        BitbucketToSqlOperator(task_id="load", sql_conn_id="warehouse", table="dora", **parameters)
