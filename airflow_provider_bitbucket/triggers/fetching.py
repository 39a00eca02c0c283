"""Spread what has to be fetched over as few requests as possible."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

#: Characters of names in one URL; servers and proxies refuse URLs of more than about 8,000.
_MAX_CHARACTERS = 2000


def batches(due: Sequence[str], waiting: Collection[str], size: int) -> Iterator[list[str]]:
    """Yield the names to ask for in each request; the last one is filled up with further names, which cost nothing.

    :param due: names that must be asked for
    :param waiting: all names with waiters
    :param size: largest number of names in a request
    """
    rest = [*dict.fromkeys(due), *sorted(set(waiting) - set(due))]
    needed = len(set(due))
    while needed > 0:
        characters, count = len(rest[0]), 1
        while count < min(size, len(rest)) and characters + len(rest[count]) <= _MAX_CHARACTERS:
            characters += len(rest[count])
            count += 1
        yield rest[:count]
        rest, needed = rest[count:], needed - count


class SingleRequests:
    """Ask one by one for subjects that no list shows."""

    def __init__(self) -> None:
        self._requested: dict[str, int] = {}  # the number of the last request for each
        self._count = 0

    def in_order(self, keys: Collection[str]) -> list[str]:
        """Return keys, the one whose last request is longest ago first, so that one that always fails does not block others."""
        return sorted(keys, key=lambda key: self._requested.get(key, 0))

    def keep(self, waiting: Collection[str]) -> None:
        """Forget keys without waiters."""
        self._requested = {key: number for key, number in self._requested.items() if key in waiting}

    def send(self, key: str, request: Callable[[], Any]) -> Any:
        """Send a request and return its response, or the error if that concerns this key alone.

        :raises Exception: the error is transient
        """
        from airflow_provider_bitbucket.client.transport.retry import is_transient

        self._count += 1
        self._requested[key] = self._count
        try:
            return request()
        except Exception as error:
            if is_transient(error):
                raise
            return error
