"""The list of files of a partitioned dataset, kept beside them: a later run may replace only these."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

#: Name of the file. Readers of Parquet folders (pandas, Arrow, Spark, DuckDB with ``*.parquet``) ignore it.
MANIFEST = "_bitbucket_manifest.json"
_FORMAT = 1
#: Names of the files that runs write. A manifest is untrusted input: no file with another name is ever deleted.
_NAME = re.compile(r"(repository=[^/\\]+/)?(month=(\d{4}-\d{2}|none)/)?[0-9a-f]{32}-\d+\.parquet")


@dataclass(frozen=True)
class Manifest:
    """The files of a partitioned dataset, as paths relative to its folder.

    :param dataset: its name
    :param files: files of the last completed run: the dataset
    :param pending: other files that may exist: of a run that is being published, crashed, or was replaced
    """

    dataset: str
    files: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()

    @property
    def owned(self) -> tuple[str, ...]:
        """All files that runs may have written to the folder."""
        return tuple(dict.fromkeys((*self.files, *self.pending)))

    def beginning(self, new: Iterable[str]) -> Manifest:
        """Return the manifest before new files are added."""
        return Manifest(self.dataset, self.files, tuple(dict.fromkeys((*self.pending, *new))))

    def completed(self, new: Iterable[str]) -> Manifest:
        """Return the manifest after publishing: ``new`` is the dataset, all other files are pending deletion."""
        files = tuple(new)
        return Manifest(self.dataset, files, tuple(name for name in self.owned if name not in set(files)))

    def without(self, gone: Iterable[str]) -> Manifest:
        """Return the manifest after pending files were deleted."""
        deleted = set(gone)
        return Manifest(self.dataset, self.files, tuple(name for name in self.pending if name not in deleted))

    def to_bytes(self) -> bytes:
        """Return the manifest as JSON."""
        content = {"format": _FORMAT, "dataset": self.dataset, "files": self.files, "pending": self.pending}
        return json.dumps(content, indent=1).encode()

    @classmethod
    def read(cls, folder: Any) -> Manifest:
        """Read the manifest of a folder.

        :param folder: an ``ObjectStoragePath`` or ``pathlib.Path``
        :raises ValueError: it is malformed, or lists a file that no run writes, such as ``../other.parquet``
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
            raise ValueError(f"it lists {name!r}, which no run writes")
    return tuple(names)
