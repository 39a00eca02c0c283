"""What a frame looks like: its columns with dtype, unit and meaning, the same for no row and for a million."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TIMESTAMP = "timestamp[us, UTC]"
TEXT, INTEGER, NUMBER, BOOLEAN, CATEGORY = "string", "Int64", "Float64", "boolean", "category"


@dataclass(frozen=True)
class Column:
    """A column of a frame.

    :param name: durations end in ``_seconds``
    :param dtype: ``timestamp[us, UTC]``, ``string``, ``Int64``, ``Float64``, ``boolean`` or ``category``; all hold nulls
    :param meaning: one sentence
    :param source: the field of Bitbucket's answer, or how it is made
    :param categories: the values of a category that are always there, in order; unknown ones are added behind them
    """

    name: str
    dtype: str
    meaning: str
    source: str
    categories: tuple[str, ...] = ()


class Schema:
    """The columns of a dataset.

    :param dataset: its name
    :param key: columns that tell rows apart
    :param columns: in the order of the frame
    """

    def __init__(self, dataset: str, key: Sequence[str], *columns: Column) -> None:
        self.dataset = dataset
        self.key = tuple(key)
        self.columns = columns

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    def frame(self, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
        """Make a frame of rows; every row has every column, what a row lacks is null.

        :param rows: plain values; moments as ISO texts in any of Bitbucket's spellings, or as datetimes
        """
        import pandas as pd

        listed = list(rows)
        made = {column.name: _series([row.get(column.name) for row in listed], column) for column in self.columns}
        return pd.DataFrame(made, columns=self.names)

    def arrow(self) -> pa.Schema:
        """Return the schema of a Parquet file of this dataset; categories are stored as text."""
        import pyarrow as pa

        types: dict[str, Callable[[], pa.DataType]] = {
            TIMESTAMP: lambda: pa.timestamp("us", tz="UTC"),
            TEXT: pa.string,
            CATEGORY: pa.string,
            INTEGER: pa.int64,
            NUMBER: pa.float64,
            BOOLEAN: pa.bool_,
        }
        return pa.schema([(column.name, types[column.dtype]()) for column in self.columns])

    def to_markdown(self) -> str:
        """Return the schema as a table for the docs."""
        lines = ["| column | dtype | meaning | source |", "|---|---|---|---|"]
        for column in self.columns:
            mark = " (key)" if column.name in self.key else ""
            lines.append(f"| `{column.name}`{mark} | `{column.dtype}` | {column.meaning} | {column.source} |")
        return "\n".join(lines)


def _series(values: list[Any], column: Column) -> pd.Series[Any]:
    import pandas as pd

    if column.dtype == TIMESTAMP:
        return moments(values)
    if column.dtype == CATEGORY:
        unknown = sorted({value for value in values if value is not None} - set(column.categories))
        kind = pd.CategoricalDtype([*column.categories, *unknown])
        return pd.Series(pd.Categorical(values, dtype=kind))
    if column.dtype == TEXT:
        return pd.Series(values, dtype="string")
    return pd.Series(values, dtype=column.dtype)


def moments(values: Sequence[Any]) -> pd.Series[Any]:
    """Read moments in Bitbucket's three spellings (microseconds or seconds with an offset, ``Z`` with 0 to 9 digits), as UTC.

    Digits beyond microseconds are cut. What is no moment is null.
    """
    import pandas as pd

    read = pd.to_datetime(pd.Series(values, dtype="object"), utc=True, format="ISO8601", errors="coerce")
    return read.dt.floor("us").astype("datetime64[us, UTC]")
