"""What lineage tools, such as the OpenLineage provider, are reported of a task that reads from Bitbucket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.lineage import convert_asset_to_openlineage, create_asset, table_uri
from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator
from airflow_provider_bitbucket.operators.metrics import BitbucketMetricsOperator
from airflow_provider_bitbucket.operators.sql import BitbucketToSqlOperator
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator

pytestmark = pytest.mark.airflow
Run = Callable[..., Any]

PLUGIN = """
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk.lineage import HookLineageReader

class ListeningPlugin(AirflowPlugin):
    name = "listening"
    hook_lineage_readers = [HookLineageReader]
"""


@pytest.fixture
def reported(airflow_home: Path) -> Iterator[Callable[[], tuple[set[str], set[str]]]]:
    """Airflow with a plugin that listens, as OpenLineage's does: what it is reported, inputs and outputs."""
    from airflow.sdk import plugins_manager
    from airflow.sdk.lineage import get_hook_lineage_collector

    def forget() -> None:
        get_hook_lineage_collector.cache_clear()
        plugins_manager.get_hook_lineage_readers_plugins.cache_clear()
        plugins_manager._get_plugins.cache_clear()

    plugin = airflow_home / "plugins" / "listening.py"
    plugin.parent.mkdir(exist_ok=True)
    plugin.write_text(PLUGIN)
    forget()

    def collected() -> tuple[set[str], set[str]]:
        lineage = get_hook_lineage_collector().collected_assets
        return {one.asset.uri for one in lineage.inputs}, {one.asset.uri for one in lineage.outputs}

    yield collected
    plugin.unlink()
    forget()


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    connect(connection_json(bitbucket_emulator))
    return bitbucket_emulator


@pytest.mark.parametrize("partitioned", [False, True])
def test_an_extract_reports_its_source_and_its_file(
    bitbucket: BitbucketEmulator, run_task: Run, reported: Any, tmp_path: Path, partitioned: bool
):
    path = f"file://{tmp_path}/commits"
    done = run_task(BitbucketExtractOperator, dataset="commits", repositories="api", output_path=path, partitioned=partitioned)
    assert done.state == "success", done.log
    host = bitbucket.url.removeprefix("http://")
    assert reported() == ({f"bitbucket://{host}/acme/api/commits"}, {path})  # and no file beside it that is gone


def test_a_table_is_reported_with_its_database(
    bitbucket: BitbucketEmulator, run_task: Run, reported: Any, tmp_path: Path, connect: Callable[..., None]
):
    connect(f"sqlite:///{tmp_path}/lake.db", "lake")
    done = run_task(
        BitbucketToSqlOperator, dataset="branches", mode="replace", repositories="api", sql_conn_id="lake", table="refs"
    )
    assert done.state == "success", done.log
    assert {uri.rpartition("/lake.db/")[2] for uri in reported()[1]} == {"main/refs"}


def test_a_metric_reports_all_datasets_it_is_computed_from(
    bitbucket: BitbucketEmulator, run_task: Run, reported: Any, tmp_path: Path
):
    path = f"file://{tmp_path}/dora.parquet"
    done = run_task(BitbucketMetricsOperator, metric="dora", repositories="api", output_path=path)
    assert done.state == "success", done.log
    inputs, outputs = reported()
    assert {uri.rpartition("/acme/")[2] for uri in inputs} == {"api/deployments", "api/commits"}
    assert outputs == {path}


def test_a_task_that_calls_the_hook_reports_its_source(bitbucket: BitbucketEmulator, reported: Any):
    BitbucketHook().datasets.get_df("members")
    assert {uri.rpartition("/")[2] for uri in reported()[0]} == {"members"}


def test_openlineage_knows_what_a_bitbucket_address_is(airflow_home: Path):
    from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime

    asset = create_asset(workspace="acme", repository="api", dataset="pull_requests")
    assert asset.normalized_uri == "bitbucket://bitbucket.org/acme/api/pull_requests"
    assert ProvidersManagerTaskRuntime().asset_to_openlineage_converters["bitbucket"] is convert_asset_to_openlineage


@pytest.mark.parametrize(
    ("url", "schema", "table", "uri"),
    [
        ("postgresql+psycopg2://me:secret@db:5433/lake", "public", "prs", "postgresql://db:5433/lake/public/prs"),
        ("postgresql+psycopg2://me:secret@db/lake", "public", "raw.prs", "postgresql://db/lake/raw/prs"),
        ("sqlite:////data/lake.db", "main", "prs", "sqlite:///data/lake.db/main/prs"),
    ],
)
def test_the_address_of_a_table_has_no_user_and_no_password(url: str, schema: str, table: str, uri: str):
    import sqlalchemy as sa

    engine = sa.create_engine(url)
    engine.dialect.default_schema_name = schema  # what it learns when it connects
    assert table_uri(engine, table) == uri
