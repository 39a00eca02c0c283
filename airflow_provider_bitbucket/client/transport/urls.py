"""Parts of an address."""

from __future__ import annotations

from urllib.parse import quote

BASE_URL = "https://api.bitbucket.org/2.0"


def segment(value: str | int) -> str:
    """Return a value as one segment of a path, quoted; the braces of a uuid too.

    :raises ValueError: it is empty or ``.``/``..``, which servers and proxies resolve
    """
    text = str(value).strip()
    if text in ("", ".", ".."):
        raise ValueError(f"{text!r} cannot be part of an address")
    return quote(text, safe="")
