"""The interface of the stores that keep OAuth logins and leases."""

from __future__ import annotations

from typing import Protocol


class TokenStore(Protocol):
    """Store texts by key, so that every process reads what was written last.

    Any of the three methods may raise; a read that fails may also return None.
    """

    def read(self, key: str) -> str | None:
        """Return the text of a key, None if there is none."""

    def write(self, key: str, text: str) -> None:
        """Set the text of a key, replacing the one before."""

    def delete(self, key: str) -> None:
        """Delete a key, if it exists."""
