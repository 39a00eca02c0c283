"""Bodies of ``multipart/form-data``, which Bitbucket wants for files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Part(NamedTuple):
    """A field of a form.

    :param name: name of the field
    :param content: its value
    :param filename: makes the field a file
    :param headers: further headers of the part
    """

    name: str
    content: bytes
    filename: str | None = None
    headers: Mapping[str, str] | None = None


def encode(parts: Iterable[Part]) -> tuple[bytes, dict[str, str]]:
    """Return a form as a body and the headers of a request."""
    from urllib3.fields import RequestField
    from urllib3.filepost import encode_multipart_formdata

    fields = []
    for part in parts:
        field = RequestField(part.name, part.content, part.filename, dict(part.headers or {}))
        field.make_multipart(content_type="application/octet-stream" if part.filename else None)
        fields.append(field)
    body, content_type = encode_multipart_formdata(fields)
    return body, {"Content-Type": content_type}
