"""The list of files that a partitioned dataset consists of, kept beside them: what a later run may replace."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

#: Its name. Readers of Parquet folders (pandas, Arrow, Spark, DuckDB with ``*.parquet``) ignore it.
MANIFEST = "_bitbucket_manifest.json"
_FORMAT = 1
#: The names of files as they are written. A manifest is input: no other name in it is ever deleted.
_NAME = re.compile(r"(repository=[^/\\]+/)?(month=(\d{4}-\d{2}|none)/)?[0-9a-f]{32}-\d+\.parquet")


@dataclass(frozen=True)
class Manifest:
    """The files of a partitioned dataset, as paths relative to its folder.

    :param dataset: its name
    :param files: the files of the last complete run, which are the dataset
    :param pending: further files that may be there, of a run that is being published, or that crashed, or that was replaced
    """

    dataset: str
    files: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()

    @property
    def owned(self) -> tuple[str, ...]:
        """All files that runs have written there."""
        return tuple(dict.fromkeys((*self.files, *self.pending)))

    def beginning(self, new: Iterable[str]) -> Manifest:
        """Return the manifest before new files are added."""
        return Manifest(self.dataset, self.files, tuple(dict.fromkeys((*self.pending, *new))))

    def completed(self, new: Iterable[str]) -> Manifest:
        """Return the manifest that makes new files the dataset, and the others files to delete."""
        files = tuple(new)
        return Manifest(self.dataset, files, tuple(name for name in self.owned if name not in set(files)))

    def without(self, gone: Iterable[str]) -> Manifest:
        """Return the manifest after files other than those of the dataset were deleted."""
        deleted = set(gone)
        return Manifest(self.dataset, self.files, tuple(name for name in self.pending if name not in deleted))

    def to_bytes(self) -> bytes:
        """Return it as JSON."""
        content = {"format": _FORMAT, "dataset": self.dataset, "files": self.files, "pending": self.pending}
        return json.dumps(content, indent=1).encode()

    @classmethod
    def read(cls, folder: Any) -> Manifest:
        """Read the manifest of a folder.

        :param folder: an ``ObjectStoragePath`` or ``pathlib.Path``
        :raises ValueError: it is malformed, or lists a file that no run can have written, such as ``../other.parquet``
        """
        try:
            content = json.loads((folder / MANIFEST).read_bytes())
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        if not isinstance(content, dict) or content.get("format") != _FORMAT or not isinstance(content.get("dataset"), str):
            raise ValueError(f"expected an object with format {_FORMAT} and a dataset")
        return cls(content["dataset"], _names(content.get("files")), _names(content.get("pending")))


def _names(names: Any) -> tuple[str, ...]:
    for name in names if isinstance(names, list) else [names]:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name.split("/"):
            raise ValueError(f"it lists {name!r}, which no run can have written")
    return tuple(names)
