"""Fixtures for tests of DAGs: ``pytest_plugins = ["airflow_provider_bitbucket.emulator.pytest_plugin"]`` in a ``conftest.py``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from airflow_provider_bitbucket.emulator import BitbucketEmulator

NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)


@pytest.fixture
def bitbucket_emulator() -> Iterator[BitbucketEmulator]:
    """A fresh, almost empty Bitbucket: workspace ``acme``, repository ``api``. Its clock stands still until a test moves it."""
    with BitbucketEmulator(seed="empty", speed=0, now=NOW) as bitbucket:
        yield bitbucket


@pytest.fixture(scope="session")
def bitbucket_demo() -> Iterator[BitbucketEmulator]:
    """Three months of a small company, for reading. Its clock stands still; do not change what is in it."""
    with BitbucketEmulator(seed="demo", speed=0, now=NOW) as bitbucket:
        yield bitbucket
