"""How the body of a response is read and decoded: with limits, because what a server sends is untrusted input."""

from __future__ import annotations

import json
import math
from typing import Any

import requests
from requests.exceptions import ContentDecodingError

#: The largest pages of Bitbucket (50 pull requests with long descriptions) have some megabytes.
MOST_BYTES = 64 * 2**20
#: Of an error page only the title or a sentence is shown.
MOST_ERROR_BYTES = 100_000
#: Small, because a piece of packed data is unpacked at once and can grow a thousandfold.
_PIECE_BYTES = 16 * 1024
_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})


class ResponseTooLargeError(requests.RequestException):
    """A response is larger than anything that Bitbucket sends."""


def read_body(response: requests.Response, part: slice | None = None) -> None:
    """Read the body of a response that was requested as a stream, as far as it is wanted.

    :param response: gets its ``content``; of an error or redirect the beginning
    :param part: the bytes that are wanted of a body that the server sends whole (``Range`` was ignored); only this part is kept
    :raises requests.RequestException: the body is incomplete, cannot be unpacked or is too large
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in _ENCODINGS:  # one within another can grow a millionfold
        response.close()
        raise ContentDecodingError(f"the content encoding is {encoding[:50]!r}", response=response)
    body = bytearray()
    dropped, read = 0, 0
    first, last = (part.start or 0, part.stop) if part is not None and response.status_code == 200 else (0, None)
    for piece in response.iter_content(_PIECE_BYTES):
        body += piece
        read += len(piece)
        if response.status_code >= 300 and len(body) >= MOST_ERROR_BYTES:
            break
        if first < 0 and len(body) > 2 * -first + _PIECE_BYTES:  # keep the end
            del body[:first]
        elif first > dropped:  # drop what comes before the part
            drop = min(first - dropped, len(body))
            del body[:drop]
            dropped += drop
        if last is not None and dropped + len(body) >= last:
            break
        if read > MOST_BYTES:
            response.close()
            raise ResponseTooLargeError(f"the response has more than {MOST_BYTES // 2**20} MiB", response=response)
    else:
        response._content = bytes(body[first:] if first < 0 else body)
        response._content_consumed = True  # type: ignore[attr-defined]  # requests has no public way to set what was read
        return
    response.close()  # the rest is not read, so the connection cannot be used again
    response._content = bytes(body if last is None else body[: last - dropped])
    response._content_consumed = True  # type: ignore[attr-defined]  # as above


def decode(body: bytes) -> Any:
    """Return the JSON value of a body.

    :raises ValueError: it is not JSON, is nested too deeply, or contains a number that JSON does not have
    """
    try:
        value = json.loads(body, parse_constant=_finite, parse_float=_finite)
        if b"\\ud" in body.lower():  # half of a surrogate pair is valid JSON and cannot be encoded anywhere
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text[:20]} is not a finite number")
    return number
