"""Buffer records between threads, in memory up to a limit and on disk beyond it."""

from __future__ import annotations

import pickle
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

#: Records in a batch, the unit in which they are put in and taken out.
_BATCH = 100

Wait = Callable[[Callable[[], bool]], None]


@dataclass
class MemoryBudget:
    """Limit on the records that all spools sharing it keep in memory.

    :param free: records that still fit
    """

    free: int = 2_000  # pull requests, the largest, take 20 kB each
    _lock: Lock = field(default_factory=Lock)

    def take(self, records: int) -> bool:
        """Reserve memory for a number of records; return whether there was enough."""
        with self._lock:
            taken = records <= self.free
            self.free -= records * taken
            return taken

    def release(self, records: int) -> None:
        """Release reserved memory."""
        with self._lock:
            self.free += records


class Spool:
    """A queue of records that one thread fills while another takes them, in order.

    :param path: file for records beyond the memory limit; only this process may write it, because its content is unpickled
    :param memory: limit of the records in memory
    :param changed: called when records were added or all are complete
    """

    def __init__(self, path: Path, memory: MemoryBudget, changed: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._memory = memory
        self._changed = changed
        #: Batches of records, or offset and size of one in the file.
        self._batches: deque[list[Any] | tuple[int, int]] = deque()
        #: Whether all records were added.
        self.complete = False

    def fill(self, records: Iterable[Any]) -> None:
        """Add all records. An exception of their iterator leaves the spool incomplete."""
        batch: list[Any] = []
        for record in records:
            batch.append(record)
            if len(batch) == _BATCH:
                self._put(batch)
                batch = []
        self._put(batch)
        self.complete = True
        self._changed()

    def take(self, wait: Wait = lambda ready: None) -> Iterator[Any]:
        """Yield the records and free their memory.

        :param wait: blocks until its argument returns True; needed if another thread is filling
        """
        while True:
            wait(lambda: self.complete or bool(self._batches))
            if not self._batches:
                break
            yield from self._get(self._batches.popleft())
        self.discard()

    def discard(self) -> None:
        """Discard the remaining records."""
        while self._batches:
            batch = self._batches.popleft()
            if isinstance(batch, list):
                self._memory.release(len(batch))
        self._path.unlink(missing_ok=True)

    def _put(self, batch: list[Any]) -> None:
        if self._memory.take(len(batch)):
            self._batches.append(batch)
        else:
            # Compressed, because JSON is repetitive and the disk may be a RAM disk. Opened for each batch, so that a thousand
            # spools do not keep a thousand files open.
            blob = zlib.compress(pickle.dumps(batch, pickle.HIGHEST_PROTOCOL), 1)
            with self._path.open("ab") as file:
                offset = file.tell()
                file.write(blob)
            self._batches.append((offset, len(blob)))
        self._changed()

    def _get(self, batch: list[Any] | tuple[int, int]) -> list[Any]:
        if isinstance(batch, list):
            self._memory.release(len(batch))
            return batch
        offset, size = batch
        with self._path.open("rb") as file:
            file.seek(offset)
            records: list[Any] = pickle.loads(zlib.decompress(file.read(size)))  # noqa: S301 - written by ourselves, above
        return records
