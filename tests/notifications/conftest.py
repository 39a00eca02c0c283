"""Notifiers in DAGs of their own, against the emulator."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """The emulator, to which ``bitbucket_default`` leads."""
    connect(connection_json(bitbucket_emulator))
    return bitbucket_emulator


@pytest.fixture
def client(bitbucket: BitbucketEmulator) -> BitbucketClient:
    """A client of the emulator."""
    return BitbucketClient(ApiToken(*bitbucket.api_token), "acme", bitbucket.api_url)


@pytest.fixture
def commit(client: BitbucketClient) -> str:
    """The full hash of the head of ``main`` in ``api``."""
    return str(client.commits.get("api", "main")["hash"])
