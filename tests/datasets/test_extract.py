"""Reading several repositories and writing files: all of it or nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_bitbucket.client import BitbucketNotFoundError
from airflow_provider_bitbucket.extraction.dataset import Dataset
from airflow_provider_bitbucket.parameters import interval
from airflow_provider_bitbucket.sinks.parquet import write_parquet
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator_data import REVIEWER, client_of, frame_of, open_pull_request

PULL_REQUESTS = Dataset("pull_requests")


@pytest.fixture(scope="module")
def three() -> Iterator[BitbucketEmulator]:
    """Three repositories with 4 pull requests each: api, service-2, service-3; for reading."""
    with BitbucketEmulator("large", speed=0, now=NOW, pull_requests=12, repositories=3) as bitbucket:
        yield bitbucket


def test_all_repositories_of_the_workspace_are_read_unless_some_are_named(three: BitbucketEmulator):
    three.reset_requests()
    frame = frame_of(three, repositories=None)
    assert frame.groupby("repository", observed=True).size().to_dict() == {
        "acme/api": 4,
        "acme/service-2": 4,
        "acme/service-3": 4,
    }
    assert sum(three.requests().values()) == 1 + 3
    assert set(frame_of(three, repositories=["service-2", "acme/api"])["repository"]) == {"acme/api", "acme/service-2"}
    assert set(frame_of(three, repositories="service-3")["repository"]) == {"acme/service-3"}
    assert frame_of(three, repositories=[]).empty


def test_a_repository_named_twice_is_read_once(three: BitbucketEmulator):
    assert len(frame_of(three, repositories=["api", "acme/api"])) == 4


def test_the_log_says_what_each_repository_cost(three: BitbucketEmulator, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    frame_of(three, repositories=["api", "service-2"])
    lines = [line for line in caplog.messages if line.startswith("pull_requests of")]
    assert lines[0].startswith("pull_requests of acme/api (1 of 2): 4 rows, 1 requests, ")
    assert lines[1].startswith("pull_requests of acme/service-2 (2 of 2): 4 rows, 1 requests, ")


def test_a_repository_that_can_not_be_read_is_named(three: BitbucketEmulator, caplog: pytest.LogCaptureFixture):
    with pytest.raises(BitbucketNotFoundError) as error:
        frame_of(three, repositories=["api", "gone"])
    assert error.value.__notes__ == ["Raised while reading pull_requests of acme/gone."]
    assert "pull_requests of acme/gone cannot be read" in caplog.text


def test_there_is_no_dataset_by_another_name():
    with pytest.raises(ValueError, match=r"no dataset 'pull_request'; expected one of pull_requests, "):
        Dataset("pull_request")


def test_parquet_holds_the_same_rows_and_dtypes_as_the_frame(three: BitbucketEmulator, tmp_path: Path):
    path = tmp_path / "deep" / "prs.parquet"
    records = PULL_REQUESTS.records(client_of(three), with_activity=True)
    assert write_parquet(PULL_REQUESTS, records, path) == 12
    pd.testing.assert_frame_equal(pd.read_parquet(path), frame_of(three, repositories=None, with_activity=True))
    assert list(path.parent.iterdir()) == [path]


def test_parquet_of_no_rows_has_every_column(bitbucket_emulator: BitbucketEmulator, tmp_path: Path):
    path = tmp_path / "prs.parquet"
    assert write_parquet(PULL_REQUESTS, PULL_REQUESTS.records(client_of(bitbucket_emulator)), path) == 0
    expected = {column.name: column.dtype for column in PULL_REQUESTS.schema}
    assert pd.read_parquet(path).dtypes.astype(str).str.partition("[python")[0].to_dict() == expected


def test_many_rows_are_written_in_pieces(tmp_path: Path):
    import pyarrow.parquet as pq

    path = tmp_path / "prs.parquet"
    row = {"created_on": "2026-10-01T08:00:00+00:00", "updated_on": "2026-10-01T08:00:00+00:00"}
    states = ["OPEN", "PARKED"]  # the second kind comes with the second piece
    records = (
        {"repository": "acme/api", "pull_request": {"id": number, "state": states[number >= 5000], **row}}
        for number in range(5001)
    )
    assert write_parquet(PULL_REQUESTS, records, path) == 5001
    assert pq.ParquetFile(path).num_row_groups == 2
    assert pd.read_parquet(path)["state"].value_counts()[states].to_dict() == {"OPEN": 5000, "PARKED": 1}


@pytest.mark.parametrize("there_before", [True, False])
def test_a_crash_while_writing_leaves_the_old_file_or_none(three: BitbucketEmulator, tmp_path: Path, there_before: bool):
    path = tmp_path / "prs.parquet"
    if there_before:
        path.write_bytes(b"yesterday")
    with pytest.raises(BitbucketNotFoundError):
        write_parquet(PULL_REQUESTS, PULL_REQUESTS.records(client_of(three), ["api", "gone"]), path)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == (
        [("prs.parquet", b"yesterday")] if there_before else []
    )


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_parquet_goes_to_any_object_storage(bitbucket_emulator: BitbucketEmulator, tmp_path: Path, scheme: str):
    from airflow.sdk.io import ObjectStoragePath, attach
    from fsspec.implementations.memory import MemoryFileSystem

    open_pull_request(bitbucket_emulator, (1, "approve", REVIEWER))
    attach("memory", fs=MemoryFileSystem())
    path = ObjectStoragePath(f"{scheme}://{tmp_path}/out/prs.parquet")
    for _ in range(2):  # the second replaces the first
        assert write_parquet(PULL_REQUESTS, PULL_REQUESTS.records(client_of(bitbucket_emulator)), path) == 1
    with path.open("rb") as file:
        assert len(pd.read_parquet(file)) == 1
    assert [one.name for one in path.parent.iterdir()] == ["prs.parquet"]


TIMESTAMP = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-02T00:00:00+00:00",
        "2026-11-02T01:00:00+01:00",
        "2026-11-02T00:00:00Z",
        " 2026-11-02 ",
        TIMESTAMP,
        TIMESTAMP.replace(tzinfo=None),
        TIMESTAMP.astimezone(timezone(timedelta(hours=-5))),
        date(2026, 11, 2),
    ],
)
def test_a_timestamp_can_be_written_in_many_ways(value: Any):
    assert interval(value, None) == (TIMESTAMP, None)
    assert interval(None, value) == (None, TIMESTAMP)


@pytest.mark.parametrize("nothing", [None, "", " ", "None"])
def test_a_template_that_renders_to_nothing_bounds_nothing(nothing: Any):
    assert interval(nothing, nothing) == (None, None)


@pytest.mark.parametrize("value", ["yesterday", "02.11.2026", 7])
def test_a_malformed_timestamp_is_refused_with_the_name_of_its_parameter(value: Any):
    with pytest.raises(ValueError, match=r"until is .* expected an ISO 8601 timestamp such as"):
        interval("2026-11-02", value)


def test_an_interval_the_wrong_way_round_is_refused():
    with pytest.raises(ValueError, match=r"until .* is before since"):
        interval("2026-11-02", "2026-11-01")


def test_a_folder_by_repository_and_month_reads_back_as_the_same_rows(three: BitbucketEmulator, tmp_path: Path):
    path = tmp_path / "prs"
    for _ in range(2):  # the second replaces the first
        assert write_parquet(PULL_REQUESTS, PULL_REQUESTS.records(client_of(three)), path, partitioned=True) == 12
    expected = frame_of(three, repositories=None)
    months = expected["created_on"].dt.strftime("%Y-%m")
    folders = {f"repository=acme%2F{name[5:]}/month={month}" for name, month in zip(expected["repository"], months, strict=True)}
    assert {str(file.parent.relative_to(path)) for file in path.rglob("*.parquet")} == folders
    frame = pd.read_parquet(path)
    frame["repository"] = frame["repository"].astype("string")
    assert (frame["created_on"].dt.strftime("%Y-%m") == frame["month"].astype(str)).all()
    key = ["repository", "id"]
    pd.testing.assert_frame_equal(
        frame[list(expected.columns)].sort_values(key, ignore_index=True), expected.sort_values(key, ignore_index=True)
    )
    assert [one.name for one in tmp_path.iterdir()] == ["prs"]
    only = pd.read_parquet(path, filters=[("repository", "==", "acme/api")])
    assert len(only) == 4


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(three: BitbucketEmulator, tmp_path: Path):
    path = tmp_path / "prs"
    write_parquet(PULL_REQUESTS, PULL_REQUESTS.records(client_of(three), "service-2"), path, partitioned=True)
    with pytest.raises(BitbucketNotFoundError):
        write_parquet(PULL_REQUESTS, PULL_REQUESTS.records(client_of(three), ["api", "gone"]), path, partitioned=True)
    assert {one.name for one in path.iterdir()} == {"_bitbucket_manifest.json", "repository=acme%2Fservice-2"}
    write_parquet(PULL_REQUESTS, PULL_REQUESTS.records(client_of(three), ["api"]), path, partitioned=True)
    assert {one.name for one in path.iterdir()} == {"_bitbucket_manifest.json", "repository=acme%2Fapi"}
    assert [one.name for one in tmp_path.iterdir()] == ["prs"]


def test_a_folder_has_few_files_open_at_a_time_and_loses_no_row(tmp_path: Path):
    dates = [f"2026-{number % 9 + 1:02}-01T00:00:00Z" for number in range(6000)]
    records = (
        {"repository": "acme/api", "pull_request": {"id": number, "created_on": date}} for number, date in enumerate(dates)
    )
    assert write_parquet(PULL_REQUESTS, records, tmp_path / "prs", partitioned=True) == 6000
    frame = pd.read_parquet(tmp_path / "prs")
    assert sorted(frame["id"]) == list(range(6000))
    assert set(frame["month"]) == {f"2026-{month:02}" for month in range(1, 10)}


@pytest.mark.parametrize("scheme", ["file", "memory"])
def test_a_folder_goes_to_any_object_storage(three: BitbucketEmulator, tmp_path: Path, scheme: str):
    from airflow.sdk.io import ObjectStoragePath, attach
    from fsspec.implementations.memory import MemoryFileSystem

    attach("memory", fs=MemoryFileSystem())
    path = ObjectStoragePath(f"{scheme}://{tmp_path}/out/prs")
    for _ in range(2):
        assert write_parquet(PULL_REQUESTS, PULL_REQUESTS.records(client_of(three)), path, partitioned=True) == 12
    assert sorted(one.name for one in path.iterdir()) == [
        "_bitbucket_manifest.json",
        *(f"repository=acme%2F{name}" for name in ("api", "service-2", "service-3")),
    ]
    assert [one.name for one in path.parent.iterdir()] == ["prs"]


def test_rows_without_repository_or_timestamp_have_a_partition(tmp_path: Path):
    rows = [{"repository": "acme/api", "environment": {"uuid": "{1}"}}]
    assert write_parquet(Dataset("environments"), rows, tmp_path / "environments", partitioned=True) == 1
    (file,) = tmp_path.rglob("*.parquet")
    assert str(file.parent.relative_to(tmp_path)) == "environments/repository=acme%2Fapi"
    assert file.name.endswith("-1.parquet")
