"""Publish the files of a partitioned dataset: they take the place of those of an earlier run, and of nothing else."""

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

#: How often a folder is exchanged when other runs publish theirs at the very same time.
_ATTEMPTS = 10


@contextmanager
def staged(path: Any, dataset: str) -> Iterator[tuple[Path, list[str]]]:
    """Give an empty local folder and a list for the names of its files, and publish them when all are written.

    On a local disk the folder is beside the path and takes its place by a rename. For a store it is a temporary folder, and
    its files are uploaded.

    :param path: an ``ObjectStoragePath`` or ``pathlib.Path``
    :param dataset: its name
    :raises ValueError: there is something at the path that no earlier run has written
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
    """Put a folder into its place, from which that of an earlier run makes way by a rename."""
    for _ in range(_ATTEMPTS):
        old, manifest = _move_away(place, dataset)
        try:
            new.rename(place)
        except OSError as error:
            if not place.is_dir():
                _put_back(old, place, error)
                raise
            try:
                check_folder(place, dataset)  # another run may have published its folder in between, or a user made one
            except ValueError as refusal:
                _put_back(old, place, refusal)
                raise
            _remove(old, manifest.owned)
        else:
            _remove(old, manifest.owned)
            return
    raise FileExistsError(f"Other runs keep writing to {place}; let only one task write there")


def _move_away(place: Path, dataset: str) -> tuple[Path, Manifest]:
    """Rename a folder, and check it where no other run writes to it. Return its new path, where there may be none."""
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
        error.add_note(f"What {place} contained before is now in {old}: it could not be put back ({failure}).")


def _remove(folder: Path, names: Iterable[str]) -> None:
    """Delete the files of a run, and the folders that are empty then. What else is in them stays."""
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
        log.warning("Did not delete %s: it contains files that this run has not written.", folder)


def _upload(folder: Path, names: Sequence[str], path: Any, dataset: str) -> None:
    """Upload files to a store, whose names are new, and then delete those of earlier runs.

    The manifest is written before each step, so that whatever a crash leaves is known to be of a run.
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
        except Exception as failure:  # the next run deletes them: the manifest lists them as pending
            error.add_note(f"New files in {path} could not be deleted again ({failure}).")
        raise
    _delete(fs, root, before.owned)
    _write(path, Manifest.read(path).without(before.owned))


def _write(path: Any, manifest: Manifest) -> None:
    path.fs.pipe_file(f"{path.path}/{MANIFEST}", manifest.to_bytes())


def _delete(fs: Any, root: str, names: Iterable[str]) -> None:
    for name in names:
        with suppress(FileNotFoundError):
            fs.rm_file(f"{root}/{name}")
