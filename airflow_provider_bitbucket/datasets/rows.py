"""Compile the columns of a dataset into one function that makes a row from a record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_bitbucket.datasets.schema import Column

Record = Mapping[str, Any]

#: Source of a column whose value is in the record under the column's own name, such as the repository.
ASKED_FOR = "asked for"
_NULL = "null"
_PATH = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_NOTHING: Mapping[str, Any] = {}


def compile_row(columns: Iterable[Column], root: str | None) -> Callable[[Record], dict[str, Any]]:
    """Return the function that makes the row of a record. Objects that several paths pass through are read once.

    :param columns: columns with a ``value`` or ``group``, or whose ``source`` is ``asked for`` or paths joined by ``, else``
    :param root: field of the record where paths start; None: the record
    :raises ValueError: a column has none of these
    """
    code = _RowCode(root)
    values = ", ".join(f"{column.name!r}: {code.value(column)}" for column in columns)
    source = "\n    ".join(["def row(record):", *code.lines, f"return {{{values}}}"])
    # Names and paths are literals of our own modules, and paths match _PATH. A loop over paths takes twice as long.
    exec(source, code.names)  # noqa: S102 - nothing in it comes from outside this package
    row: Callable[[Record], dict[str, Any]] = code.names["row"]
    return row


class _RowCode:
    """The source of a row function.

    :param root: as for :func:`compile_row`
    """

    def __init__(self, root: str | None) -> None:
        self.names: dict[str, Any] = {"NOTHING": _NOTHING}
        self.lines = [f"root = record[{root!r}]" if root else "root = record"]
        self._objects: dict[tuple[str, ...], str] = {(): "root"}
        self._groups: dict[Callable[[Record], Any], str] = {}

    def value(self, column: Column) -> str:
        """Return the expression of a column's value."""
        if column.value:
            function = f"value_of_{column.name}"
            self.names[function] = column.value
            return f"{function}(record)"
        if column.group:
            return f"{self._group(column.group)}.{column.name}"
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
            name = f"group_{len(self._groups)}"
            self.names[f"make_{name}"] = function
            self.lines.append(f"{name} = make_{name}(record)")
            self._groups[function] = name
        return self._groups[function]

    def _object(self, path: tuple[str, ...]) -> str:
        if path not in self._objects:
            parent = self._object(path[:-1])
            name = f"object_{len(self._objects)}"
            self.lines.append(f"{name} = {parent}.get({path[-1]!r}) or NOTHING")
            self._objects[path] = name
        return self._objects[path]
