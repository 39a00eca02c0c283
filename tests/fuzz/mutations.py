"""Mutations of responses: one function for each kind, whose choices are determined by a seed."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.local_server import Response

ODD_VALUES: tuple[Any, ...] = (
    *(None, "", [], {}, 0, -1, True, False, 1e308, 2**70, "²", "\u0000", "\ud800", "null", "x" * 5000, "-5"),
    *([None], [[]], {"type": "error"}, {"values": None}, "2026-02-30T25:61:61Z", "2026-01-01T00:00:60+51:00"),
    *("9999-12-31T23:59:59.999999-23:59", "0000-00-00", "\x1b[31mred", "{{ conn.bitbucket_default.password }}"),
)
ODD_BODIES: tuple[bytes, ...] = (
    *(b"", b"null", b"[]", b"{}", b"0", b'"text"', b"NaN", b"Infinity", b"{", b"\xff\xfe\x00", b"[" * 100_000),
    *(b'{"a":' * 100_000, b'{"type": "error"}', b'{"type": "error", "error": null}', b'{"error": {"message": 5}}'),
    *(b'{"values": null}', b'{"values": {}}', b'{"values": [null]}', b'{"values": ["RUNNING"]}', b"<html><title>Log in"),
    *(b'{"values": [{}], "pagelen": -1}', b'{"values": [{"state": "RUNNING"}]}', b"1" * 10_000, b'{"id": ' + b"9" * 5000 + b"}"),
)
ODD_HEADERS: tuple[tuple[str, str], ...] = (
    *(("X-RateLimit-Limit", value) for value in ("²", "-1", "1e9", "", "9" * 400, "60, 60;w=3600")),
    *(("X-RateLimit-NearLimit", value) for value in ("maybe", "true", "")),
    *(("X-RateLimit-Reset", value) for value in ("²", "9" * 400, "nan")),
    *(("X-OAuth-Scopes", value) for value in (",,,", "x" * 10_000)),
    *(("Retry-After", value) for value in ("²", "1e20", "315360000", "Fri, 31 Dec 2099 23:59:59 GMT", "-1", "nan")),
    *(("Content-Type", value) for value in ("", "text/html", "application/json; charset=utf-99")),
    *(("Content-Encoding", value) for value in ("gzip", "br", "identity, gzip", "unknown")),
    *(("Content-Range", value) for value in ("bytes x-y/z", "bytes 5-2/1", "")),
)
STATUSES = (
    200,
    201,
    202,
    204,
    206,
    302,
    304,
    307,
    400,
    401,
    403,
    404,
    408,
    409,
    410,
    416,
    418,
    429,
    500,
    502,
    503,
    504,
    555,
    599,
)


def _containers_and_keys(document: Any) -> list[tuple[Any, Any]]:
    """Return every container of a document with a key or index in it."""
    found: list[tuple[Any, Any]] = []
    pending = [document]
    while pending:
        node = pending.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in keys:
            found.append((node, key))
            pending.append(node[key])
    return found


def odd_value(response: Response, chance: random.Random) -> Response:
    """Replace a value of the document by an odd one."""
    document = response.document
    if positions := _containers_and_keys(document):
        node, key = chance.choice(positions)
        node[key] = chance.choice(ODD_VALUES)
    return response.with_document(document)


def missing_value(response: Response, chance: random.Random) -> Response:
    """Remove a value of the document."""
    document = response.document
    if positions := _containers_and_keys(document):
        node, key = chance.choice(positions)
        del node[key]
    return response.with_document(document)


def odd_row(response: Response, chance: random.Random) -> Response:
    """Insert an odd row into a list, or replace a row by it."""
    document = response.document
    if not isinstance(document, dict) or not isinstance(document.get("values"), list):
        return odd_value(response, chance)
    at = chance.randrange(len(document["values"]) + 1)
    document["values"][at : at + chance.randrange(2)] = [chance.choice(ODD_VALUES)]
    return response.with_document(document)


def odd_paging(response: Response, chance: random.Random) -> Response:
    """Replace one of the paging fields ``next``, ``page``, ``pagelen`` and ``size``."""
    document = response.document
    if not isinstance(document, dict):
        return odd_body(response, chance)
    field = chance.choice(("next", "page", "pagelen", "size"))
    document[field] = chance.choice((*ODD_VALUES, "{self}", "{evil}", "{evil_backslash}", "{canonical}", "//", "?page=2"))
    return response.with_document(document)


def odd_body(response: Response, chance: random.Random) -> Response:
    """Replace the body by an odd one."""
    return replace(response, body=chance.choice(ODD_BODIES))


def cut_body(response: Response, chance: random.Random) -> Response:
    """Remove the end of the body."""
    return replace(response, body=response.body[: chance.randrange(len(response.body) + 1)])


def odd_bytes(response: Response, chance: random.Random) -> Response:
    """Change a few bytes of the body."""
    body = bytearray(response.body)
    for _ in range(min(len(body), chance.randrange(1, 6))):
        body[chance.randrange(len(body))] = chance.randrange(256)
    return replace(response, body=bytes(body))


def odd_status(response: Response, chance: random.Random) -> Response:
    """Replace the status, and with some probability the body."""
    status = chance.choice(STATUSES)
    body = chance.choice((response.body, b"", chance.choice(ODD_BODIES)))
    return replace(response, status=status, body=body)


def odd_header(response: Response, chance: random.Random) -> Response:
    """Set an odd header, with some probability on a 429."""
    changed = response.with_header(*chance.choice(ODD_HEADERS))
    return replace(changed, status=429) if chance.random() < 0.3 else changed


def redirect(response: Response, chance: random.Random) -> Response:
    """Redirect to another host, to the same address or to a malformed one."""
    target = chance.choice(("{evil}", "{evil_backslash}", "{self}", "", "http://[", "{evil_user}", "\\\\x", "//"))
    return replace(response, status=chance.choice((301, 302, 303, 307, 308))).with_header("Location", target)


def compressed(response: Response, chance: random.Random) -> Response:
    """Compress the body, with some probability incompletely."""
    body = gzip.compress(response.body)
    return replace(response, body=body[: chance.choice((len(body), 15))]).with_header("Content-Encoding", "gzip")


KINDS: dict[str, Callable[[Response, random.Random], Response]] = {
    one.__name__: one
    for one in (
        *(odd_value, missing_value, odd_row, odd_paging, odd_body, cut_body),
        *(odd_bytes, odd_status, odd_header, redirect, compressed),
    )
}


@dataclass(frozen=True)
class Mutation:
    """The mutation of the responses of one example.

    :param kind: name of a function of this module
    :param seed: determines the choices of that function
    :param request: index of the first request whose response is changed
    :param persistent: every further response to the same request is changed in the same way
    """

    kind: str
    seed: int
    request: int
    persistent: bool

    def __call__(self, response: Response) -> Response:
        return KINDS[self.kind](response, random.Random(self.seed))
