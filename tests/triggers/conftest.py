"""Many waits at once in one event loop, against the emulator."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_bitbucket.client.transport import budget
from airflow_provider_bitbucket.testing import connection_json
from airflow_provider_bitbucket.triggers import waiting
from bitbucket_cloud_emulator import BitbucketEmulator


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trigger's first look needs no patience."""
    monkeypatch.setattr(waiting, "FIRST_LOOK_SECONDS", 0)
    monkeypatch.setattr(waiting, "READ_AGAIN_SECONDS", (0.01,))
    monkeypatch.setattr(budget, "_FIRST_TRY", 0.02)  # after a 429


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None], at_once: None) -> BitbucketEmulator:
    """The emulator, with ``bitbucket_default`` leading to it."""
    connect(connection_json(bitbucket_emulator))
    return bitbucket_emulator
