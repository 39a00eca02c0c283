"""A column of a frame: its dtype, unit and meaning, how its value is made from a record, and which values it can hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

from airflow_provider_bitbucket.datasets.intervals import parse_timestamp

TIMESTAMP = "datetime64[us, UTC]"
TEXT, INTEGER, NUMBER, BOOLEAN, CATEGORY = "string", "Int64", "Float64", "boolean", "category"

_PLAIN_TYPES = {TEXT: str, CATEGORY: str, INTEGER: int, NUMBER: float, BOOLEAN: bool}
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Column:
    """A column of a frame.

    :param name: durations end in ``_seconds``
    :param dtype: ``datetime64[us, UTC]``, ``string``, ``Int64``, ``Float64``, ``boolean`` or ``category``; all hold nulls
    :param meaning: one sentence
    :param source: path of the field in Bitbucket's object, such as ``links.html.href``, or several joined by ``, else``, of which
        the first non-empty value counts, and ``null`` is null; ``asked for``: the record has it under the column's name; any
        other text if ``value`` or ``group`` is given
    :param unit: of its numbers, such as ``s`` or ``lines``
    :param categories: values that a category always has, in order; other values are appended in alphabetical order
    :param value: returns the value for a record; None: ``source`` names it
    :param group: returns an object for a record, whose attributes are the values of all columns with this group; if it returns
        None, these columns are null
    """

    name: str
    dtype: str
    meaning: str
    source: str
    unit: str | None = None
    categories: tuple[str, ...] = ()
    value: Callable[[Mapping[str, Any]], Any] | None = field(default=None, compare=False)
    group: Callable[[Mapping[str, Any]], Any] | None = field(default=None, compare=False)

    def convert(self, value: Any) -> Any:
        """Return a value as this column holds it; None if it is null or of another type."""
        if self.dtype == TIMESTAMP:
            return parse_timestamp(value)
        if self.dtype == BOOLEAN:
            return bool(value) if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool") else None
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        if self.dtype in (TEXT, CATEGORY):
            if isinstance(value, str):
                return value.encode(errors="replace").decode()
            return str(value) if is_number and not is_null(value) else None
        return _number(value, self.dtype) if is_number and not is_null(value) else None

    def is_usable(self, value: Any) -> bool:
        """Return whether a value can be part of a key: neither null nor empty, and of this column's type."""
        return value is not None and value != "" and self.convert(value) is not None

    def are_usable(self, values: Sequence[Any]) -> bool:
        """Return whether all values are usable. One type for all, as nearly always, needs no check of each value."""
        if {*map(type, values)} != {_PLAIN_TYPES.get(self.dtype)}:
            return all(map(self.is_usable, values))
        if self.dtype == INTEGER:
            return min(values) in _INT64 and max(values) in _INT64
        return "" not in values


def is_null(value: Any) -> bool:
    """Return whether a value is None or one of pandas' nulls, which do not equal themselves."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, Real) and value != value)


def _number(value: Any, dtype: str) -> float | int | None:
    try:
        if dtype == NUMBER:
            return float(value)
        return int(value) if value == int(value) and int(value) in _INT64 else None
    except (OverflowError, ValueError):
        return None
