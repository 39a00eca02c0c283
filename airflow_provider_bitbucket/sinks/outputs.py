"""Check output paths: only the named file, or the files of an earlier run, may be replaced."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.sinks.manifest import MANIFEST, Manifest

if TYPE_CHECKING:
    from airflow_provider_bitbucket.extraction.dataset import Dataset

#: Output formats, with the suffixes of their file names.
PARQUET, HTML = "Parquet", "HTML"
_SUFFIXES = {PARQUET: (".parquet", ".pq"), HTML: (".html", ".htm")}
_OTHER_SUFFIXES = (
    *(".csv", ".tsv", ".txt", ".md", ".json", ".jsonl", ".ndjson", ".xml", ".yaml", ".yml", ".toml", ".sql", ".log"),
    *(".xls", ".xlsx", ".ods", ".doc", ".docx", ".ppt", ".pptx", ".pdf", ".eml", ".png", ".svg", ".jpg", ".jpeg", ".gif"),
    *(".avro", ".orc", ".feather", ".arrow", ".ipc", ".hdf", ".h5", ".pkl", ".pickle", ".npy", ".db", ".sqlite", ".duckdb"),
    *(".gz", ".bz2", ".xz", ".zst", ".lz4", ".snappy", ".zip", ".tar", ".tgz", ".7z"),
)
_LOCAL = ("", "file", "local")
#: URLs without a host: local ones, and those of Hadoop's default name node.
_WITHOUT_HOST = (*_LOCAL, "hdfs")
#: Number of attempts to check a folder that other runs change.
_ATTEMPTS = 10
#: Number of names listed in an error.
_MOST_NAMED = 5


def check_path(text: str, output_format: str | None) -> None:
    """Check the text of an output path, without access to the file system.

    :param text: the rendered parameter
    :param output_format: :data:`PARQUET` or :data:`HTML`; None: any suffix is accepted
    :raises ValueError: it has an empty part (a template may have rendered to nothing), names a folder or the root of a bucket,
        contains ``..`` or ``~``, or has the suffix of another format
    """
    if text.strip() in ("", "None"):
        raise _refusal(text, "is empty; a template in it may have rendered to nothing")
    scheme, has_scheme, rest = text.partition("://")
    scheme = scheme.lower() if has_scheme else ""
    parts = (rest if has_scheme else text).split("/")
    if parts[0] == "" and len(parts) > 1 and scheme in _WITHOUT_HOST:
        parts = parts[1:]
    elif scheme not in _WITHOUT_HOST and len([part for part in parts if part.strip()]) < 2:
        raise _refusal(text, "names a bucket or host, not a file in it")
    elif has_scheme:
        parts[0] = parts[0].rpartition("@")[2]
    if not all(part.strip() for part in parts):
        what = "ends in '/', so it names a folder" if not parts[-1].strip() else "has an empty part"
        raise _refusal(text, f"{what}; a template in it may have rendered to nothing")
    if {".", ".."}.intersection(parts):
        raise _refusal(text, "contains '.' or '..'; give the path without them")
    if scheme in _LOCAL and parts[0].startswith("~"):
        raise _refusal(text, "begins with '~', which differs between workers; give the absolute path")
    if output_format is None:
        return
    name = parts[-1].lower()
    others = [*_OTHER_SUFFIXES, *(one for other, ends in _SUFFIXES.items() if other != output_format for one in ends)]
    if name.endswith(tuple(others)):
        raise _refusal(
            text, f"has the suffix of another format, but {output_format} is written; expected {_SUFFIXES[output_format][0]}"
        )


def check_file(path: Any, *, may_replace: bool = True) -> None:
    """Check that a file may be written at a path.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``
    :param may_replace: whether an existing file may be replaced
    :raises ValueError: the path is a folder, a link, or anything else that must not be replaced
    """
    if (found := _kind(path)) == "folder":
        names = sorted(one.name for one in path.iterdir())
        raise _refusal(path, f"is a folder, which is never replaced by a file. It contains {_named(names)}")
    if found and not may_replace:
        raise _exists(path)


def check_folder(path: Any, dataset: str, *, may_replace: bool = True) -> Manifest:
    """Check that a partitioned dataset may be written at a path, and return the files of earlier runs there.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``
    :param dataset: its name
    :param may_replace: whether the files of an earlier run may be replaced
    :raises ValueError: the path has content that no earlier run wrote
    """
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError):  # another run is replacing the folder
            return _check_folder(path, dataset, may_replace)
    raise FileExistsError(f"Other runs keep writing to {path}; let only one task write there")


def _check_folder(path: Any, dataset: str, may_replace: bool) -> Manifest:
    if (found := _kind(path)) == "file":
        raise _refusal(path, "is a file, which is never replaced by a folder")
    names = sorted(one.name for one in path.iterdir()) if found else []
    if not names:
        return Manifest(dataset)
    if MANIFEST not in names:
        raise _refusal(path, f"is a folder that no earlier run wrote ({MANIFEST} is missing). It contains {_named(names)}")
    try:
        manifest = Manifest.read(path)
    except ValueError as error:
        raise _refusal(path, f"is a folder with a malformed {MANIFEST}: {error}") from error
    if manifest.dataset != dataset:
        raise _refusal(path, f"contains dataset {manifest.dataset!r}, not {dataset!r}")
    if others := sorted({*_contents(path)}.difference(manifest.owned, [MANIFEST])):
        if Manifest.read(path) != manifest:
            raise FileNotFoundError(f"{path} changed while it was checked")
        raise _refusal(path, f"is a folder with files that no earlier run wrote: {_named(others)}")
    if not may_replace:
        raise _exists(path)
    return manifest


def check_partitions(dataset: Dataset) -> None:
    """Check that a dataset can be partitioned.

    :raises ValueError: it has neither a repository nor a timestamp
    """
    if not dataset.schema.time_column and "repository" not in dataset.schema.names:
        raise ValueError(f"Dataset {dataset.name!r} has neither repository nor timestamp to be partitioned by")


def local_path(path: Any) -> Path | None:
    """Return a path on a local disk as ``pathlib.Path``; None for one in a store."""
    if isinstance(path, Path):
        return path
    return Path(path.path) if path.protocol in _LOCAL else None


def _kind(path: Any) -> str | None:
    """Return ``file`` or ``folder``; None if nothing exists at the path.

    :raises ValueError: it is a link or a device, or a parent is not a folder
    """
    if (local := local_path(path)) is None:
        path.fs.invalidate_cache()
        # An object store can have both under one name. The folder counts, because a file would hide its contents.
        return "folder" if path.fs.isdir(path.path) else "file" if path.fs.exists(path.path) else None
    try:
        mode = local.lstat().st_mode  # once, because another run may replace the path meanwhile
    except (FileNotFoundError, NotADirectoryError):
        mode = 0
    if stat.S_ISLNK(mode):
        raise _refusal(path, f"is a symbolic link; give its target, {local.readlink()}")
    if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        return "folder" if stat.S_ISDIR(mode) else "file"
    if mode:
        raise _refusal(path, "is neither a file nor a folder")
    if not (parent := next(one for one in local.absolute().parents if os.path.lexists(one))).is_dir():
        raise _refusal(path, f"is below {parent}, which is not a folder")
    return None


def _contents(path: Any) -> list[str]:
    """Return the relative paths of files, links and empty folders below a folder."""
    if (local := local_path(path)) is None:
        prefix = path.fs._strip_protocol(path.path).rstrip("/") + "/"
        names = (name.removeprefix(prefix) for name in path.fs.find(path.path))
        return [name for name in names if name and name + "/" != prefix]  # some stores keep the folder itself as an empty object
    return [one.relative_to(local).as_posix() + "/" * (one.is_dir() and not one.is_symlink()) for one in _below(local)]


def _below(folder: Path) -> Iterator[Path]:
    for one in folder.iterdir():
        if one.is_dir() and not one.is_symlink() and any(one.iterdir()):
            yield from _below(one)
        else:
            yield one


def _named(names: Sequence[str]) -> str:
    if not names:
        return "nothing"
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(islice(names, _MOST_NAMED)) + more


def _exists(path: Any) -> ValueError:
    return _refusal(
        path,
        "exists, and an incremental run would replace the rows of earlier runs by the latest changes alone. Put a template "
        "such as {{ run_id }} into it, so that each run has its own path",
    )


def _refusal(path: Any, reason: str) -> ValueError:
    return ValueError(f"Output path {str(path)!r} {reason}. Nothing was written")
