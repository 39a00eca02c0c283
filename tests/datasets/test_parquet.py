"""Files on stores that have no folders, and on disks that fail in the middle: the new data or the old, never neither."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from airflow.sdk.io import ObjectStoragePath, attach
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_bitbucket.datasets.extract import Dataset
from airflow_provider_bitbucket.datasets.parquet import write_parquet

PULL_REQUESTS = Dataset("pull_requests")


class Bucket(MemoryFileSystem):
    """An object store: there are keys, and no folders; a folder is moved key by key."""

    store: dict[str, Any] = {}
    pseudo_dirs = [""]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        #: After how many more of them copying, or deleting, a key fails; and whether it does so from then on.
        self.fails_after: dict[str, int] = {}
        self.for_good = False

    def mkdir(self, path: str, create_parents: bool = True, **kwargs: Any) -> None:
        pass

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        pass

    def cp_file(self, path1: str, path2: str, **kwargs: Any) -> None:
        if not self.isdir(path1):
            self._count("copy")
            super().cp_file(path1, path2, **kwargs)

    def rm(self, path: str, recursive: bool = False, maxdepth: int | None = None) -> None:
        for key in self.find(path):
            self._count("delete")
            del self.store[key]

    def _count(self, what: str) -> None:
        if self.fails_after.get(what) == 0:
            if not self.for_good:
                self.fails_after.clear()
            raise OSError("503 Slow Down")
        if what in self.fails_after:
            self.fails_after[what] -= 1


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    """An empty bucket, at ``memory://`` with connection ``bucket``."""
    store = Bucket(skip_instance_cache=True)
    store.store.clear()
    attach("memory", conn_id="bucket").fs = store
    yield store
    store.store.clear()


@pytest.fixture(params=["bucket", "disk"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Where the folder is to be, on a store without folders and on a disk."""
    if request.param == "disk":
        return tmp_path / "lake" / "prs"
    request.getfixturevalue("bucket")
    return ObjectStoragePath("memory://lake/prs", conn_id="bucket")


def write(place: Any, *numbers: int, partitioned: bool = True) -> None:
    rows = (
        {"repository": "acme/api", "pull_request": {"id": one, "created_on": f"2026-{one:02}-01T00:00:00Z"}} for one in numbers
    )
    assert write_parquet(PULL_REQUESTS, rows, place, partitioned=partitioned) == len(numbers)


def read(place: Any) -> pd.DataFrame:
    return pd.read_parquet(place if isinstance(place, Path) else place.path, filesystem=getattr(place, "fs", None))


def ids(place: Any) -> list[int]:
    return sorted(read(place)["id"])


def beside(place: Any) -> list[str]:
    return [one.name for one in place.parent.iterdir()]


@pytest.mark.parametrize("there_before", [True, False])
def test_a_folder_of_no_rows_has_every_column_and_replaces_the_one_of_yesterday(place: Any, there_before: bool):
    if there_before:
        write(place, 1, 2)
        columns = set(read(place))
    write(place)
    frame = read(place)
    assert frame.empty
    assert set(frame) == (columns if there_before else {*PULL_REQUESTS.schema.names, "month"})
    assert beside(place) == ["prs"]
    write(place, 3)
    assert ids(place) == [3]


@pytest.mark.parametrize("partitioned", [True, False])
def test_a_folder_makes_way_for_a_file_and_a_file_for_a_folder(place: Any, partitioned: bool):
    write(place, 1, partitioned=not partitioned)
    write(place, 2, partitioned=partitioned)
    assert ids(place) == [2]
    assert beside(place) == ["prs"]


# Of the two files that are moved away, then of the two that come into their place.
@pytest.mark.parametrize("after", [0, 1, 2, 3])
@pytest.mark.parametrize("what", ["copy", "delete"])
def test_a_store_that_fails_while_folders_are_moved_keeps_the_data_of_yesterday(bucket: Bucket, what: str, after: int):
    place = ObjectStoragePath("memory://lake/prs", conn_id="bucket")
    write(place, 1, 2)
    bucket.fails_after = {what: after}
    with pytest.raises(OSError, match="503"):
        write(place, 3, 4)
    assert ids(place) == [1, 2]
    assert beside(place) == ["prs"]


def test_a_store_that_fails_when_only_the_data_of_yesterday_is_left_to_remove_has_the_new(bucket: Bucket):
    place = ObjectStoragePath("memory://lake/prs", conn_id="bucket")
    write(place, 1, 2)
    bucket.fails_after = {"delete": 5}
    with pytest.raises(OSError, match="503"):
        write(place, 3, 4)
    assert ids(place) == [3, 4]


def test_a_disk_that_fails_while_folders_are_moved_keeps_the_data_of_yesterday(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write(tmp_path / "prs", 1, 2)
    rename = Path.rename

    def full(self: Path, target: Path) -> Path:
        if self.name.endswith(".part"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / "prs", 3, 4)
    assert ids(tmp_path / "prs") == [1, 2]
    assert beside(tmp_path / "prs") == ["prs"]


def test_a_store_that_stays_out_of_order_says_where_the_data_of_yesterday_is(bucket: Bucket):
    place = ObjectStoragePath("memory://lake/prs", conn_id="bucket")
    write(place, 1, 2)
    bucket.fails_after, bucket.for_good = {"copy": 3}, True
    with pytest.raises(OSError, match="503") as caught:
        write(place, 3, 4)
    (kept,) = (one for one in place.parent.iterdir() if one.name.endswith(".old"))
    assert ids(kept) == [1, 2]
    assert caught.value.__notes__ == [
        f"What {place} held before is now, all or in part, in {kept}: it could not be put back (503 Slow Down)."
    ]
