"""Parameters that are timestamps."""

from __future__ import annotations

import numbers
from datetime import UTC, date, datetime
from typing import Any

from airflow_provider_bitbucket.parameters.literals import is_blank, refused

#: A point in time as people write it; None: not given.
Timestamp = datetime | str | None

_EXAMPLE = "an ISO 8601 timestamp such as '2026-11-02T00:00:00+00:00'"
_BASIC_DATE = len("20261102")


def timestamp(parameter: str, value: Any) -> datetime | None:
    """Return a timestamp with time zone, UTC where none is named; None if it is not given.

    :param value: a ``datetime`` (of pandas or pendulum too), a ``date`` (its midnight), ISO 8601 text, or ``20261102``, which
        native rendering turns into an int
    :raises ValueError: the value is none of these; ``NaT`` is not a timestamp
    """
    if is_blank(value):
        return None
    try:
        found = _read(value)
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
        found.astimezone(UTC)  # which the first and last hours of the calendar cannot be
    except (ValueError, OverflowError, TypeError):  # TypeError: datetime methods of NaT
        raise refused(parameter, value, _EXAMPLE) from None
    return found


def interval(since: Any, until: Any) -> tuple[datetime | None, datetime | None]:
    """Return the interval ``[since, until)`` between two parameters, each as :func:`timestamp` reads it.

    :param since: inclusive start; blank: from the beginning
    :param until: exclusive end; blank: until now
    :raises ValueError: one is not a timestamp, or ``until`` is before ``since``
    """
    begin, end = timestamp("since", since), timestamp("until", until)
    if begin and end and end < begin:
        raise ValueError(f"until ({until}) is before since ({since})")
    return begin, end


def _read(value: Any) -> datetime:
    if isinstance(value, datetime):
        if value != value:  # NaT, which is a datetime but not equal to itself
            raise ValueError("NaT")
        return value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
    is_int = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not (is_int or isinstance(value, str | date) or hasattr(value, "astype")):  # astype: numpy's datetime64
        raise ValueError("another type")
    text = str(value).strip()
    # Python reads the digits of an epoch as a date of the year 1762.
    if (is_int or text.isdecimal()) and not (text.isdecimal() and len(text) == _BASIC_DATE):
        raise ValueError("not a date")
    return datetime.fromisoformat(text)
