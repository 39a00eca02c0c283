"""What a frame looks like: its columns with dtype, unit and meaning, the same for no row and for a million."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.intervals import chunks

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pandas.api.extensions import ExtensionArray

TIMESTAMP = "datetime64[us, UTC]"
TEXT, INTEGER, NUMBER, BOOLEAN, CATEGORY = "string", "Int64", "Float64", "boolean", "category"

#: Rows that are taken apart at a time: so few that what they hold is still in the processor's cache when columns are made of it.
_CHUNK = 300


@dataclass(frozen=True)
class Column:
    """A column of a frame.

    :param name: durations end in ``_seconds``
    :param dtype: ``datetime64[us, UTC]``, ``string``, ``Int64``, ``Float64``, ``boolean`` or ``category``; all hold nulls
    :param meaning: one sentence
    :param source: the field of Bitbucket's answer, or how it is made
    :param unit: what its numbers count, such as ``s`` or ``lines``
    :param categories: the values of a category that are always there, in order; others are added behind them as they come
    """

    name: str
    dtype: str
    meaning: str
    source: str
    unit: str | None = None
    categories: tuple[str, ...] = ()


class Schema:
    """The columns of a dataset.

    :param dataset: its name
    :param key: columns that tell rows apart
    :param columns: in the order of the frame
    """

    def __init__(self, dataset: str, key: Sequence[str], columns: Sequence[Column]) -> None:
        self.dataset = dataset
        self.key = tuple(key)
        self.columns = tuple(columns)
        if unknown := set(key) - set(self.names):
            raise ValueError(f"Key of dataset {dataset!r} names {sorted(unknown)}, which are no columns of it")

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    @property
    def moment(self) -> str | None:
        """The first column that holds a moment; None where none does."""
        return next((column.name for column in self.columns if column.dtype == TIMESTAMP), None)

    def frame(self, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
        """Return rows as a frame with every column in its dtype; what a row lacks is null.

        :param rows: plain values; moments as ISO texts in any of Bitbucket's spellings, or as datetimes with time zone
        """
        import pandas as pd

        arrow, names = _pyarrow(), self.names
        columns = [_Values(column, arrow) for column in self.columns]
        # A row is a tuple as soon as it is there: dictionaries of many rows would be far from the processor when they are read.
        for chunk in chunks((tuple(map(row.get, names)) for row in rows), _CHUNK):
            for column, values in zip(columns, zip(*chunk, strict=True), strict=True):
                column.add(values)
        return pd.DataFrame({name: column.array() for name, column in zip(names, columns, strict=True)})

    def empty(self) -> pd.DataFrame:
        """Return the frame of no rows."""
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


class _Values:
    """The values of a column, in pieces as rows come: Arrow's, which are small and quickly made one of pandas, else plain.

    :param column: whose they are
    :param arrow: the package; None where it is not installed
    """

    def __init__(self, column: Column, arrow: ModuleType | None) -> None:
        self._column = column
        self._arrow = arrow
        self._type = _arrow_type(column.dtype, arrow) if arrow else None
        self._pieces: list[Any] = []

    def add(self, values: tuple[Any, ...]) -> None:
        piece: Any = values
        if self._arrow:
            try:
                piece = self._arrow.array(values, self._type)
            # Such as a number for a text, which pandas makes one, or half a character, which UTF-8 can not write.
            except (ValueError, TypeError, OverflowError):
                self._arrow = None
        self._pieces.append(piece)

    def array(self) -> ExtensionArray:
        if self._arrow:
            try:
                return _from_arrow(self._column, self._arrow.chunked_array(self._pieces, self._type))
            except ValueError:  # a moment that pandas alone can read, such as one with nine digits, or none at all
                pass
        return _from_python(
            self._column,
            [value for piece in self._pieces for value in (piece if isinstance(piece, tuple) else piece.to_pylist())],
        )


def _pyarrow() -> ModuleType | None:
    try:
        return import_module("pyarrow")
    except ImportError:
        return None


def _arrow_type(dtype: str, pa: ModuleType) -> Any:
    """Return the type in which values come: moments and categories are texts still."""
    return {INTEGER: pa.int64(), NUMBER: pa.float64(), BOOLEAN: pa.bool_()}.get(dtype, pa.large_string())


def _from_arrow(column: Column, values: pa.ChunkedArray[Any]) -> ExtensionArray:
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    if column.dtype == CATEGORY:
        categories = _categories(column, values.unique().to_pylist())
        found = pc.index_in(values, value_set=pa.array(categories, values.type))
        return _categorical(found.fill_null(-1).to_numpy(), categories)
    if column.dtype == TIMESTAMP:
        values = values.cast(pa.timestamp("us", "UTC"))
    dtype: Any = pd.api.types.pandas_dtype(column.dtype)
    array: ExtensionArray = dtype.__from_arrow__(values)
    return array


def _from_python(column: Column, values: list[Any]) -> ExtensionArray:
    import pandas as pd

    if column.dtype == CATEGORY:
        categories = _categories(column, values)
        code = {name: number for number, name in enumerate(categories)}
        return _categorical([code.get(value, -1) for value in values], categories)
    series: pd.Series[Any]
    if column.dtype == TIMESTAMP:
        series = moments(values)
    else:
        whole = [value.encode(errors="replace").decode() if isinstance(value, str) else value for value in values]
        series = pd.Series(whole, dtype=pd.api.types.pandas_dtype(column.dtype))
    array: ExtensionArray = series.array
    return array


def _categories(column: Column, values: Iterable[Any]) -> list[str]:
    return [*column.categories, *sorted({*values}.difference(column.categories, [None]))]


def _categorical(codes: Any, categories: list[str]) -> pd.Categorical[Any]:
    import pandas as pd

    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(categories))


def moments(values: Sequence[Any]) -> pd.Series[Any]:
    """Read moments in Bitbucket's three spellings (microseconds or seconds with an offset, ``Z`` with 0 to 9 digits) as UTC.

    Digits beyond microseconds are cut. What is no moment is null.
    """
    import pandas as pd

    if not any(values):  # what was not read is a whole column of them
        return pd.Series(pd.NaT, index=range(len(values)), dtype=TIMESTAMP)
    read = pd.to_datetime(pd.Series(values, dtype="object"), utc=True, format="ISO8601", errors="coerce")
    return read.dt.as_unit("us")
