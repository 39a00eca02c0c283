"""How Bitbucket writes timestamps, uuids in links and Markdown texts."""

from __future__ import annotations

import html
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit


def iso_main(timestamp: datetime) -> str:
    """Microseconds and ``+00:00``: the main service."""
    return timestamp.isoformat(timespec="microseconds")


def iso_commit(timestamp: datetime) -> str:
    """Whole seconds and ``+00:00``: commits."""
    return timestamp.replace(microsecond=0).isoformat()


def iso_pipelines(timestamp: datetime) -> str:
    """``Z`` and a fraction without trailing zeros: pipelines, deployments, hooks."""
    text = timestamp.strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0").rstrip(".")
    return f"{text}Z"


def number(text: str) -> int | None:
    """Return a non-negative decimal integer of at most 18 digits, None for any other text."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else None


def absolute_url(text: Any) -> Any:
    """Return an absolute address as it is; a validator of bodies.

    :raises ValueError: a text that is none
    """
    if isinstance(text, str):
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("Enter a valid URL.")
    return text


def braces(uuid: str) -> str:
    """Return a uuid percent-encoded, as in links."""
    return uuid.replace("{", "%7B").replace("}", "%7D")


def rendered(text: str) -> dict[str, str]:
    """Markdown with its HTML, as Bitbucket sends texts."""
    body = "".join(f"<p>{html.escape(part, quote=False)}</p>" for part in text.split("\n\n") if part)
    return {"type": "rendered", "raw": text, "markup": "markdown", "html": body}
