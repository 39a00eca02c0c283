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

#: Records that are put in, and taken out, at a time.
_BATCH = 100

Wait = Callable[[Callable[[], bool]], None]


@dataclass
class MemoryBudget:
    """Limit on the records that all spools sharing it keep in memory.

    :param free: how many more
    """

    free: int = 2_000  # pull requests, the largest, take 20 kB each
    _lock: Lock = field(default_factory=Lock)

    def take(self, records: int) -> bool:
        """Reserve memory for so many records; return whether there was enough."""
        with self._lock:
            taken = records <= self.free
            self.free -= records * taken
            return taken

    def give_back(self, records: int) -> None:
        """Release reserved memory."""
        with self._lock:
            self.free += records


class Spool:
    """A queue of records that one thread fills while another takes them, in order.

    :param path: file for the records that memory has no room for; only this process may write it, because its content is
        unpickled
    :param room: room in memory
    :param changed: called when there is more to take
    """

    def __init__(self, path: Path, room: MemoryBudget, changed: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._room = room
        self._changed = changed
        #: Batches of records, or place and size of one in the file.
        self._batches: deque[list[Any] | tuple[int, int]] = deque()
        #: Whether everything is in it.
        self.complete = False

    def fill(self, records: Iterable[Any]) -> None:
        """Put all records in. What is raised while they are read leaves it incomplete."""
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

        :param wait: waits until what it is given is true, where another thread is still filling
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
                self._room.give_back(len(batch))
        self._path.unlink(missing_ok=True)

    def _put(self, batch: list[Any]) -> None:
        if self._room.take(len(batch)):
            self._batches.append(batch)
        else:
            # Compressed: a pull request is kilobytes of repetitive JSON, and the disk may be memory. Opened for each batch, so
            # that a thousand spools do not keep a thousand files open.
            blob = zlib.compress(pickle.dumps(batch, pickle.HIGHEST_PROTOCOL), 1)
            with self._path.open("ab") as file:
                place = file.tell()
                file.write(blob)
            self._batches.append((place, len(blob)))
        self._changed()

    def _get(self, batch: list[Any] | tuple[int, int]) -> list[Any]:
        if isinstance(batch, list):
            self._room.give_back(len(batch))
            return batch
        place, size = batch
        with self._path.open("rb") as file:
            file.seek(place)
            records: list[Any] = pickle.loads(zlib.decompress(file.read(size)))  # noqa: S301 - written by ourselves, above
        return records
