"""Parameters that are numbers, numbers of seconds, and flags."""

from __future__ import annotations

import math
import numbers
from contextlib import suppress
from datetime import timedelta
from typing import Any

from airflow_provider_bitbucket.parameters.literals import is_blank, refused

_WORDS = {"true": True, "false": False}
#: Floats are exact integers up to here.
_EXACT = 2**53
_MAX_DIGITS = 18


def number(parameter: str, value: Any, *, minimum: int = 1) -> int | None:
    """Return an integer, of an int, a float without fraction, or decimal text; None if it is not given.

    :raises ValueError: the value is none of these, or less than the minimum
    """
    if is_blank(value):
        return None
    found = _integer(value)
    if found is None or found < minimum:
        raise refused(parameter, value, f"a whole number of at least {minimum}")
    return found


def required_number(parameter: str, value: Any) -> int:
    """Return an integer of at least 1 that has to be given.

    :raises ValueError: as :func:`number`, or it is not given
    """
    found = number(parameter, value)
    if found is None:
        raise refused(parameter, value, "a whole number of at least 1")
    return found


def _integer(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, numbers.Integral):
        return int(value) if abs(int(value)) < 10**_MAX_DIGITS else None
    if isinstance(value, float):  # of pandas, whose integers with a null beside them are floats
        return int(value) if value.is_integer() and abs(value) < _EXACT else None
    digits = value.strip() if isinstance(value, str) else ""
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= _MAX_DIGITS else None


def seconds(parameter: str, value: Any, *, zero: bool = False) -> float:
    """Return a finite number of seconds, of a number, a ``timedelta``, or text of a number.

    :param zero: whether 0 is allowed
    :raises ValueError: the value is none of these, or not more than 0
    """
    found: float | None = None
    if isinstance(value, timedelta) and value == value:  # NaT is not
        found = value.total_seconds()
    elif isinstance(value, int | float | str) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            as_float = float(value)  # an int may be too large for one
            found = as_float if isinstance(value, str) else value
    if found is None or not math.isfinite(found) or found < 0 or (found == 0 and not zero):
        raise refused(parameter, value, f"a finite number of seconds {'>=' if zero else '>'} 0")
    return found


def flag(parameter: str, value: Any) -> bool:
    """Return a bool, of a bool or the text ``true`` or ``false`` in any case.

    :raises ValueError: the value is neither
    """
    if isinstance(value, bool):
        return value
    found = _WORDS.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise refused(parameter, value, "True or False")
    return found
