"""What a frame looks like: its columns with dtype, unit and meaning, the same for no row and for a million."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TIMESTAMP = "datetime64[us, UTC]"
TEXT, INTEGER, NUMBER, BOOLEAN, CATEGORY = "string", "Int64", "Float64", "boolean", "category"


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

        # Rows are taken apart as they come, so that there is never a list of a million dictionaries.
        names, blank = self.names, dict.fromkeys(self.names)
        values = list(zip(*[tuple({**blank, **row}.values()) for row in rows], strict=False)) or [()] * len(names)
        series = [_series(column, listed) for column, listed in zip(self.columns, values, strict=True)]
        return pd.DataFrame(dict(zip(names, series, strict=True)), columns=names)

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


def moments(values: Sequence[Any]) -> pd.Series[Any]:
    """Read moments in Bitbucket's three spellings (microseconds or seconds with an offset, ``Z`` with 0 to 9 digits) as UTC.

    Digits beyond microseconds are cut. What is no moment is null.
    """
    import pandas as pd

    if not any(values):  # what was not read is a whole column of them
        return pd.Series(pd.NaT, index=range(len(values)), dtype=TIMESTAMP)
    read = pd.to_datetime(pd.Series(values, dtype="object"), utc=True, format="ISO8601", errors="coerce")
    return read.dt.as_unit("us")


def _series(column: Column, values: Sequence[Any]) -> pd.Series[Any]:
    import pandas as pd

    if column.dtype == TIMESTAMP:
        return moments(values)
    if column.dtype == CATEGORY:
        unknown = sorted({*values}.difference(column.categories, [None]))
        categories = pd.CategoricalDtype([*column.categories, *unknown])
        code = {name: number for number, name in enumerate([*column.categories, *unknown])}
        return pd.Series(pd.Categorical.from_codes([code.get(value, -1) for value in values], dtype=categories))
    dtype: Any = pd.api.types.pandas_dtype(column.dtype)
    try:
        import pyarrow as pa

        types = {TEXT: pa.string(), INTEGER: pa.int64(), NUMBER: pa.float64(), BOOLEAN: pa.bool_()}
        # Several times as fast as what pandas does by itself with a list of Python's own values.
        series: pd.Series[Any] = pd.Series(dtype.__from_arrow__(pa.array(values, types[column.dtype])))
    except (
        ImportError,
        ValueError,
        TypeError,
        OverflowError,
    ):  # such as a number for a text, which pandas makes one, or half a character, which UTF-8 can not write
        whole = [value.encode(errors="replace").decode() if isinstance(value, str) else value for value in values]
        series = pd.Series(whole, dtype=dtype)
    return series
