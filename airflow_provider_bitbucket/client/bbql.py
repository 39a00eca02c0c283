"""Bitbucket's query language (``q=``). Values only ever enter a query through :func:`quote`.

Source: developer.atlassian.com/cloud/bitbucket/rest/intro, "Filtering".
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime

Value = str | int | float | bool | datetime | None


def quote(value: Value) -> str:
    """Return a value as a BBQL literal that cannot become anything but a value.

    :param value: text, number, boolean, datetime or None; a datetime without time zone is UTC
    :raises TypeError: it is something else
    :raises ValueError: it is a number that the language cannot write
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{int(value):d}"
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} cannot be written in a query")
        return f"{value:f}"  # the language knows no exponents
    if isinstance(value, datetime):
        timestamp = value if value.tzinfo else value.replace(tzinfo=UTC)
        # The colon in the offset is needed: +0000 is refused.
        return f'"{timestamp.astimezone(UTC).isoformat(timespec="microseconds")}"'
    if isinstance(value, str):
        return '"' + str.__str__(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
    raise TypeError(f"{type(value).__name__} cannot be written in a query; expected text, number, boolean, datetime or None")


def one_of(field: str, values: Iterable[Value]) -> str:
    """Return the condition that a field has one of several values."""
    return " OR ".join(f"{field} = {quote(value)}" for value in values)


def all_of(*conditions: str | None) -> str:
    """Join conditions so that all must hold, whatever stands in them, leaving out those that are None."""
    return " AND ".join(f"({condition})" for condition in conditions if condition)
