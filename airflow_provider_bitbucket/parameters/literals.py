"""Lists and mappings that arrive as text, values that mean nothing, and how errors show a value."""

from __future__ import annotations

import ast
import json
from typing import Any

#: Longest text that is read as a list or mapping; a longer one comes from a mistake or an attack.
MAX_CHARACTERS = 100_000
_SHOWN_CHARACTERS = 200
_BRACKETS = {"[": "]", "{": "}", "(": ")"}


class RenderedToNothing(str):
    """The empty text that a template rendered to, and the template.

    :param template: the template
    """

    template: str

    def __new__(cls, template: str) -> RenderedToNothing:
        """Return the empty text."""
        blank = super().__new__(cls, "")
        blank.template = template
        return blank


def is_blank(value: Any) -> bool:
    """Return whether a value means "not given": None, blank text, and the text "None" that a template makes of None."""
    return value is None or (isinstance(value, str) and value.strip() in ("", "None"))


def shown(value: Any) -> str:
    """Return a value as an error shows it: shortened, with the template if one rendered to nothing."""
    if isinstance(value, RenderedToNothing):
        return f"empty (its template {shown(value.template)} rendered to nothing)"
    try:
        text = repr(value).replace("\n", " ")  # of a frame, many lines
    except Exception:  # a value of any class may arrive, and an int can have too many digits to be shown
        return f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def refused(parameter: str, value: Any, expected: str) -> ValueError:
    """Return the error that names a parameter, its value, and what was expected."""
    return ValueError(f"{parameter} is {shown(value)}; expected {expected}")


def literal(parameter: str, value: Any) -> Any:
    """Return the list or mapping that a text spells in JSON or Python; any other value as it is.

    :raises ValueError: the text is in brackets, but neither JSON nor a Python literal, or too long
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text or _BRACKETS.get(text[0]) != text[-1]:
        return value
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"{parameter} is a text of {len(text):,} characters; expected at most {MAX_CHARACTERS:,}")
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):  # whatever the parser does not take
            continue
    raise refused(parameter, value, "JSON or a Python literal, because it is in brackets")


def records(parameter: str, value: Any) -> Any:
    """Return records that may arrive as text; a path, a frame, records and None as they are.

    :raises ValueError: the value is empty text, which a template may have rendered to
    """
    if value is not None and is_blank(value):
        raise refused(parameter, value, "records, a DataFrame or a path; no record is an empty list")
    return literal(parameter, value)
