"""Who may do something alone, agreed upon through a store that can do no more than read and write a text.

Fischer's mutual exclusion (Leslie Lamport, "A fast mutual exclusion algorithm", 1987, names it): whoever finds the lease free
writes their name into it, waits until everybody else who found it free must have written theirs, and has it if the name
is still their own. Instead of trusting that a write never takes longer than that wait, everybody measures their own and
steps back when it did; so a slow store or a stopped process costs time and not exclusion.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from typing import Any

from airflow_provider_bitbucket.client.auth.token_store import TokenStore

log = logging.getLogger(__name__)


class Lease:
    """The right to do something alone for a while.

    :param store: where it is agreed upon
    :param key: under which key
    :param seconds: after which it is taken from a holder that did not come back; a third of it is left for clocks that differ
    :param settle_seconds: what reading and writing once may take together; taking it takes as long as that
    """

    def __init__(self, store: TokenStore, key: str, *, seconds: float = 120, settle_seconds: float = 2) -> None:
        self.seconds = seconds
        self.settle_seconds = settle_seconds
        self._store = store
        self._key = key
        self._me = uuid.uuid4().hex
        self._taken_at: float | None = None

    def try_take(self) -> bool:
        """Try once, and say whether it is held now; takes ``settle_seconds`` if nobody else has it."""
        found_free = self._find_free()
        if found_free is None:
            return False
        self._store.write(self._key, json.dumps({"holder": self._me, "until": time.time() + self.seconds}))
        if time.monotonic() - found_free > self.settle_seconds:
            # Somebody may have taken it since, checked, and be at work. Our name in their place keeps others out until it lapses.
            log.info("The token store took longer than %s s; not taking the lease for a new token now", self.settle_seconds)
            return False
        time.sleep(self.settle_seconds)
        if self._read().get("holder") != self._me:
            return False
        self._taken_at = found_free
        return True

    def has_seconds(self, seconds: float) -> bool:
        """Say whether it is certain that nobody else can have it for so long."""
        return self._taken_at is not None and time.monotonic() - self._taken_at + seconds < self.seconds * 2 / 3

    def release(self) -> None:
        """Let others have it; nothing is raised, because it lapses anyway."""
        held, self._taken_at = self.has_seconds(self.settle_seconds), None
        try:
            if held and self._read().get("holder") == self._me:
                self.open()
        except Exception as error:  # whatever a store raises
            log.info("The lease for a new token could not be given back; it lapses (%s)", type(error).__name__)

    def open(self) -> None:
        """Let anybody have it. An open lease is written, too: a store that can not be reached may look like an empty one."""
        self._store.write(self._key, json.dumps({"holder": "", "until": 0}))

    def _find_free(self) -> float | None:
        """Return the moment before the look that found it free, else None; that it is missing is believed the second time."""
        for looks_left in (1, 0):
            moment = time.monotonic()
            found = self._read()
            if found or not looks_left:
                return moment if found.get("until", 0) <= time.time() else None
            time.sleep(self.settle_seconds)
        return None

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._store.read(self._key) or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}
