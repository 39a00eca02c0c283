"""Publish the files of a partitioned dataset: they replace those of an earlier run and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from airflow_provider_bitbucket.sinks.manifest import MANIFEST, Manifest
from airflow_provider_bitbucket.sinks.outputs import check_folder, local_path

log = logging.getLogger(__name__)

#: Number of attempts to replace a folder while other runs publish theirs.
_ATTEMPTS = 10


@contextmanager
def staged(path: Any, dataset: str) -> Iterator[tuple[Path, list[str]]]:
    """Yield an empty local folder and a list for the names of its files, and publish the files afterwards.

    On a local disk the folder is beside the path and is renamed to it. For an object store its files are uploaded.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``
    :param dataset: its name
    :raises ValueError: the path has content that no earlier run wrote
    """
    check_folder(path, dataset)
    names: list[str] = []
    if (place := local_path(path)) is None:
        with TemporaryDirectory(prefix="bitbucket-parquet-") as temporary:
            yield Path(temporary), names
            _upload(Path(temporary), names, path, dataset)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    folder = _beside(place, "part")
    folder.mkdir()
    try:
        yield folder, names
        (folder / MANIFEST).write_bytes(Manifest(dataset, tuple(names)).to_bytes())
        _exchange(folder, place, dataset)
    except BaseException:
        _remove(folder, names)
        raise


def _beside(place: Path, kind: str) -> Path:
    return place.parent / f".{place.name}.{uuid4().hex}.{kind}"


def _exchange(new: Path, place: Path, dataset: str) -> None:
    """Rename a folder to its path, after that of an earlier run was moved away."""
    for _ in range(_ATTEMPTS):
        old, manifest = _move_away(place, dataset)
        try:
            new.rename(place)
        except OSError as error:
            if not place.is_dir():
                _put_back(old, place, error)
                raise
            try:
                check_folder(place, dataset)  # another run or a user may have created it meanwhile
            except ValueError as refusal:
                _put_back(old, place, refusal)
                raise
            _remove(old, manifest.owned)
        else:
            _remove(old, manifest.owned)
            return
    raise FileExistsError(f"Other runs keep writing to {place}; let only one task write there")


def _move_away(place: Path, dataset: str) -> tuple[Path, Manifest]:
    """Rename a folder and check it there, where no other run writes. Return its new path, which may not exist."""
    old = _beside(place, "old")
    with suppress(FileNotFoundError):
        place.rename(old)
    try:
        return old, check_folder(old, dataset)
    except BaseException as error:
        _put_back(old, place, error)
        raise


def _put_back(old: Path, place: Path, error: BaseException) -> None:
    try:
        if old.exists():
            old.rename(place)
    except OSError as failure:
        error.add_note(f"The former content of {place} is now in {old}: it could not be moved back ({failure}).")


def _remove(folder: Path, names: Iterable[str]) -> None:
    """Delete the files of a run, and then empty folders. Other files stay."""
    if not folder.exists():
        return
    parents: set[Path] = set()
    for name in names:
        (folder / name).unlink(missing_ok=True)
        parents.update((folder / name).relative_to(folder).parents)
    for parent in sorted(parents - {Path()}, key=lambda one: len(one.parts), reverse=True):
        with suppress(OSError):
            (folder / parent).rmdir()
    (folder / MANIFEST).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
    if folder.exists():
        log.warning("Did not delete %s: it contains files that this run did not write.", folder)


def _upload(folder: Path, names: Sequence[str], path: Any, dataset: str) -> None:
    """Upload files with new names to an object store, and then delete those of earlier runs.

    The manifest is written before each step, so that it lists all files that a crash leaves.
    """
    fs, root = path.fs, path.path
    before = check_folder(path, dataset)
    fs.makedirs(root, exist_ok=True)
    _write(path, before.beginning(names))
    try:
        for name in names:
            fs.put_file(str(folder / name), f"{root}/{name}")
        present = Manifest.read(path)
        if not set(names) <= set(present.pending):
            raise FileExistsError(f"Another run wrote to {path} at the same time; let only one task write there")
        _write(path, present.completed(names))
    except BaseException as error:
        try:
            present = Manifest.read(path)
            if present.files != tuple(names):
                _delete(fs, root, names)
                _write(path, present.without(names))
        except Exception as failure:  # the manifest lists them as pending, so the next run deletes them
            error.add_note(f"New files in {path} could not be deleted ({failure}).")
        raise
    _delete(fs, root, before.owned)
    _write(path, Manifest.read(path).without(before.owned))


def _write(path: Any, manifest: Manifest) -> None:
    path.fs.pipe_file(f"{path.path}/{MANIFEST}", manifest.to_bytes())


def _delete(fs: Any, root: str, names: Iterable[str]) -> None:
    for name in names:
        with suppress(FileNotFoundError):
            fs.rm_file(f"{root}/{name}")
