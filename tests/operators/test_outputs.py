"""An output path that may not be written is refused before the first request and stays unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import Asset
from airflow.sdk.execution_time.context import OutletEventAccessors
from airflow.sdk.io import ObjectStoragePath, attach
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator
from airflow_provider_bitbucket.operators.metrics import BitbucketMetricsOperator
from airflow_provider_bitbucket.operators.report import BitbucketReportOperator
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator_data import asked, open_pull_request

Run = Callable[..., Any]
Write = Callable[[str], Any]


def write_pull_requests(path: str, **options: Any) -> None:
    hook = BitbucketHook()
    hook.files.write_dataset(hook.datasets.read("pull_requests", repositories="api"), path, **options)


WRITERS: dict[str, Write] = {
    "extract": lambda path: BitbucketExtractOperator(task_id="write", output_path=path).execute({}),
    "partitioned extract": lambda path: BitbucketExtractOperator(task_id="write", output_path=path, partitioned=True).execute({}),
    "metrics": lambda path: BitbucketMetricsOperator(task_id="write", metric="dora", output_path=path).execute({}),
    "report": lambda path: BitbucketReportOperator(task_id="write", output_path=path).execute({"data_interval_end": NOW}),
    "hook": lambda path: write_pull_requests(path),
    "partitioned hook": lambda path: write_pull_requests(path, partitioned=True),
}


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """A pull request, and a connection."""
    connect(connection_json(bitbucket_emulator))
    open_pull_request(bitbucket_emulator)
    bitbucket_emulator.reset_requests()
    return bitbucket_emulator


@pytest.fixture(params=WRITERS)
def write(request: pytest.FixtureRequest) -> Write:
    return WRITERS[request.param]


@pytest.fixture(params=["file", "memory"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStoragePath]:
    """A folder with files of others, on a disk and in a store."""
    store = MemoryFileSystem()
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    attach("memory").fs = store
    root = ObjectStoragePath(f"file://{tmp_path}/data/lake" if request.param == "file" else "memory://data/lake")
    for name in ("customers.parquet", "deep/.hidden"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"not ours")
    yield root
    store.store.clear()


def contents(folder: ObjectStoragePath) -> dict[str, bytes]:
    return {name: folder.fs.cat_file(name) for name in folder.fs.find(folder.path)}


@pytest.mark.parametrize("rendered", ["{}", "{}/", "{}/deep", "{}//", "{}/..", "{}/customers.parquet/", "{}/../lake"])
def test_a_folder_is_refused_before_any_request_and_keeps_its_files(
    bitbucket: BitbucketEmulator, write: Write, lake: ObjectStoragePath, rendered: str
):
    before = contents(lake.parent)
    with pytest.raises(ValueError, match=r"^Output path .* Nothing was written"):
        write(rendered.format(lake))
    assert asked(bitbucket) == {}
    assert contents(lake.parent) == before


@pytest.mark.parametrize(
    "path", ["", "None", "~/out", "memory://data", "memory:///out", "out.csv", "out.pdf", "s3x://bucket/out"]
)
def test_an_unusable_output_path_is_refused_before_any_request(
    bitbucket: BitbucketEmulator, write: Write, lake: ObjectStoragePath, path: str
):
    before = contents(lake.parent)
    with pytest.raises(ValueError, match=r"^(Output path|output_path is|path is)"):
        write(path)
    assert asked(bitbucket) == {}
    assert contents(lake.parent) == before


@pytest.mark.parametrize("path", ["gs://bucket/out", "nosuch://bucket/out"])
def test_a_store_whose_package_is_missing_is_refused_before_any_request(bitbucket: BitbucketEmulator, write: Write, path: str):
    with pytest.raises(ValueError, match=r"has no file system in this Airflow: .* Install Airflow's provider for it"):
        write(path)
    assert asked(bitbucket) == {}


def test_a_dataset_that_cannot_be_partitioned_is_refused_before_any_request(bitbucket: BitbucketEmulator, tmp_path: Path):
    with pytest.raises(ValueError, match="'members' has neither repository nor timestamp"):
        BitbucketExtractOperator(task_id="write", dataset="members", output_path=f"{tmp_path}/m", partitioned=True).execute({})
    assert asked(bitbucket) == {}


@pytest.mark.parametrize("name", ["out", "out.parquet"])
def test_files_of_others_in_the_same_folder_stay(bitbucket: BitbucketEmulator, lake: ObjectStoragePath, name: str):
    before = contents(lake)
    for _ in range(2):  # the second replaces the first
        for partitioned in (False, True):
            path = f"{lake}/{partitioned}-{name}"
            BitbucketExtractOperator(task_id="write", output_path=path, partitioned=partitioned).execute({})
    assert before.items() <= contents(lake).items()
    assert {one.name for one in lake.iterdir()} == {"customers.parquet", "deep", f"True-{name}", f"False-{name}"}


@pytest.mark.airflow
def test_a_template_that_renders_to_nothing_is_no_folder_of_others(bitbucket: BitbucketEmulator, run_task: Run, tmp_path: Path):
    (tmp_path / "customers.parquet").write_bytes(b"not ours")
    for path in ("file://{{ params.folder }}/{{ params.name }}", "{{ params.name }}"):
        done = run_task(
            BitbucketExtractOperator, params={"folder": str(tmp_path), "name": ""}, output_path=path, partitioned=True
        )
        assert (done.state, type(done.error)) == ("failed", ValueError)
        assert "rendered to nothing" in str(done.error)
    assert asked(bitbucket) == {}
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("customers.parquet", b"not ours")]


class Store(dict[str, Any]):
    """A state as Airflow keeps it."""

    set = dict.__setitem__


@pytest.mark.parametrize("path", ["s3://lake/prs.parquet", "/lake/prs", "/lake/" + "prs"])
def test_an_incremental_task_with_a_constant_path_is_refused_when_the_dag_is_parsed(path: str):
    with pytest.raises(ValueError, match=r"constant output_path .* Put a template such as \{\{ run_id \}\} into it"):
        BitbucketExtractOperator(task_id="extract", incremental=True, output_path=path, outlets=[Asset("prs")])


@pytest.mark.parametrize("partitioned", [False, True])
def test_an_incremental_run_replaces_what_it_wrote_itself_and_nothing_of_another_run(
    bitbucket: BitbucketEmulator, tmp_path: Path, partitioned: bool
):
    asset, states = Asset("prs"), Store()

    def run(task: Store, name: str) -> int:
        context: Any = {
            "outlet_events": OutletEventAccessors(),
            "asset_state_store": {asset: states},
            "task_state_store": task,
            "name": name,
        }
        operator = BitbucketExtractOperator(
            task_id="extract",
            incremental=True,
            output_path=f"file://{tmp_path}/{{{{ name }}}}",
            partitioned=partitioned,
            outlets=[asset],
        )
        operator.render_template_fields(context)
        rows: int = operator.execute(context)["rows"]
        return rows

    first, second = Store(), Store()
    assert run(first, "1") == 1
    requests = asked(bitbucket)
    with pytest.raises(ValueError, match="exists, and an incremental run would replace the rows of earlier runs"):
        run(second, "1")
    assert asked(bitbucket) == requests
    assert len(pd.read_parquet(tmp_path / "1")) == 1
    assert run(first, "1") == 1  # tried again, or cleared
    assert run(second, "2") == 0
    assert datetime.fromisoformat(next(iter(states.values()))) < datetime.now(UTC)
