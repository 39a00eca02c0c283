"""What sensors check their parameters with."""

from __future__ import annotations

import re

_HASH = re.compile(r"[0-9a-f]{7,40}")


def one_given(**choices: str | int | None) -> tuple[str, str]:
    """Return name and value of the only parameter that is given.

    :raises ValueError: none is given, or several are, or it is empty
    """
    given = [(name, value) for name, value in choices.items() if value is not None]
    if len(given) != 1 or not str(given[0][1]).strip():
        raise ValueError(f"Given are {dict(given)}; expected exactly one of {', '.join(choices)}, and not empty")
    return given[0][0], str(given[0][1]).strip()


def hash_of(name: str, value: str | None) -> str | None:
    """Return a commit's hash, or how it begins, in small letters; None for nothing.

    :raises ValueError: it is no hash
    """
    if value is None:
        return None
    text = str(value).strip().lower()
    if not _HASH.fullmatch(text):
        raise ValueError(f"{name} is {value!r}; expected the hash of a commit, 7 to 40 characters")
    return text
