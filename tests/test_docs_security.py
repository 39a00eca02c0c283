"""Every promise in docs/security.md names the tests that hold it."""

from __future__ import annotations

import re
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def test_every_promise_names_tests_that_exist() -> None:
    rows = [line for line in (PROJECT / "docs/security.md").read_text().splitlines() if line.startswith("|")]
    promises = [row for row in rows if not re.match(r"\| promise|\|---", row)]
    assert len(promises) > 15
    for promise in promises:
        named = re.findall(r"`(tests/[\w/]+\.py)`", promise)
        assert named, promise
        for file in named:
            assert "def test_" in (PROJECT / file).read_text(), file
