"""Many waits at once in one event loop, against the emulator."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """The emulator, with ``bitbucket_default`` leading to it."""
    connect(connection_json(bitbucket_emulator))
    return bitbucket_emulator
