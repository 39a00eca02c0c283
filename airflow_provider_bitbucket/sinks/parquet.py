"""Write a dataset to Parquet while it is read: to a temporary file, which is moved to its path when it is complete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from airflow_provider_bitbucket.extraction.dataset import Dataset
from airflow_provider_bitbucket.sinks.outputs import check_file, check_partitions
from airflow_provider_bitbucket.sinks.partitions import staged

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from airflow_provider_bitbucket.datasets.schema import Schema

#: Rows of a row group, so that memory does not grow with the number of rows.
_BATCH = 5_000
#: Files of a folder that are open at a time. Each takes memory, and rows come in order of repository and time.
_MOST_OPEN = 3

Write = Callable[["pd.DataFrame"], None]


def write_parquet(dataset: Dataset, records: Iterable[Any], path: Any, *, partitioned: bool = False) -> int:
    """Write records to Parquet and return their number.

    A temporary file beside the path is moved to it when it is complete, so a crash leaves the old file or none. Memory does not
    grow with the number of rows. ``pandas.read_parquet`` returns all columns with the dtypes of the schema, even without rows.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``; an existing file is replaced
    :param partitioned: write a folder of files, ``repository=acme%2Fapi/month=2026-11/<run>-1.parquet``. The month is that of the
        first timestamp column (``created_on`` of a pull request), ``none`` if it is null. The repository is then only in the
        names. Files of an earlier run are replaced
    :raises ValueError: the path is a folder, or, if partitioned, has content that no earlier run wrote
    """
    rows = 0
    with (_folder if partitioned else _file)(dataset, path) as write:
        rest = iter(records)
        # Not as lists of records, which take ten times the memory of their frame.
        for first in rest:  # a batch can have records and no rows
            frame = dataset.frame(chain([first], islice(rest, _BATCH - 1)))
            if len(frame):
                write(frame)
            rows += len(frame)
    return rows


def write_frame(frame: pd.DataFrame, path: Any) -> None:
    """Write a frame to a Parquet file, through a temporary file.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``; an existing file is replaced
    :raises ValueError: the path is a folder
    """
    with _beside(path) as beside, _writing(beside) as file:
        frame.to_parquet(file, index=False)


def write_text(text: str, path: Any) -> None:
    """Write a text as UTF-8, through a temporary file.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``; an existing file is replaced
    :raises ValueError: the path is a folder
    """
    with _beside(path) as beside, _writing(beside) as file:
        file.write(text.encode())


@contextmanager
def _file(dataset: Dataset, path: Any) -> Iterator[Write]:
    with _beside(path) as beside, _parquet(beside, dataset.schema.arrow()) as write:
        yield write


@contextmanager
def _folder(dataset: Dataset, path: Any) -> Iterator[Write]:
    check_partitions(dataset)
    month_of, by_repository = dataset.schema.time_column, "repository" in dataset.schema.names
    schema = dataset.schema.arrow(without=["repository"] if by_repository else [])
    run, numbers = uuid4().hex, count(1)
    with staged(path, dataset.name) as (folder, names), ExitStack() as all_open:
        open_files: dict[str, tuple[ExitStack, Write]] = {}

        def writer(partition: str) -> Write:
            if partition not in open_files:
                if len(open_files) == _MOST_OPEN:
                    open_files.pop(next(iter(open_files)))[0].close()
                (folder / partition).mkdir(parents=True, exist_ok=True)
                file = all_open.enter_context(ExitStack())
                names.append(f"{partition}/{run}-{next(numbers)}.parquet")
                open_files[partition] = file, file.enter_context(_parquet(folder / names[-1], schema))
            open_files[partition] = open_files.pop(partition)  # the least recently used one is closed first
            return open_files[partition][1]

        def write(frame: pd.DataFrame) -> None:
            folders: Any = "repository=" + frame["repository"].map(lambda name: quote(name, safe="")) if by_repository else ""
            if month_of:
                months = "month=" + frame[month_of].dt.strftime("%Y-%m").fillna("none")
                folders = folders + "/" + months if by_repository else months
            for partition, rows in frame[schema.names].groupby(folders, sort=False):
                writer(str(partition))(rows)

        yield write
        if not names:  # a folder without a file has no columns, and does not exist in an object store
            names.append(f"{run}-0.parquet")
            _write_empty(folder / names[0], dataset.schema, with_month=bool(month_of))


def _write_empty(path: Any, schema: Schema, *, with_month: bool) -> None:
    """Write a file without rows, including the columns that are otherwise in the names of folders."""
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
    # Not path.open(), with which Airflow reports every written file to lineage: these are temporary.
    return path.fs.open(path.path, "wb") if hasattr(path, "fs") else path.open("wb")


@contextmanager
def _beside(path: Any) -> Iterator[Any]:
    """Yield a temporary path beside a file, and move it to the file afterwards; delete it on an error."""
    check_file(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.parent / f".{path.name}.{uuid4().hex}.part"
    try:
        yield beside
        check_file(path)
        beside.replace(path)
    except BaseException:
        if beside.exists():
            beside.unlink()
        raise
