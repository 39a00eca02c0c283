"""Fixtures for tests of Bitbucket clients. pytest loads them by an entry point wherever this package is installed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # every pytest run imports this module: the server and FastAPI are imported on first use
    from bitbucket_cloud_emulator.emulator import BitbucketEmulator

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)
"""Start of the fixtures' emulated clock."""


@pytest.fixture
def bitbucket_emulator() -> Iterator[BitbucketEmulator]:
    """A new emulator with workspace ``acme`` and repository ``api``. Its clock is stopped until a test advances it."""
    from bitbucket_cloud_emulator.emulator import BitbucketEmulator

    with BitbucketEmulator(seed="empty", speed=0, now=NOW) as bitbucket:
        yield bitbucket


@pytest.fixture(scope="session")
def bitbucket_demo() -> Iterator[BitbucketEmulator]:
    """Three months of a small company, shared by all tests and therefore read-only. Its clock is stopped."""
    from bitbucket_cloud_emulator.emulator import BitbucketEmulator

    with BitbucketEmulator(seed="demo", speed=0, now=NOW) as bitbucket:
        yield bitbucket
