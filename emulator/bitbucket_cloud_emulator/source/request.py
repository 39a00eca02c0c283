"""The request that commits files, in either of its two encodings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from fastapi import Request
from starlette.datastructures import UploadFile

from bitbucket_cloud_emulator.core.errors import ApiError

_METADATA = ("message", "author", "parents", "branch")
_ATTRIBUTES = ("executable", "link")
_AUTHOR = re.compile(r"[^<>\n]+ <[^<>\s]+>")


@dataclass
class CommitRequest:
    """What is to be committed.

    :ivar files: path -> content
    :ivar attributes: path -> ``executable`` or ``link``
    :ivar listed: paths under ``files``; those without content are deleted
    """

    message: str | None = None
    author: str | None = None
    parents: str | None = None
    branch: str | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    listed: list[str] = field(default_factory=list)


async def read_request(request: Request) -> CommitRequest:
    """Read a form.

    Metadata may also be in the query. In a multipart form a field with a filename is a file, whatever it is called; in an
    urlencoded form a reserved name behind a slash.

    :raises ApiError: 400, it is malformed
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip()
    if kind not in ("multipart/form-data", "application/x-www-form-urlencoded"):
        raise ApiError(400, f"Unsupported Content-Type {kind!r}; expected multipart/form-data or a form")
    asked = CommitRequest()
    form = await request.form()
    for name, value in [*request.query_params.multi_items(), *form.multi_items()]:
        if isinstance(value, UploadFile):
            path = checked_path(name)
            asked.files[path] = await value.read()
            if (attribute := value.headers.get("x-attributes")) in _ATTRIBUTES:
                asked.attributes[path] = str(attribute)
        elif name == "files":
            asked.listed.append(checked_path(value))
        elif name in _METADATA:
            _set(asked, name, value)
        else:
            asked.files[checked_path(name)] = value.encode()
    if asked.author and not _AUTHOR.fullmatch(asked.author):
        raise ApiError(400, "author: expected 'Name <mail>'", fields={"author": ["Malformed author"]})
    if asked.branch:
        check_ref_name(asked.branch)
    return asked


def _set(asked: CommitRequest, name: str, value: str) -> None:
    if getattr(asked, name) is not None:
        raise ApiError(400, f"{name}: given more than once", fields={name: ["Given more than once."]})
    setattr(asked, name, value)


def checked_path(name: str) -> str:
    """Return a path without slashes at its ends.

    :raises ApiError: 400, it is no path in a repository
    """
    path = name.strip("/")
    if not path or {"", ".", "..", ".git"} & set(path.split("/")) or "\0" in path:
        raise ApiError(400, f"Invalid path: {name!r}")
    return path


def check_ref_name(name: str) -> None:
    """Refuse what git does not accept as the name of a branch or tag.

    :raises ApiError: 400
    """
    parts = name.split("/")
    malformed = set(name) & set(" ~^:?*[\\\x7f") or any(ord(one) < 32 for one in name) or ".." in name or "@{" in name
    if malformed or name.startswith("-") or any(not one or one[0] == "." or one.endswith((".", ".lock")) for one in parts):
        raise ApiError(400, f"name: {name!r} is not a valid name of a ref", fields={"name": ["Invalid name."]})
