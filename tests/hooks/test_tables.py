"""Datasets in SQL tables: ``hook.tables`` on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException

from airflow_provider_bitbucket.client import BitbucketNotFoundError
from airflow_provider_bitbucket.datasets import DATASETS
from airflow_provider_bitbucket.datasets.schema import Schema
from airflow_provider_bitbucket.extraction.dataset import Dataset
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.tables import sql_engine
from airflow_provider_bitbucket.sinks.sql import SqlTable
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator_data import REVIEWER, after, asked, change, client_of, open_pull_request

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Database:
    """A database that connection ``warehouse`` leads to."""

    engine: sa.Engine
    table: str

    def rows(self, table: str | None = None) -> list[dict[str, Any]]:
        """All rows of a table, by its primary key."""
        with self.engine.connect() as connection:
            found = sa.Table(table or self.table, sa.MetaData(), autoload_with=connection)
            return [dict(row) for row in connection.execute(found.select().order_by(*found.primary_key)).mappings()]

    def insert(self, **row: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.Table(self.table, sa.MetaData(), autoload_with=connection).insert(), row)

    def execute(self, statement: str) -> None:
        """Execute a statement on ``{table}``."""
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement.format(table=self.table)))


@pytest.fixture
def sqlite(connect: Callable[..., None], tmp_path: Path) -> Database:
    connect(json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}), "warehouse")
    return Database(sql_engine("warehouse"), "prs")


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, connect: Callable[..., None]) -> Iterator[Database]:
    """Each of the databases, without a table."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite")
        return
    connect(request.getfixturevalue("postgres_url"), "warehouse")
    database = Database(sql_engine("warehouse"), f"bitbucket_test_{next(_numbers)}")
    drop = "DROP TABLE IF EXISTS {table}"
    database.execute(drop)
    yield database
    database.execute(drop)


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """Two pull requests, and a connection."""
    connect(connection_json(bitbucket_emulator))
    for hours in (2, 50):
        open_pull_request(bitbucket_emulator, (hours, "approve", REVIEWER))
    bitbucket_emulator.reset_requests()
    return bitbucket_emulator


def load(database: Database, dataset: str = "pull_requests", **parameters: Any) -> dict[str, Any]:
    hook, table, mode = BitbucketHook(), parameters.pop("table", database.table), parameters.pop("mode", "upsert")
    return hook.tables.write_dataset(hook.datasets.read(dataset, **parameters), table, "warehouse", mode)


@pytest.fixture(scope="module")
def frames() -> Iterator[dict[str, pd.DataFrame]]:
    """Every dataset of the demo."""
    with BitbucketEmulator("demo", speed=0, now=NOW) as bitbucket:
        bitbucket.settings(rate_limit=100_000)  # and not the 1,000 an hour that it would wait for
        client = client_of(bitbucket, rate_limit=100_000)
        since = datetime(2026, 10, 19, tzinfo=UTC)
        yield {name: _frame(client, name, since) for name in DATASETS}


def _frame(client: Any, name: str, since: datetime) -> pd.DataFrame:
    dataset = Dataset(name)
    return dataset.frame(dataset.records(client, None, since))


@pytest.mark.parametrize("name", DATASETS)
def test_the_key_of_a_dataset_is_unique_in_the_demo(frames: dict[str, pd.DataFrame], name: str):
    frame, key = frames[name], list(Dataset(name).schema.key)
    if name not in ("members", "environments", "repositories"):
        assert len(frame) > 10
    assert not frame.duplicated(key).any()


def _write(database: Database, schema: Schema, frame: pd.DataFrame) -> None:
    import pyarrow as pa

    table = SqlTable(schema, database.engine, database.table)
    table.prepare()
    batches = pa.Table.from_pandas(frame, schema=schema.arrow(), preserve_index=False).to_batches(500)
    table.write(batch.to_pylist() for batch in batches)


@pytest.mark.parametrize("name", DATASETS)
def test_what_is_read_back_from_a_table_is_the_dataset(database: Database, frames: dict[str, pd.DataFrame], name: str):
    schema, frame = Dataset(name).schema, frames[name]
    for _ in range(2):  # the second time changes nothing, nulls in keys included
        _write(database, schema, frame)
    rows = database.rows()
    assert [*rows[0]] == [f"{name}_key", *schema.names]
    key, plain = list(schema.key), [{column: row[column] for column in schema.names} for row in rows]
    read, expected = (one.sort_values(key, ignore_index=True) for one in (schema.frame(plain), frame))
    pd.testing.assert_frame_equal(read.astype("object"), expected.astype("object"), check_dtype=False)


def test_timestamps_have_a_time_zone_and_numbers_are_numbers_in_postgres(postgres_url: str, connect: Callable[..., None]):
    connect(postgres_url, "warehouse")
    database = Database(sql_engine("warehouse"), "bitbucket_test_types")
    SqlTable(Dataset("pull_requests").schema, database.engine, database.table).prepare()
    columns = {column["name"]: column["type"] for column in sa.inspect(database.engine).get_columns(database.table)}
    database.execute("DROP TABLE {table}")
    assert columns["created_on"].timezone
    names = ("id", "is_draft", "draft_seconds", "title", "state", "pull_requests_key")
    types = ["BIGINT", "BOOLEAN", "DOUBLE PRECISION", "TEXT", "VARCHAR(255)", "VARCHAR(32)"]
    assert [str(columns[name]) for name in names] == types


@pytest.mark.parametrize(
    ("dialect", "identifier", "text"),
    [
        ("mysql", "VARCHAR(255)", "LONGTEXT"),
        ("mssql", "NVARCHAR(255)", "NTEXT"),  # NVARCHAR(max) as soon as it is connected to a server of today
        ("oracle", "VARCHAR2(255 CHAR)", "CLOB"),
        ("postgresql", "TEXT", "TEXT"),
    ],
)
def test_identifiers_can_be_indexed_and_texts_hold_any_language(sqlite: Database, dialect: str, identifier: str, text: str):
    speaks = import_module(f"sqlalchemy.dialects.{dialect}").dialect()
    for name in DATASETS:
        schema = Dataset(name).schema
        columns = SqlTable(schema, sqlite.engine, "t")._table.columns
        types = {column.name: columns[column.name].type.compile(speaks) for column in schema if column.dtype == "string"}
        assert set(types.values()) <= {identifier, text}
        bounded = {column for column in schema.key if types.get(column) == identifier}
        assert bounded >= {column for column in schema.key if column in types} - {"name", "path", "old_path", "key"}
        assert all(types[column] == text for column in ("title", "description", "message", "name", "path") if column in types)


def test_the_same_interval_again_gives_the_same_rows(bitbucket: BitbucketEmulator, database: Database):
    first = load(database, since=after(0), until=after(60), with_activity=True)
    assert (first["table"], first["dataset"], first["rows"], first["skipped"]) == (database.table, "pull_requests", 2, [])
    assert [(one["repository"], one["rows"]) for one in first["repositories"]] == [("acme/api", 2)]
    rows = database.rows()
    assert load(database, since=after(0), until=after(60), with_activity=True)["rows"] == 2
    assert database.rows() == rows
    assert sorted(row["id"] for row in rows) == [1, 2]


def test_a_row_takes_the_place_of_the_one_with_its_key(bitbucket: BitbucketEmulator, database: Database):
    load(database)
    change(bitbucket, 1, title="Another title")
    load(database)
    assert {row["id"]: row["title"] for row in database.rows()} == {1: "Another title", 2: "Add search"}


def test_a_slow_task_does_not_undo_what_a_later_one_has_read(bitbucket: BitbucketEmulator, database: Database):
    schema = Dataset("pull_requests").schema
    rows = [{**dict.fromkeys(schema.names), "repository": "acme/api", "id": 1} for _ in range(2)]
    early, late = ({**row, "title": f"{hours}", "updated_on": after(hours)} for hours, row in zip((1, 2), rows, strict=True))
    table = SqlTable(schema, database.engine, database.table)
    table.prepare()
    for row, title in ((early, "1"), (late, "2"), (early, "2"), ({**late, "title": "3"}, "3")):
        table.write([[row]])
        assert [one["title"] for one in database.rows()] == [title]


@pytest.mark.parametrize("dialect", [None, "some other"])
def test_a_row_that_lost_its_timestamp_does_not_replace_one_that_has_it(database: Database, dialect: str | None):
    schema = Dataset("pull_requests").schema
    empty = {**dict.fromkeys(schema.names), "repository": "acme/api", "id": 1}
    dated = {**empty, "title": "good", "updated_on": after(1)}
    table, other = SqlTable(schema, database.engine, database.table), {**empty, "id": 2, "title": "new"}
    table.prepare()
    table.write([[empty]])
    name = database.engine.dialect.name
    database.engine.dialect.name = dialect or name
    table.write([[dated]])
    table.write([[empty, other]])
    database.engine.dialect.name = name
    assert {row["id"]: (row["title"], row["updated_on"] is None) for row in database.rows()} == {
        1: ("good", False),
        2: ("new", True),
    }


@pytest.mark.parametrize("name", DATASETS)
def test_a_row_without_its_key_is_refused_and_leaves_the_table_as_it_was(
    sqlite: Database, frames: dict[str, pd.DataFrame], name: str
):
    schema = Dataset(name).schema
    _write(sqlite, schema, frames[name])
    before = sqlite.rows()
    table = SqlTable(schema, sqlite.engine, sqlite.table)
    source, *others = schema.key
    for missing in (schema.key, [source], others):
        if missing:
            row = {**dict.fromkeys(schema.names), **dict.fromkeys(schema.key, "1"), **dict.fromkeys(missing)}
            with pytest.raises(ValueError, match=f"A row of {name} has no key"):
                table.write([[row]], [f"{before[0][source]}"])
    assert sqlite.rows() == before


def test_a_repository_that_can_not_be_read_leaves_the_table_as_it_was(bitbucket: BitbucketEmulator, database: Database):
    load(database)
    change(bitbucket, 1, title="Another title")
    before = database.rows()
    with pytest.raises(BitbucketNotFoundError):
        load(database, repositories=["api", "gone"], mode="replace")
    assert database.rows() == before


KILLED = """
import os, signal, sys
import sqlalchemy as sa
from airflow_provider_bitbucket.extraction.dataset import Dataset
from airflow_provider_bitbucket.sinks.sql import SqlTable
url, table = sys.argv[1:]
schema = Dataset("pull_requests").schema

def batches():
    yield [{**dict.fromkeys(schema.names), "repository": "acme/api", "id": number} for number in range(1, 1000)]
    os.kill(os.getpid(), signal.SIGKILL)

SqlTable(schema, sa.create_engine(url), table).write(batches(), ["acme/api"])
"""


def test_a_worker_killed_in_the_middle_of_writing_leaves_the_table_as_it_was(bitbucket: BitbucketEmulator, database: Database):
    load(database)
    before = database.rows()
    url = database.engine.url.render_as_string(hide_password=False)
    killed = subprocess.run([sys.executable, "-c", KILLED, url, database.table], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert database.rows() == before
    assert load(database)["rows"] == 2


@pytest.mark.parametrize("repositories", [None, "api"])
def test_replace_removes_what_is_gone_of_the_repositories_that_are_read_and_of_no_other(
    bitbucket: BitbucketEmulator, database: Database, repositories: str | None
):
    load(database, "branches")
    gone = database.rows()[-1]
    other = {**gone, "branches_key": "1", "repository": "acme/other"}
    database.insert(**other)
    database.insert(**{**gone, "branches_key": "2", "name": "gone"})
    load(database, "branches", mode="replace", repositories=repositories)
    assert sorted((row["repository"], row["name"]) for row in database.rows()) == [
        ("acme/api", "feature/1"),
        ("acme/api", "feature/2"),
        ("acme/api", "main"),
        ("acme/other", gone["name"]),
    ]


def test_a_repository_that_is_skipped_keeps_its_rows(bitbucket: BitbucketEmulator, database: Database):
    load(database, "branches")
    gone = {**database.rows()[0], "branches_key": "1", "repository": "acme/gone"}
    database.insert(**gone)
    written = load(database, "branches", mode="replace", repositories=["api", "gone"], on_repository_error="skip")
    assert written["skipped"] == ["acme/gone"]
    assert sorted({row["repository"] for row in database.rows()}) == ["acme/api", "acme/gone"]


def test_replacing_the_list_of_a_workspace_removes_the_repositories_that_are_gone(
    bitbucket: BitbucketEmulator, database: Database
):
    client = client_of(bitbucket)
    for slug in ("web", "old"):
        client.request("POST", f"/repositories/acme/{slug}", json={})
    load(database, "repositories")
    for name in ("acme2/web", "acmes/web", "other/acme/web"):
        database.insert(repositories_key=name, repository=name)
    client.request("DELETE", "/repositories/acme/old")
    assert load(database, "repositories", mode="replace")["rows"] == 2
    others = ["acme2/web", "acmes/web", "other/acme/web"]
    assert sorted(row["repository"] for row in database.rows()) == ["acme/api", "acme/web", *others]


def test_replace_with_an_interval_is_refused_before_any_request(bitbucket: BitbucketEmulator, sqlite: Database):
    with pytest.raises(ValueError, match="mode 'replace' keeps only the rows that are read"):
        load(sqlite, mode="replace", since=after(0))
    assert asked(bitbucket) == {}


def test_two_tasks_that_write_the_same_rows_to_a_table_that_is_not_there_both_succeed(database: Database):
    schema = Dataset("commits").schema
    rows = [{**dict.fromkeys(schema.names), "repository": "acme/api", "hash": f"{number:040x}"} for number in range(500)]
    barrier, failures = threading.Barrier(4), []

    def work(at: int) -> None:
        try:
            table = SqlTable(schema, database.engine, database.table)
            barrier.wait()
            table.prepare()
            for _ in range(3):
                table.write([rows[:250], rows[250:]] if at % 2 else [rows[::-1]], ["acme/api"] if at == 3 else [])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(row["hash"] for row in database.rows()) == [row["hash"] for row in rows]


def test_columns_that_a_later_version_brings_are_added(bitbucket: BitbucketEmulator, database: Database):
    whole = Dataset("pull_requests").schema
    older = Schema(
        whole.dataset, whole.key, [one for one in whole.columns if one.name not in ("title", "created_on", "is_draft")]
    )
    SqlTable(older, database.engine, database.table).prepare()
    load(database)
    assert [(row["title"], row["is_draft"]) for row in database.rows()] == [("Add search", False)] * 2


def test_a_table_that_is_for_something_else_is_refused_before_any_request(bitbucket: BitbucketEmulator, database: Database):
    database.execute("CREATE TABLE {table} (id INTEGER, repository VARCHAR(9))")
    with pytest.raises(ValueError, match="has no column pull_requests_key, so it was not made for dataset 'pull_requests'"):
        load(database)
    assert asked(bitbucket) == {}


def test_nothing_in_a_name_becomes_sql(bitbucket: BitbucketEmulator, sqlite: Database):
    load(sqlite)
    name = 'prs"; DROP TABLE prs; --'
    load(sqlite, table=name)
    assert sorted(sa.inspect(sqlite.engine).get_table_names()) == ["prs", name]
    assert len(sqlite.rows()) == 2


@pytest.mark.parametrize("name", ["", "a.b.c", "a.", " "])
def test_a_name_that_is_none_is_refused(bitbucket: BitbucketEmulator, sqlite: Database, name: str):
    with pytest.raises(ValueError, match=r"^table is .*expected ('table' or 'schema\.table'|text that is not empty)"):
        load(sqlite, table=name)


def test_a_table_in_a_schema(bitbucket: BitbucketEmulator, postgres_url: str, connect: Callable[..., None]):
    connect(postgres_url, "warehouse")
    engine = sql_engine("warehouse")
    database = Database(engine, "bitbucket test.prs")
    database.execute('CREATE SCHEMA "bitbucket test"')
    try:
        for _ in range(2):
            assert load(database)["rows"] == 2
        assert sa.inspect(engine).get_table_names("bitbucket test") == ["prs"]
    finally:
        database.execute('DROP SCHEMA "bitbucket test" CASCADE')


def test_a_text_with_a_character_that_databases_refuse_is_loaded_without_it(bitbucket: BitbucketEmulator, database: Database):
    change(bitbucket, 1, title="Add\x00 search 🔎")
    load(database)
    assert sorted(row["title"] for row in database.rows()) == ["Add search", "Add search 🔎"]


def test_half_a_character_in_a_title_is_a_question_mark_and_stops_nothing(
    bitbucket: BitbucketEmulator, database: Database, tmp_path: Path
):
    change(bitbucket, 1, title="Add \ud83d search 🔎")
    titles = ["Add ? search 🔎", "Add search"]
    hook = BitbucketHook()
    assert sorted(hook.datasets.get_df("pull_requests", repositories="api")["title"]) == titles
    hook.files.write_dataset(hook.datasets.read("pull_requests"), f"file://{tmp_path}/prs.parquet")
    assert sorted(pd.read_parquet(tmp_path / "prs.parquet")["title"]) == titles
    load(database)
    assert sorted(row["title"] for row in database.rows()) == titles


def test_a_database_without_an_upsert_of_its_own_gets_the_same_rows(sqlite: Database):
    schema = Dataset("commits").schema
    table = SqlTable(schema, sqlite.engine, "commits")
    table.prepare()
    sqlite.engine.dialect.name = "some other"
    rows = [{**dict.fromkeys(schema.names), "repository": "acme/api", "hash": f"{number}"} for number in range(3)]
    table.write([rows])
    table.write([[{**rows[0], "message": "changed"}]])
    sqlite.engine.dialect.name = "sqlite"
    assert sorted((row["hash"], row["message"]) for row in sqlite.rows("commits")) == [("0", "changed"), ("1", None), ("2", None)]


def write(hook: BitbucketHook, sql_conn_id: str) -> None:
    hook.tables.write_dataset(hook.datasets.read("pull_requests"), "prs", sql_conn_id)


def test_a_connection_of_an_unknown_type_names_the_package(bitbucket: BitbucketEmulator, connect: Callable[..., None]):
    connect('{"conn_type": "exasol", "host": "h"}', "warehouse")
    with pytest.raises(AirflowOptionalProviderFeatureException, match="type 'exasol', for which a package is missing"):
        write(BitbucketHook(), "warehouse")


def test_a_connection_to_no_database_is_refused(bitbucket: BitbucketEmulator):
    with pytest.raises(ValueError, match="Connection 'bitbucket_default' is of type 'bitbucket', which is not a SQL database"):
        write(BitbucketHook(), "bitbucket_default")


WITHOUT = """
import sys
sys.modules["airflow.providers.common.sql.hooks.sql"] = None
from airflow_provider_bitbucket.operators.sql import BitbucketToSqlOperator
from airflow_provider_bitbucket.hooks.tables import sql_engine
BitbucketToSqlOperator(task_id="load", sql_conn_id="warehouse", table="prs")
try:
    sql_engine("warehouse")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_worker_without_the_extra_parses_the_dag_and_says_what_is_missing(connect: Callable[..., None]):
    connect('{"conn_type": "sqlite", "host": "warehouse.db"}', "warehouse")
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == (
        "AirflowOptionalProviderFeatureException Connection 'warehouse' is of type 'sqlite', for which a package is missing "
        "(Unknown hook type \"sqlite\"). Install 'airflow-provider-bitbucket[sql]' and Airflow's provider of that database, "
        "such as apache-airflow-providers-postgres."
    )


def test_an_error_of_the_database_does_not_show_what_rows_hold(bitbucket: BitbucketEmulator, database: Database):
    load(database)
    database.execute("DELETE FROM {table}")
    table = SqlTable(Dataset("pull_requests").schema, database.engine, database.table)
    row: dict[str, Any] = {"title": "our secret plan", "repository": "acme/api", "id": "not a number"}
    with pytest.raises(sa.exc.SQLAlchemyError) as caught:
        table.write([[{**dict.fromkeys(Dataset("pull_requests").schema.names), **row, "created_on": object()}]])
    assert "our secret plan" not in str(caught.value)


def test_the_error_of_a_violated_constraint_does_not_show_the_row(
    bitbucket: BitbucketEmulator, postgres_url: str, connect: Callable[..., None]
):
    connect(postgres_url, "warehouse")
    database = Database(sql_engine("warehouse"), "bitbucket_test_check")
    database.execute("DROP TABLE IF EXISTS {table}")
    load(database)
    database.execute("ALTER TABLE {table} ADD CONSTRAINT no_plans CHECK (title NOT LIKE '%plan%')")
    change(bitbucket, 1, title="our secret plan")
    with pytest.raises(sa.exc.IntegrityError, match=r'CheckViolation.* violates check constraint "no_plans"') as caught:
        load(database)
    database.execute("DROP TABLE {table}")
    assert "our secret plan" not in "".join(traceback.format_exception(caught.value))


@pytest.fixture
def demo(bitbucket_demo: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """Three months of a small company, and a connection."""
    connect(connection_json(bitbucket_demo))
    bitbucket_demo.reset_requests()
    return bitbucket_demo


def test_a_metric_in_a_table_equals_its_frame_and_is_written_again_without_change(database: Database, demo: BitbucketEmulator):
    written = BitbucketHook().tables.write_metric("dora", database.table, "warehouse", since="2026-09-07", until="2026-10-05")
    frame = BitbucketHook().metrics.get_df("dora", since="2026-09-07", until="2026-10-05")
    rows = database.rows()
    assert (written["metric"], written["rows"], written["skipped"]) == ("dora", len(frame), [])
    assert len(rows) == len(frame) > 4
    by_key = {(row["repository"], pd.Timestamp(row["week"]).tz_localize(None)): row for row in rows}
    for expected in frame.to_dict("records"):
        row = by_key[expected["repository"], expected["week"].tz_localize(None)]
        assert all(
            row[name] == value if pd.notna(value) else row[name] is None for name, value in expected.items() if name != "week"
        )
    BitbucketHook().tables.write_metric("dora", database.table, "warehouse", since="2026-09-07", until="2026-10-05")
    assert database.rows() == rows


def test_a_nightly_run_never_replaces_the_row_of_a_week_by_that_of_a_day(sqlite: Database, demo: BitbucketEmulator):
    tables = BitbucketHook().tables
    tables.write_metric("dora", sqlite.table, "warehouse", since="2026-09-07", until="2026-10-05")
    rows = sqlite.rows()
    tables.write_metric("dora", sqlite.table, "warehouse", since="2026-09-16", until="2026-09-17")
    assert sqlite.rows() == rows


def test_items_that_vanished_are_deleted_by_replace(sqlite: Database, demo: BitbucketEmulator):
    tables = BitbucketHook().tables
    tables.write_metric("stale_pull_requests", sqlite.table, "warehouse", "replace")
    rows = sqlite.rows()
    first = rows[0]["repository"]
    sqlite.insert(**{**rows[0], "id": 9_999, "stale_pull_requests_key": "x"})
    sqlite.insert(**{**rows[0], "repository": "acme/other", "stale_pull_requests_key": "y"})
    tables.write_metric("stale_pull_requests", sqlite.table, "warehouse", "replace", repositories=[first])
    kept = [row for row in sqlite.rows() if row["stale_pull_requests_key"] != "y"]
    assert [row["stale_pull_requests_key"] for row in kept] == [row["stale_pull_requests_key"] for row in rows]
    assert len(sqlite.rows()) == len(rows) + 1


@pytest.mark.parametrize(
    ("metric", "options", "message"),
    [
        ("dora", {"group_by": []}, "group_by is empty"),
        ("dora", {"group_by": ["team"]}, "Cannot summarize by team"),
        ("dora", {"mode": "replace", "since": "2026-09-01"}, "mode 'replace' needs rows of repositories"),
        ("dora", {"mode": "replace", "group_by": ["week"]}, "mode 'replace' needs rows of repositories"),
        ("speed", {}, "metric is 'speed'; expected one of"),
        ("dora", {"with_steps": True}, "has no with_steps"),
    ],
)
def test_an_impossible_table_of_a_metric_is_refused_before_the_first_request(
    sqlite: Database, demo: BitbucketEmulator, metric: Any, options: dict[str, Any], message: str
):
    with pytest.raises(ValueError, match=message):
        BitbucketHook().tables.write_metric(metric, "prs", "warehouse", **options)
    assert asked(demo) == {}
