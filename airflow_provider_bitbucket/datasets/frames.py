"""Build a frame from the values of its columns, which come in pieces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.datasets.column import BOOLEAN, CATEGORY, INTEGER, NUMBER, TEXT, TIMESTAMP, Column, is_null
from airflow_provider_bitbucket.datasets.intervals import EARLIEST, LATEST, parse_timestamp

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pandas.api.extensions import ExtensionArray

#: Values of a column that are converted at a time: so few that they are still in the processor's cache.
_PIECE = 300
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
#: Microseconds since 1970 of the first and the last timestamp that :func:`~.intervals.parse_timestamp` returns.
_FIRST, _LAST = ((day - _EPOCH) // _MICROSECOND for day in (EARLIEST, LATEST))


class FrameBuilder:
    """Collects the values of all columns and makes a frame of them.

    :param columns: in the order of the frame
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        arrow = _pyarrow()
        self._columns = [_ArrowValues(column, arrow) if arrow else _PlainValues(column) for column in columns]
        self._pending = 0

    def add(self, columns: Iterable[Sequence[Any]]) -> None:
        """Append values, the same number to each column.

        :param columns: values of each column: plain values; timestamps as ISO texts in any of Bitbucket's spellings, or as
            datetimes with time zone. A value of another type becomes null.
        """
        for column, values in zip(self._columns, columns, strict=True):
            column.pending += values
        self._pending = len(column.pending)
        if self._pending >= _PIECE:
            self._convert()

    def frame(self) -> pd.DataFrame:
        """Return all values as a frame. Every column has its dtype, also without any value."""
        import pandas as pd

        self._convert()
        return pd.DataFrame({values.column.name: values.array() for values in self._columns})

    def unusable(self) -> dict[int, list[str]]:
        """Return the columns whose values became null because of their type, by position of the row; after :meth:`frame`."""
        found: dict[int, list[str]] = {}
        for values in self._columns:
            for position in values.unusable:
                found.setdefault(position, []).append(values.column.name)
        return dict(sorted(found.items()))

    def _convert(self) -> None:
        for values in self._columns:
            values.convert()
        self._pending = 0


class _PlainValues:
    """Values of a column without pyarrow.

    :param column: their column
    """

    def __init__(self, column: Column) -> None:
        self.column = column
        #: Values that are not converted yet.
        self.pending: list[Any] = []
        #: Positions of values that became null because of their type.
        self.unusable: list[int] = []
        self._count = 0
        self._converted: list[Any] = []

    def convert(self) -> None:
        """Convert the pending values."""
        self._keep_pending()
        self._count += len(self.pending)
        self.pending = []

    def array(self) -> ExtensionArray:
        """Return the converted values as an array of the column's dtype."""
        import pandas as pd

        if self.column.dtype == CATEGORY:
            categories = _categories(self.column, self._converted)
            code = {name: number for number, name in enumerate(categories)}
            return _categorical([code.get(value, -1) for value in self._converted], categories)
        if self.column.dtype == TIMESTAMP:
            array: ExtensionArray = timestamp_series(self._converted).array
        else:
            array = pd.Series(self._converted, dtype=pd.api.types.pandas_dtype(self.column.dtype)).array
        return array

    def _keep_pending(self) -> None:
        self._converted += self._convert_each()

    def _convert_each(self) -> list[Any]:
        converted = [self.column.convert(value) for value in self.pending]
        self.unusable += (
            position
            for position, (before, after) in enumerate(zip(self.pending, converted, strict=True), self._count)
            if after is None and not is_null(before)
        )
        return converted


class _ArrowValues(_PlainValues):
    """Values of a column in Arrow's arrays, which need little memory and become those of pandas without a copy.

    :param column: their column
    :param arrow: the package
    """

    def __init__(self, column: Column, arrow: ModuleType) -> None:
        super().__init__(column)
        self._arrow = arrow
        kinds = {INTEGER: arrow.int64(), NUMBER: arrow.float64(), BOOLEAN: arrow.bool_(), TIMESTAMP: arrow.timestamp("us", "UTC")}
        self._type = kinds.get(column.dtype, arrow.large_string())

    def array(self) -> ExtensionArray:
        values = self._arrow.chunked_array(self._converted, self._type)
        if self.column.dtype == CATEGORY:
            categories = _categories(self.column, values.unique().to_pylist())
            found = self._arrow.compute.index_in(values, value_set=self._arrow.array(categories, values.type))
            return _categorical(found.fill_null(-1).to_numpy(), categories)
        import pandas as pd

        dtype: Any = pd.api.types.pandas_dtype(self.column.dtype)
        if self.column.dtype == TIMESTAMP:
            values = self._in_range(values)
        elif self.column.dtype != TEXT:  # pandas converts chunk by chunk
            values = values.combine_chunks()
        array: ExtensionArray = dtype.__from_arrow__(values)
        return array

    def _keep_pending(self) -> None:
        try:
            piece = self._convert_all()
        # Such as a number for a text, an unusual spelling of a timestamp, or half of a surrogate pair, which UTF-8 cannot write.
        except (ValueError, TypeError, OverflowError):
            piece = self._arrow.array(self._convert_each(), self._type)
        self._converted.append(piece)

    def _convert_all(self) -> pa.Array[Any]:
        if self.pending.count(None) == len(self.pending):
            return self._arrow.nulls(len(self.pending), self._type)
        if self.column.dtype == TIMESTAMP:
            types = {*map(type, self.pending), type(None)}
            if str in types:
                return self._arrow.array(self.pending, self._arrow.large_string()).cast(self._type)
            if types != {datetime, type(None)}:  # Arrow takes a number for microseconds
                raise TypeError(self.column.name)
        return self._arrow.array(self.pending, self._type)

    def _in_range(self, values: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
        """Return timestamps with null for those that ``datetime`` cannot hold."""
        compute, microseconds = self._arrow.compute, values.cast(self._arrow.int64())
        if all(one is None or _FIRST <= one <= _LAST for one in compute.min_max(microseconds).as_py().values()):
            return values
        beyond = compute.or_(compute.less(microseconds, _FIRST), compute.greater(microseconds, _LAST)).fill_null(False)
        self.unusable += compute.indices_nonzero(beyond).to_pylist()
        return compute.if_else(beyond, None, values)


def timestamp_series(values: Sequence[Any]) -> pd.Series[Any]:
    """Return timestamps, in any of Bitbucket's spellings or as datetimes, as UTC; see :func:`~.intervals.parse_timestamp`.

    Digits beyond microseconds are cut. A value that is not a timestamp is null.
    """
    import numpy as np
    import pandas as pd

    dates = map(parse_timestamp, values)
    microseconds = [None if one is None else (one - _EPOCH) // _MICROSECOND for one in dates]
    return pd.Series(np.array(microseconds, dtype="datetime64[us]")).dt.tz_localize("UTC")


def _pyarrow() -> ModuleType | None:
    try:
        import_module("pyarrow.compute")
        return import_module("pyarrow")
    except ImportError:
        return None


def _categories(column: Column, values: Iterable[Any]) -> list[str]:
    return [*column.categories, *sorted({*values}.difference(column.categories, [None]))]


def _categorical(codes: Any, categories: list[str]) -> pd.Categorical[Any]:
    import pandas as pd

    return pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(categories))
