"""What a frame looks like: its columns with dtype, unit and meaning, the same for no row and for a million."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib import import_module
from numbers import Real
from types import ModuleType
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.intervals import EARLIEST, LATEST, chunks, moment
from airflow_provider_bitbucket.datasets.rows import compile_row

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pandas.api.extensions import ExtensionArray

TIMESTAMP = "datetime64[us, UTC]"
TEXT, INTEGER, NUMBER, BOOLEAN, CATEGORY = "string", "Int64", "Float64", "boolean", "category"

#: Rows that are taken apart at a time: so few that what they hold is still in the processor's cache when columns are made of it.
_CHUNK = 300
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
#: Microseconds since 1970 of the first and the last timestamp that :func:`~.intervals.moment` returns.
_FIRST, _LAST = ((day - _EPOCH) // _MICROSECOND for day in (EARLIEST, LATEST))


@dataclass(frozen=True)
class Column:
    """A column of a frame.

    :param name: durations end in ``_seconds``
    :param dtype: ``datetime64[us, UTC]``, ``string``, ``Int64``, ``Float64``, ``boolean`` or ``category``; all hold nulls
    :param meaning: one sentence
    :param source: path of the field in Bitbucket's object, such as ``links.html.href``, or several joined by ``, else``, of which
        the first non-empty value counts, and ``null`` is null; ``asked for``: the record has it under the column's name; any
        other text if ``value`` or ``group`` is given
    :param unit: what its numbers count, such as ``s`` or ``lines``
    :param categories: the values of a category that are always there, in order; others are added behind them as they come
    :param value: makes the value from a record; None: ``source`` names it
    :param group: makes an object from a record whose attributes are the values of all columns with this group
    """

    name: str
    dtype: str
    meaning: str
    source: str
    unit: str | None = None
    categories: tuple[str, ...] = ()
    value: Callable[[Mapping[str, Any]], Any] | None = field(default=None, compare=False)
    group: Callable[[Mapping[str, Any]], Any] | None = field(default=None, compare=False)


class Schema:
    """The columns of a dataset.

    :param dataset: its name
    :param key: columns that tell rows apart
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
        by_name = {column.name: column for column in columns}
        self.required = tuple(key if required is None else required)
        self._required = tuple(by_name[name] for name in self.required if name in by_name)
        if unknown := set(key) - set(self.names):
            raise ValueError(f"Key of dataset {dataset!r} names {sorted(unknown)}, which are no columns of it")

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    @cached_property
    def row(self) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
        """The function that makes the values of all columns from a record."""
        return compile_row(self.columns, self.root)

    @property
    def moment(self) -> str | None:
        """The first column that holds a moment; None where none does."""
        return next((column.name for column in self.columns if column.dtype == TIMESTAMP), None)

    def missing_key(self, row: Mapping[str, Any]) -> list[str]:
        """Return the required columns that a row has no usable value for."""
        return [
            column.name
            for column in self._required
            if (value := row.get(column.name)) is None or value == "" or _fitting(column, value) is None
        ]

    def name_of(self, row: Mapping[str, Any]) -> str:
        """Return what identifies a row within its repository, for a person: ``pull request 7``."""
        values = [row.get(name) for name in self.key[1:] or self.key]
        known = " ".join(str(value)[:100] for value in values if isinstance(value, str | Real) and value != "")
        return record_name(self.dataset, known or "unknown")

    def frame(
        self,
        rows: Iterable[Mapping[str, Any]],
        on_unusable: Callable[[Mapping[str, Any], list[str]], None] = lambda row, columns: None,
    ) -> pd.DataFrame:
        """Return rows as a frame with every column in its dtype; what a row lacks, or has of another type, is null.

        :param rows: plain values; moments as ISO texts in any of Bitbucket's spellings, or as datetimes with time zone
        :param on_unusable: called with the key of each row that has values of another type, and their columns
        """
        import pandas as pd

        arrow, names = _pyarrow(), self.names
        columns = [_Values(column, arrow) for column in self.columns]
        # A row is a tuple as soon as it is there: dictionaries of many rows would be far from the processor when they are read.
        for chunk in chunks((tuple(map(row.get, names)) for row in rows), _CHUNK):
            for column, values in zip(columns, zip(*chunk, strict=True), strict=True):
                column.add(values)
        frame = pd.DataFrame({name: column.array() for name, column in zip(names, columns, strict=True)})
        unusable: dict[int, list[str]] = {}
        for name, column in zip(names, columns, strict=True):
            for at in column.unusable:
                unusable.setdefault(at, []).append(name)
        for at, wrong in sorted(unusable.items()):
            on_unusable({name: frame[name].iloc[at] for name in self.key}, wrong)
        return frame

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


def record_name(dataset: str, key: object) -> str:
    """Return what a record of a dataset is called in messages: ``pull request 7``."""
    noun = dataset.replace("_", " ")
    for plural, singular in (("ies", "y"), ("ches", "ch"), ("uses", "us"), ("s", "")):
        if noun.endswith(plural):
            return f"{noun.removesuffix(plural)}{singular} {key}"
    return f"{noun} {key}"


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
        #: Positions of values that became null because they are of another type.
        self.unusable: list[int] = []

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
            except ValueError:  # a timestamp that Arrow does not read, or none at all
                pass
        values = [value for piece in self._pieces for value in (piece if isinstance(piece, tuple) else piece.to_pylist())]
        fitting = [_fitting(self._column, value) for value in values]
        self.unusable = [
            at for at, (given, kept) in enumerate(zip(values, fitting, strict=True)) if kept is None and not _is_null(given)
        ]
        return _from_python(self._column, fitting)


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
        extremes = pc.min_max(values.cast(pa.int64()))
        if any(one is not None and not _FIRST <= one <= _LAST for one in extremes.as_py().values()):
            raise ValueError("a timestamp outside of what datetime can hold, which moments() makes null")
    dtype: Any = pd.api.types.pandas_dtype(column.dtype)
    array: ExtensionArray = dtype.__from_arrow__(values)
    return array


def _from_python(column: Column, values: list[Any]) -> ExtensionArray:
    import pandas as pd

    if column.dtype == CATEGORY:
        categories = _categories(column, values)
        code = {name: number for number, name in enumerate(categories)}
        return _categorical([code.get(value, -1) for value in values], categories)
    typed = moments(values) if column.dtype == TIMESTAMP else pd.Series(values, dtype=pd.api.types.pandas_dtype(column.dtype))
    array: ExtensionArray = typed.array
    return array


def _fitting(column: Column, value: Any) -> Any:
    """Return a value as its column can hold it; None if it is of another type."""
    kind, is_number = column.dtype, isinstance(value, Real) and not isinstance(value, bool)
    if kind == TIMESTAMP:
        return moment(value)
    if kind == BOOLEAN:
        return bool(value) if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool") else None
    if kind in (TEXT, CATEGORY):
        if isinstance(value, str):
            return value.encode(errors="replace").decode()
        return str(value) if is_number and not _is_null(value) else None
    if not is_number or _is_null(value):
        return None
    try:
        return float(value) if kind == NUMBER else int(value) if value == int(value) and -(2**63) <= value < 2**63 else None
    except (OverflowError, ValueError):
        return None


def _is_null(value: Any) -> bool:
    """Return whether a value is None or one of pandas' nulls, which do not equal themselves."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, Real) and value != value)


def _categories(column: Column, values: Iterable[Any]) -> list[str]:
    return [*column.categories, *sorted({*values}.difference(column.categories, [None]))]


def _categorical(codes: Any, categories: list[str]) -> pd.Categorical[Any]:
    import pandas as pd

    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(categories))


def moments(values: Sequence[Any]) -> pd.Series[Any]:
    """Return timestamps, in any of Bitbucket's spellings or as datetimes, as UTC; see :func:`~.intervals.moment`.

    Digits beyond microseconds are cut. What is no timestamp is null.
    """
    import numpy as np
    import pandas as pd

    read = map(moment, values)
    microseconds = [None if one is None else (one - _EPOCH) // _MICROSECOND for one in read]
    return pd.Series(np.array(microseconds, dtype="datetime64[us]")).dt.tz_localize("UTC")
