"""Compile the columns of a dataset into one function from records to the values of all columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_bitbucket.datasets.column import Column

Record = Mapping[str, Any]

#: Source of a column whose value is in the record under the column's own name, such as the repository.
ASKED_FOR = "asked for"
_NULL = "null"
_PATH = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_NOTHING: Mapping[str, Any] = {}


def compile_columns(columns: Iterable[Column], root: str | None) -> Callable[[Sequence[Record]], list[Sequence[Any]]]:
    """Return a function from at least one record to the values of each column. Objects that paths share are read once.

    :param columns: columns with a ``value`` or ``group``, or whose ``source`` is ``asked for`` or paths joined by ``, else``
    :param root: field of the record where paths start; None: the record
    :raises ValueError: a column has none of these
    """
    code = _Code(columns, root)
    # Names and paths are literals of our own modules, and paths match _PATH. A loop over paths takes twice as long.
    exec(code.source, code.names)  # noqa: S102 - nothing in it comes from outside this package
    values_of: Callable[[Sequence[Record]], list[Sequence[Any]]] = code.names["values_of"]
    return values_of


class _Code:
    """Source of the function: one pass over the records makes a tuple of each, and the objects of the groups.

    :param columns: as for :func:`compile_columns`
    :param root: likewise
    """

    def __init__(self, columns: Iterable[Column], root: str | None) -> None:
        self.names: dict[str, Any] = {"NOTHING": _NOTHING}
        self._lines = [f"root = record[{root!r}]" if root else "root = record"]
        self._objects: dict[tuple[str, ...], str] = {(): "root"}
        self._groups: dict[Callable[[Record], Any], str] = {}
        single: list[str] = []
        results: list[str] = []
        for column in columns:
            if column.group and not column.value:
                group = self._group(column.group)
                results.append(f"[None if one is None else one.{column.name} for one in {group}] if any({group}) else nothing")
            else:
                single.append(self._value(column))
                results.append("next(single)")
        self.source = "\n".join(
            (
                "def values_of(records):",
                *(f"    {group} = []" for group in self._groups.values()),
                "    rows = []",
                "    for record in records:",
                *(f"        {line}" for line in self._lines),
                f"        rows.append(({''.join(f'{value}, ' for value in single)}))",
                "    single, nothing = zip(*rows), [None] * len(rows)",
                f"    return [{', '.join(results)}]",
            )
        )

    def _value(self, column: Column) -> str:
        """Return the expression of a column's value."""
        if column.value:
            function = f"value_of_{column.name}"
            self.names[function] = column.value
            return f"{function}(record)"
        if column.source == ASKED_FOR:
            return f"record[{column.name!r}]"
        return " or ".join(self._field(column, path) for path in column.source.split(", else "))

    def _field(self, column: Column, path: str) -> str:
        if path == _NULL:
            return "None"
        if not _PATH.fullmatch(path):
            raise ValueError(f"Column {column.name!r} has no value function, and its source {column.source!r} is not a path")
        *parents, field = path.split(".")
        return f"{self._object(tuple(parents))}.get({field!r})"

    def _group(self, function: Callable[[Record], Any]) -> str:
        if function not in self._groups:
            name = self._groups[function] = f"group_{len(self._groups)}"
            self.names[f"make_{name}"] = function
            self._lines.append(f"{name}.append(make_{name}(record))")
        return self._groups[function]

    def _object(self, path: tuple[str, ...]) -> str:
        if path not in self._objects:
            parent = self._object(path[:-1])
            name = self._objects[path] = f"object_{len(self._objects)}"
            self._lines.append(f"{name} = {parent}.get({path[-1]!r}) or NOTHING")
        return self._objects[path]
