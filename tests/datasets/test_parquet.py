"""Files on disks and on stores without folders, also when they fail in the middle: the new rows or the old, never neither."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Barrier
from typing import Any

import pandas as pd
import pytest
from airflow.sdk.io import ObjectStoragePath, attach
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_bitbucket.extraction.dataset import Dataset
from airflow_provider_bitbucket.sinks.manifest import MANIFEST, Manifest
from airflow_provider_bitbucket.sinks.parquet import write_parquet

PULL_REQUESTS = Dataset("pull_requests")


class Bucket(MemoryFileSystem):
    """An object store: there are keys, and no folders."""

    store: dict[str, Any] = {}
    pseudo_dirs = [""]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        #: After how many more of them an upload, a deletion or the writing of a manifest fails; and whether all later ones fail.
        self.fails_after: dict[str, int] = {}
        self.for_good = False

    def mkdir(self, path: str, create_parents: bool = True, **kwargs: Any) -> None:
        pass

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        pass

    def put_file(self, lpath: str, rpath: str, **kwargs: Any) -> None:
        self._count("upload")
        super().put_file(lpath, rpath, **kwargs)

    def pipe_file(self, path: str, value: bytes, **kwargs: Any) -> None:
        self._count("manifest")
        super().pipe_file(path, value, **kwargs)

    def rm_file(self, path: str) -> None:
        self._count("delete")
        super().rm_file(path)

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        assert not recursive, f"deletes all of {path}"
        super().rm(path)

    def _count(self, what: str) -> None:
        if self.fails_after.get(what) == 0:
            if self.for_good:
                self.fails_after = dict.fromkeys(("upload", "delete", "manifest"), 0)
            else:
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


def contents(place: Any) -> dict[str, bytes]:
    """All files at and below a path."""
    if isinstance(place, Path):
        return {str(one): one.read_bytes() for one in [place, *place.rglob("*")] if one.is_file()}
    return {name: place.fs.cat_file(name) for name in place.fs.find(place.path)}


def add(place: Any, name: str, content: bytes = b"not ours") -> None:
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


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


def test_a_partitioned_dataset_replaces_exactly_the_files_of_the_run_before(place: Any):
    for numbers in ((1, 2), (2, 3, 4), ()):
        write(place, *numbers)
        assert len(contents(place)) == max(len(numbers), 1) + 1  # one a month, or the empty one, and the manifest
    assert beside(place) == ["prs"]


@pytest.mark.parametrize("partitioned", [True, False])
def test_a_folder_never_makes_way_for_a_file_nor_a_file_for_a_folder(place: Any, partitioned: bool):
    write(place, 1, partitioned=not partitioned)
    before = contents(place)
    with pytest.raises(ValueError, match=r"is a file, which is never|is a folder, which is never"):
        write(place, 2, partitioned=partitioned)
    assert contents(place) == before
    assert beside(place) == ["prs"]


OTHERS = st.sampled_from(
    [
        *("customers.parquet", ".DS_Store", "_SUCCESS", "deep/er/notes.txt", "month=2026-01/part-0.parquet", "1.parquet"),
        *("repository=acme%2Fapi/month=2026-01/1.parquet", f"repository=acme%2Fapi/month=2026-01/{'0' * 32}-1.parquet"),
        *(f"{'0' * 32}-1.parquet", "_bitbucket_manifest.json.bak", "repository=acme%2Fapi/.crc", "a/_bitbucket_manifest.json"),
    ]
)


@pytest.mark.parametrize("partitioned", [True, False])
@pytest.mark.parametrize("kind", ["bucket", "disk"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(others=st.sets(OTHERS, min_size=1), has_run=st.booleans(), content=st.binary(max_size=8))
def test_what_no_run_has_written_is_the_same_afterwards_and_named(
    bucket: Bucket, kind: str, partitioned: bool, others: set[str], has_run: bool, content: bytes
):
    with TemporaryDirectory() as folder:
        bucket.store.clear()
        place: Any = Path(folder) / "lake" if kind == "disk" else ObjectStoragePath("memory://bucket/lake", conn_id="bucket")
        if has_run:
            write(place, 1, 2)
        for name in others:
            add(place, name, content)
        before = contents(place)
        with pytest.raises(ValueError, match="Nothing was written") as refusal:
            write(place, 3, partitioned=partitioned)
        assert contents(place) == before
        named = [name for name in others if name.split("/")[0] in str(refusal.value)]
        assert named or "more" in str(refusal.value)
        assert beside(place) == ["lake"]


def test_a_hidden_file_is_refused_by_name(place: Any):
    write(place, 1)
    add(place, ".DS_Store")
    with pytest.raises(ValueError, match=r"files that no earlier run wrote: \.DS_Store\. Nothing was written"):
        write(place, 2)


def test_of_many_files_the_first_are_named_and_the_others_counted(place: Any):
    for number in range(1, 8):
        add(place, f"{number}.csv")
    with pytest.raises(ValueError, match=r"contains 1\.csv, 2\.csv, 3\.csv, 4\.csv, 5\.csv and 2 more\."):
        write(place, 1)


def test_links_and_empty_folders_of_others_are_kept(tmp_path: Path):
    place = tmp_path / "prs"
    for make in (lambda path: path.mkdir(), lambda path: path.symlink_to(tmp_path), lambda path: path.symlink_to("gone")):
        write(place, 1)
        make(other := place / "other")
        with pytest.raises(ValueError, match="earlier run wrote: other"):
            write(place, 2)
        assert ids_of(place) == [1]
        other.rmdir() if other.is_dir() and not other.is_symlink() else other.unlink()


def ids_of(place: Path) -> list[int]:
    return sorted(number for file in place.rglob("*.parquet") for number in pd.read_parquet(file)["id"])


@pytest.mark.parametrize("partitioned", [True, False])
def test_a_link_a_device_and_a_path_below_a_file_are_refused(tmp_path: Path, partitioned: bool):
    (tmp_path / "file").write_text("not ours")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    for name, reason in (("link", "symbolic link"), ("pipe", "neither a file nor"), ("file/prs", "not a folder")):
        with pytest.raises(ValueError, match=reason):
            write(tmp_path / name, 1, partitioned=partitioned)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "not ours"
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"[]",
        b"[" * 200_000,
        b'{"format": 2, "dataset": "pull_requests", "files": [], "pending": []}',
        b'{"format": 1, "dataset": "pull_requests", "files": null, "pending": []}',
        *(
            json.dumps({"format": 1, "dataset": "pull_requests", "files": [], "pending": [name]}).encode()
            for name in (
                "../other.parquet",
                "/etc/passwd",
                "customers.parquet",
                f"repository=../../{'0' * 32}-1.parquet",
                "",
                None,
            )
        ),
    ],
)
def test_a_manifest_that_no_run_can_have_written_is_refused(place: Any, manifest: bytes):
    add(place.parent, "other.parquet")
    add(place, "customers.parquet")
    add(place, MANIFEST, manifest)
    before = contents(place.parent)
    with pytest.raises(ValueError, match="folder with a malformed _bitbucket_manifest"):
        write(place, 1)
    assert contents(place.parent) == before


def test_the_folder_of_another_dataset_is_refused(place: Any):
    write(place, 1)
    with pytest.raises(ValueError, match="contains dataset 'pull_requests', not 'environments'"):
        write_parquet(Dataset("environments"), [], place, partitioned=True)
    assert ids(place) == [1]


def test_a_file_that_comes_into_the_folder_while_bitbucket_is_read_is_kept(place: Any):
    write(place, 1)

    def rows() -> Iterator[Any]:
        yield {"repository": "acme/api", "pull_request": {"id": 2, "created_on": "2026-02-01T00:00:00Z"}}
        add(place, "late.txt")

    before = contents(place)
    with pytest.raises(ValueError, match=r"late\.txt"):
        write_parquet(PULL_REQUESTS, rows(), place, partitioned=True)
    after = contents(place)
    assert after.pop(next(name for name in after if name.endswith("late.txt"))) == b"not ours"
    assert after == before
    assert beside(place) == ["prs"]


def test_a_run_that_another_one_overtakes_replaces_its_files(place: Any):
    write(place, 1)

    def rows() -> Iterator[Any]:
        yield {"repository": "acme/api", "pull_request": {"id": 2, "created_on": "2026-02-01T00:00:00Z"}}
        write(place, 5, 6)

    write_parquet(PULL_REQUESTS, rows(), place, partitioned=True)
    assert ids(place) == [2]
    assert len(contents(place)) == 2


def test_runs_that_end_together_leave_the_rows_of_one_on_a_disk(tmp_path: Path):
    place, start = tmp_path / "prs", Barrier(4)

    def run(number: int) -> None:
        start.wait()
        for _ in range(5):
            write(place, number, number + 4)

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(run, number) for number in range(1, 5)]:
            done.result()
    assert ids(place) in [[number, number + 4] for number in range(1, 5)]
    assert beside(place) == ["prs"]


# Yesterday has two files, today two others.
@pytest.mark.parametrize("for_good", [False, True])
@pytest.mark.parametrize(
    ("what", "after", "left"),
    [
        *(("manifest", 0, "old"), ("upload", 0, "old"), ("upload", 1, "old"), ("manifest", 1, "old")),
        *(("delete", 0, "new"), ("delete", 1, "new"), ("manifest", 2, "new")),
    ],
)
def test_a_store_that_fails_has_the_rows_of_one_run_in_its_manifest_and_the_next_run_cleans_up(
    bucket: Bucket, what: str, after: int, left: str, for_good: bool
):
    place = ObjectStoragePath("memory://lake/prs", conn_id="bucket")
    write(place, 1, 2)
    bucket.fails_after, bucket.for_good = {what: after}, for_good
    with pytest.raises(OSError, match="503"):
        write(place, 3, 4)
    bucket.fails_after = {}
    files = Manifest.read(place).files
    rows = sorted(number for name in files for number in pd.read_parquet(f"{place.path}/{name}", filesystem=bucket)["id"])
    assert rows == ([1, 2] if left == "old" else [3, 4])
    if left == "old" and not for_good:
        assert ids(place) == [1, 2]
    write(place, 5)
    assert ids(place) == [5]
    assert len(contents(place)) == 2


def test_a_disk_that_fails_while_folders_are_moved_keeps_the_rows_of_yesterday(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
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
