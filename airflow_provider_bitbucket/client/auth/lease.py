"""A lease: mutual exclusion between processes through a store that can only read and write texts.

Fischer's mutual exclusion (named by Leslie Lamport, "A fast mutual exclusion algorithm", 1987): a process that finds the lease
free writes its id, waits until every other process that found it free must have written its own, and holds the lease if its id
is still there. The algorithm relies on writes that take no longer than this wait. Each process therefore measures its own write
and withdraws if it took longer, so that a slow store or a suspended process costs time but never exclusion.
"""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any

from airflow_provider_bitbucket.client.auth.token_store import TokenStore
from airflow_provider_bitbucket.client.transport.clock import SYSTEM_CLOCK, Clock

log = logging.getLogger(__name__)


class Lease:
    """An exclusive right that expires.

    :param store: keeps the lease
    :param key: key of the lease in the store
    :param seconds: time after which another process may take it; a third of it is a margin for clocks that differ
    :param settle_seconds: longest duration of one read and one write together; taking the lease waits that long
    :param clock: time, and how to wait
    """

    def __init__(
        self, store: TokenStore, key: str, *, seconds: float = 120, settle_seconds: float = 2, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.seconds = seconds
        self.settle_seconds = settle_seconds
        self._store = store
        self._key = key
        self._clock = clock
        self._me = uuid.uuid4().hex
        self._taken_at: float | None = None

    def try_take(self) -> bool:
        """Try once to take the lease and return whether it is held; takes ``settle_seconds`` if it is free."""
        found_free = self._find_free()
        if found_free is None:
            return False
        self._store.write(self._key, json.dumps({"holder": self._me, "until": self._now() + self.seconds}))
        if self._clock.monotonic() - found_free > self.settle_seconds:
            # Another process may have taken and confirmed it since. This id in its place keeps others out until it expires.
            log.info("The token store took longer than %s s; not taking the lease for a new token now", self.settle_seconds)
            return False
        self._clock.sleep(self.settle_seconds)
        if self._read().get("holder") != self._me:
            return False
        self._taken_at = found_free
        return True

    def has_seconds(self, seconds: float) -> bool:
        """Return whether the lease is certain to be held for that many more seconds."""
        return self._taken_at is not None and self._clock.monotonic() - self._taken_at + seconds < self.seconds * 2 / 3

    def release(self) -> None:
        """Release the lease. Raises nothing, because it expires anyway."""
        held, self._taken_at = self.has_seconds(self.settle_seconds), None
        try:
            if held and self._read().get("holder") == self._me:
                self.open()
        except Exception as error:  # whatever a store raises
            log.info("The lease for a new token could not be released; it expires (%s)", type(error).__name__)

    def open(self) -> None:
        """Mark the lease as free. A free lease is written too, because an unreachable store may look like an empty one."""
        self._store.write(self._key, json.dumps({"holder": "", "until": 0}))

    def _find_free(self) -> float | None:
        """Return the time before the read that found it free, None if it is held; a missing lease is read twice to be sure."""
        for reads_left in (1, 0):
            read_at = self._clock.monotonic()
            found = self._read()
            if found or not reads_left:
                return read_at if found.get("until", 0) <= self._now() else None
            self._clock.sleep(self.settle_seconds)
        return None

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._store.read(self._key) or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
