"""Write a dataset to Parquet: as it is read, beside its place, and into place when it is whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from airflow_provider_bitbucket.datasets.extract import Dataset

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from airflow_provider_bitbucket.datasets.schema import Schema

#: Rows turned into a piece of a Parquet file at a time, so that memory does not grow with their number.
_BATCH = 5_000
#: Files of a folder that are open at a time. Object stores hold tens of megabytes for each, and rows come by repository and time.
_MOST_OPEN = 3

Write = Callable[["pd.DataFrame"], None]


def write_parquet(dataset: Dataset, records: Iterable[Any], path: Any, *, partitioned: bool = False) -> int:
    """Write records to Parquet and return their number.

    It is written beside its place and moved there when it is whole, so a crash leaves the old file or none. Memory does not
    grow with the number of rows. ``pandas.read_parquet`` gives the dtypes of the schema back, and every column if there are no
    rows.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``; what was there is replaced
    :param partitioned: make it a folder of files, ``repository=acme%2Fapi/month=2026-11/1.parquet``: by the month of the first
        moment among the dataset's columns (``created_on`` of a pull request), ``none`` where it has none. The repository is then
        in the names alone
    """
    rows = 0
    with (_folder if partitioned else _file)(dataset, path) as write:
        rest = iter(records)
        # Not as lists of records, which take ten times as much as the frame they become.
        for first in rest:  # a batch can have records and no rows
            frame = dataset.frame(chain([first], islice(rest, _BATCH - 1)))
            if len(frame):
                write(frame)
            rows += len(frame)
    return rows


def write_frame(frame: pd.DataFrame, path: Any) -> None:
    """Write a frame that is there to a Parquet file, likewise.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``; what was there is replaced
    """
    with _beside(path) as beside, _writing(beside) as file:
        frame.to_parquet(file, index=False)


def write_text(text: str, path: Any) -> None:
    """Write a text as UTF-8, likewise.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``; what was there is replaced
    """
    with _beside(path) as beside, _writing(beside) as file:
        file.write(text.encode())


@contextmanager
def _file(dataset: Dataset, path: Any) -> Iterator[Write]:
    with _beside(path) as beside, _parquet(beside, dataset.schema.arrow()) as write:
        yield write


@contextmanager
def _folder(dataset: Dataset, path: Any) -> Iterator[Write]:
    month_of, by_repository = dataset.schema.moment, "repository" in dataset.schema.names
    schema = dataset.schema.arrow(without=["repository"] if by_repository else [])
    numbers = count(1)
    with _beside(path, is_folder=True) as beside, ExitStack() as all_open:
        beside.mkdir()
        open_files: dict[str, tuple[ExitStack, Write]] = {}

        def writer(folder: str) -> Write:
            if folder not in open_files:
                if len(open_files) == _MOST_OPEN:
                    open_files.pop(next(iter(open_files)))[0].close()
                (beside / folder).mkdir(parents=True, exist_ok=True)
                file = all_open.enter_context(ExitStack())
                open_files[folder] = file, file.enter_context(_parquet(beside / folder / f"{next(numbers)}.parquet", schema))
            open_files[folder] = open_files.pop(folder)  # the one used longest ago is closed first
            return open_files[folder][1]

        def write(frame: pd.DataFrame) -> None:
            folders = "repository=" + frame["repository"].map(lambda name: quote(name, safe="")) + "/" if by_repository else ""
            if month_of:
                folders = folders + "month=" + frame[month_of].dt.strftime("%Y-%m").fillna("none")
            elif not by_repository:
                raise ValueError(f"{dataset.name} has neither repository nor moment to be partitioned by")
            for folder, rows in frame[schema.names].groupby(folders, sort=False):
                writer(str(folder))(rows)

        yield write
        if next(numbers) == 1:  # a folder without a file has no columns, and in an object store there is no such thing
            _write_empty(beside / "0.parquet", dataset.schema, with_month=bool(month_of))


def _write_empty(path: Any, schema: Schema, *, with_month: bool) -> None:
    """Write the file of no rows, with the columns that otherwise stand in the names of folders."""
    import pyarrow as pa

    arrow = schema.arrow()
    with _parquet(path, arrow.append(pa.field("month", pa.string())) if with_month else arrow):
        pass


@contextmanager
def _parquet(path: Any, schema: pa.Schema) -> Iterator[Write]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with _writing(path) as file, pq.ParquetWriter(file, schema) as writer:
        yield lambda frame: writer.write_table(pa.Table.from_pandas(frame, schema=schema, preserve_index=False))


def _writing(path: Any) -> Any:
    # Not the path's own open, with which Airflow tells lineage of every file that is written: these are moved when whole.
    return path.fs.open(path.path, "wb") if hasattr(path, "fs") else path.open("wb")


@contextmanager
def _beside(path: Any, *, is_folder: bool = False) -> Iterator[Any]:
    """Give a place beside a file or folder, and move what is there into its place when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside, old = (path.parent / f".{path.name}.{uuid4().hex}.{kind}" for kind in ("part", "old"))
    try:
        yield beside
        if is_folder or path.is_dir():  # which no file system replaces at once
            _exchange(path, beside, old)
        else:
            beside.replace(path)
    except BaseException:
        _remove(beside)
        raise


def _exchange(path: Any, new: Any, old: Any) -> None:
    """Move what is in a place away and the new into it; when that fails, put back what was there."""
    was_there, is_free = path.exists(), False
    try:
        if was_there:
            _move(path, old)
        is_free = True
        _move(new, path)
    except BaseException as error:
        try:
            if is_free:
                _remove(path)  # what came of the new
            if was_there:
                _put_back(old, path)
        except Exception as failure:
            error.add_note(f"What {path} held before is now, all or in part, in {old}: it could not be put back ({failure}).")
        raise
    _remove(old)


def _put_back(old: Any, path: Any) -> None:
    """Move a file or folder back to where it was, of which all or, on a store that moves file by file, a part may still be."""
    if not path.exists():
        _move(old, path)
    elif hasattr(path, "fs"):
        for name in path.fs.find(old.path):
            if not path.fs.exists(place := path.path + name.removeprefix(old.path)):
                path.fs.copy(name, place)
    _remove(old)


def _move(path: Any, to: Any) -> None:
    if hasattr(path, "fs"):
        path.fs.mv(path.path, to.path, recursive=True)
    else:
        path.rename(to)


def _remove(path: Any) -> None:
    if not path.exists():
        return
    if not path.is_dir():
        path.unlink()
    elif hasattr(path, "fs"):
        path.fs.rm(path.path, recursive=True)
    else:
        shutil.rmtree(path)
