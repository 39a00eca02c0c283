"""The schema of a frame: its columns with dtype, unit and meaning, the same for no row and for a million."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.column import TIMESTAMP, Column
from airflow_provider_bitbucket.datasets.compiler import compile_columns
from airflow_provider_bitbucket.datasets.frames import FrameBuilder
from airflow_provider_bitbucket.datasets.intervals import chunks

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_CHUNK = 300


class Schema:
    """The columns of a dataset.

    :param dataset: its name
    :param key: columns that identify a row
    :param columns: in the order of the frame
    :param required: columns without which a row is not published; None: the key
    :param root: field of a record where the paths of the columns start; None: the record
    """

    def __init__(
        self,
        dataset: str,
        key: Sequence[str],
        columns: Sequence[Column],
        required: Sequence[str] | None = None,
        root: str | None = None,
    ) -> None:
        self.dataset = dataset
        self.key = tuple(key)
        self.root = root
        self.columns = tuple(columns)
        self.required = tuple(key if required is None else required)
        self._required = tuple((at, column) for at, column in enumerate(self.columns) if column.name in self.required)
        if unknown := set(key) - set(self.names):
            raise ValueError(f"Key of dataset {dataset!r} names {sorted(unknown)}, which are no columns of it")

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    @cached_property
    def values_of(self) -> Callable[[Sequence[Mapping[str, Any]]], list[Sequence[Any]]]:
        """The function from at least one record to the values of each column."""
        return compile_columns(self.columns, self.root)

    def row(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of all columns for a record."""
        return dict(zip(self.names, (values[0] for values in self.values_of([record])), strict=True))

    @property
    def time_column(self) -> str | None:
        """The first column of timestamps; None if there is none."""
        return next((column.name for column in self.columns if column.dtype == TIMESTAMP), None)

    def have_keys(self, values: Sequence[Sequence[Any]]) -> bool:
        """Return whether all rows have a usable value in each required column.

        :param values: of each column, as ``values_of`` returns them
        """
        return all(column.are_usable(values[at]) for at, column in self._required)

    def missing_key(self, row: Mapping[str, Any]) -> list[str]:
        """Return the required columns that a row has no usable value for."""
        return [column.name for _, column in self._required if not column.is_usable(row.get(column.name))]

    def name_of(self, row: Mapping[str, Any]) -> str:
        """Return the name of a row in messages, unique within its repository: ``pull request 7``."""
        values = [row.get(name) for name in self.key[1:] or self.key]
        known = " ".join(str(value)[:100] for value in values if isinstance(value, str | Real) and value != "")
        return record_name(self.dataset, known or "unknown")

    def frame(self, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
        """Return rows as a frame with every column in its dtype; a value that is missing or of another type is null.

        :param rows: plain values; timestamps as ISO texts in any of Bitbucket's spellings, or as datetimes with time zone
        """
        builder, names = FrameBuilder(self.columns), self.names
        for chunk in chunks((tuple(map(row.get, names)) for row in rows), _CHUNK):
            builder.add(zip(*chunk, strict=True))
        return builder.frame()

    def empty(self) -> pd.DataFrame:
        """Return a frame without rows."""
        return self.frame(())

    def arrow(self, *, without: Collection[str] = ()) -> pa.Schema:
        """Return the schema of a Parquet file, from which pandas reads the same dtypes back.

        :param without: columns that are not in the file
        """
        import pyarrow as pa

        return pa.Schema.from_pandas(self.empty().drop(columns=list(without)), preserve_index=False)

    def to_markdown(self) -> str:
        """Return the columns as a table for the docs."""
        lines = ["| column | dtype | unit | meaning | source |", "|---|---|---|---|---|"]
        for column in self.columns:
            name = f"`{column.name}`" + (" (key)" if column.name in self.key else "")
            dtype = f"`{column.dtype}`" + (f": {', '.join(column.categories)}" if column.categories else "")
            lines.append(f"| {name} | {dtype} | {column.unit or ''} | {column.meaning} | {column.source} |")
        return "\n".join(lines)


def record_name(dataset: str, key: object) -> str:
    """Return the name of a record in messages: ``pull request 7``."""
    noun = dataset.replace("_", " ")
    for plural, singular in (("ies", "y"), ("ches", "ch"), ("uses", "us"), ("s", "")):
        if noun.endswith(plural):
            return f"{noun.removesuffix(plural)}{singular} {key}"
    return f"{noun} {key}"
