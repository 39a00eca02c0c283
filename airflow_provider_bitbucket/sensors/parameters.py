"""Parameters that several sensors have."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_bitbucket.parameters import is_blank, name_if_given, refused

_HASH = re.compile(r"[0-9a-f]{7,40}")


def one_given(**choices: Any) -> tuple[str, Any]:
    """Return name and value of the one parameter that is given.

    :raises ValueError: none or several are given, or it is empty
    """
    given = [(name, value) for name, value in choices.items() if value is not None]
    if len(given) != 1 or is_blank(given[0][1]):
        raise ValueError(f"Given are {dict(given)}; expected exactly one of {', '.join(choices)}, and not empty")
    return given[0]


def hash_of(parameter: str, value: Any) -> str | None:
    """Return a full or abbreviated commit hash in lower case; None if it is not given.

    :raises ValueError: it is not a hash, or its template rendered to nothing
    """
    text = name_if_given(parameter, value)
    if text is not None and not _HASH.fullmatch(text.lower()):
        raise refused(parameter, value, "the hash of a commit, 7 to 40 characters")
    return text and text.lower()


def head_or_hash(parameter: str, value: Any) -> str:
    """Return ``head``, ``any``, or the hash of a commit in lower case.

    :raises ValueError: it is anything else
    """
    if isinstance(value, str) and value in ("head", "any"):
        return value
    commit = hash_of(parameter, value)
    if commit is None:
        raise refused(parameter, value, "'head', 'any' or the hash of a commit")
    return commit
