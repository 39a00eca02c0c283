"""Bitbucket's query language (``q=``). Values only ever enter a query through :func:`quote`.

Source: developer.atlassian.com/cloud/bitbucket/rest/intro, "Filtering".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime


def quote(value: str | int | float | bool | datetime | None) -> str:
    """Return a value as a BBQL literal that can not become anything but a value.

    :param value: text, number, truth value, moment or nothing; a moment without time zone is taken as UTC
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        # The colon in the offset is needed: +0000 is refused.
        return f'"{moment.astimezone(UTC).isoformat(timespec="microseconds")}"'
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def one_of(field: str, values: Iterable[str]) -> str:
    """Return the condition that a field has one of several values."""
    return "(" + " OR ".join(f"{field} = {quote(value)}" for value in values) + ")"


def all_of(*conditions: str | None) -> str | None:
    """Join conditions with AND, leaving out those that are None; None when nothing is left."""
    present = [condition for condition in conditions if condition]
    return " AND ".join(f"({condition})" if " OR " in condition else condition for condition in present) or None
