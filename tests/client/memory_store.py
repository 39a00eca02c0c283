"""A token store in memory that can fail during a write."""

from __future__ import annotations


class MemoryStore:
    """Texts in a dictionary. After ``writes_left`` writes it fails; if ``torn``, it stores half of the text first."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.writes_left = 1_000_000
        self.torn = False

    def read(self, key: str) -> str | None:
        """Return the text of a key, None if it has none."""
        return self.texts.get(key)

    def write(self, key: str, text: str) -> None:
        """Store a text."""
        self._fail(key, text)
        self.texts[key] = text

    def delete(self, key: str) -> None:
        """Delete the text of a key."""
        self._fail(key, "")
        self.texts.pop(key, None)

    def _fail(self, key: str, text: str) -> None:
        self.writes_left -= 1
        if self.writes_left < 0:
            if self.torn and self.writes_left == -1:
                self.texts[key] = text[: len(text) // 2]
            raise KeyboardInterrupt  # the process ends here
