"""Write a dataset to Parquet: as it is read, beside its place, and into place when it is whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow_provider_bitbucket.datasets.extract import Dataset
from airflow_provider_bitbucket.datasets.intervals import chunks

if TYPE_CHECKING:
    import pandas as pd

#: Rows turned into a piece of a Parquet file at a time, so that memory does not grow with their number.
_BATCH = 5_000


def write_parquet(dataset: Dataset, records: Iterable[Any], path: Any) -> int:
    """Write records to a Parquet file and return their number.

    The file is written beside its place and moved there when it is whole, so a crash leaves the old file or none. Memory
    does not grow with the number of rows. ``pandas.read_parquet`` gives the dtypes of the schema back.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``; what was there is replaced
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, rows = dataset.schema.arrow(), 0
    with _in_one_piece(path) as file, pq.ParquetWriter(file, schema) as writer:
        for batch in chunks(records, _BATCH):
            writer.write_table(pa.Table.from_pandas(dataset.frame(batch), schema=schema, preserve_index=False))
            rows += len(batch)
    return rows


def write_frame(frame: pd.DataFrame, path: Any) -> None:
    """Write a frame that is there to a Parquet file, likewise.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``; what was there is replaced
    """
    with _in_one_piece(path) as file:
        frame.to_parquet(file, index=False)


@contextmanager
def _in_one_piece(path: Any) -> Iterator[Any]:
    """Open a file beside its place, and move it there when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.parent / f".{path.name}.{uuid4().hex}.part"
    try:
        with beside.open("wb") as file:
            yield file
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
