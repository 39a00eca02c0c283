"""Records that are read before anybody takes them wait in memory, or on disk when there are many: memory has a bound."""

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
    """How many records may wait in memory, of all the spools that share it.

    :param free: how many more
    """

    free: int = 2_000  # pull requests, the largest, take 20 kB each
    _lock: Lock = field(default_factory=Lock)

    def take(self, records: int) -> bool:
        """Take room for so many records, if there is any."""
        with self._lock:
            taken = records <= self.free
            self.free -= records * taken
            return taken

    def give_back(self, records: int) -> None:
        """Give it back."""
        with self._lock:
            self.free += records


class Spool:
    """What one thread puts in, another may already take out, in order.

    :param path: where a file is made when there is no room in memory; nobody else may write there, because what is read back is
        trusted
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
        """Yield the records and let go of them.

        :param wait: waits until what it is given is true, where another thread is still filling
        """
        while True:
            wait(lambda: self.complete or bool(self._batches))
            if not self._batches:
                break
            yield from self._get(self._batches.popleft())
        self.discard()

    def discard(self) -> None:
        """Let go of what was not taken."""
        while self._batches:
            batch = self._batches.popleft()
            if isinstance(batch, list):
                self._room.give_back(len(batch))
        self._path.unlink(missing_ok=True)

    def _put(self, batch: list[Any]) -> None:
        if self._room.take(len(batch)):
            self._batches.append(batch)
        else:
            # Compressed, because a pull request is kilobytes of JSON that repeats itself, and the disk may be memory. Opened
            # again and again, so that a thousand spools are no thousand open files.
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
