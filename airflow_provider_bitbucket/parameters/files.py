"""Parameters that are files: text, bytes, or a path to read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_bitbucket.parameters.literals import is_blank, literal, refused
from airflow_provider_bitbucket.parameters.numbers import flag
from airflow_provider_bitbucket.parameters.texts import required_location, required_name, text

_EXPECTED = (
    "text, bytes, a path object, {'path': 's3://bucket/key'} or {'text': '...'}, each of the latter with 'executable' if needed. "
    "An empty file is b''"
)


@dataclass(frozen=True)
class FileSource:
    """Where the content of a file comes from.

    :param content: the bytes themselves; None: they are read from ``path``
    :param path: a path or URL as text, or an object with ``read_bytes()``
    :param executable: whether the file is executable
    """

    content: bytes | None = None
    path: Any = None
    executable: bool = False


def files(parameter: str, value: Any) -> dict[str, FileSource] | None:
    """Return files by name, of a mapping that may arrive as text in JSON or Python; None if there are none.

    A blank text is refused as content: a template that rendered to nothing would empty the file.

    :param value: name -> text, bytes, path object (``pathlib.Path``, ``ObjectStoragePath``), or a mapping with ``path`` or
        ``text`` and, if needed, ``executable``
    :raises ValueError: the value is of another type, or one of the files is, or is empty
    """
    if is_blank(value):
        return None
    found = literal(parameter, value)
    if not isinstance(found, Mapping):
        raise refused(parameter, value, "a mapping such as {'folder/file.txt': 'content'}")
    return {required_name(f"A key of {parameter}", name): _source(f"{parameter}[{name!r}]", one) for name, one in found.items()}


def required_files(parameter: str, value: Any) -> dict[str, FileSource]:
    """Return files by name, at least one.

    :raises ValueError: as :func:`files`, or there is none
    """
    if not (found := files(parameter, value)):
        raise refused(parameter, value, "a mapping such as {'folder/file.txt': 'content'} with at least one file")
    return found


def _source(parameter: str, value: Any) -> FileSource:
    if isinstance(value, FileSource):
        return value
    if isinstance(value, bytes | bytearray):
        return FileSource(bytes(value))
    if hasattr(value, "read_bytes"):
        return FileSource(path=value)
    if isinstance(value, Mapping):
        executable = flag(f"executable of {parameter}", value.get("executable", False))
        if set(value) - {"executable"} == {"path"}:
            return FileSource(path=required_location(f"path of {parameter}", value["path"]), executable=executable)
        if set(value) - {"executable"} == {"text"} and not is_blank(value["text"]):
            return FileSource(text(f"text of {parameter}", value["text"]).encode(), executable=executable)
        raise refused(parameter, value, _EXPECTED)
    if is_blank(value):
        raise refused(parameter, value, _EXPECTED)
    return FileSource(text(parameter, value).encode())
