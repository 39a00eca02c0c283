"""Clients of the emulator, whose waits move the emulated clock and nobody's real time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient, RateBudget, RetryPolicy
from airflow_provider_bitbucket.emulator import BitbucketEmulator


@pytest.fixture
def waits() -> list[float]:
    """The seconds every retry waited."""
    return []


@pytest.fixture
def make_client(bitbucket_emulator: BitbucketEmulator, waits: list[float]) -> Callable[..., BitbucketClient]:
    """Make a client of the emulator; a wait between tries advances its clock instead of sleeping."""

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        bitbucket_emulator.clock(advance=seconds)

    def make(auth: Any = None, **options: Any) -> BitbucketClient:
        budget = RateBudget(clock=lambda: bitbucket_emulator.state.clock.now().timestamp(), sleep=sleep)
        options = {
            "retries": RetryPolicy(sleep=sleep),
            "budget": budget,
            "base_url": bitbucket_emulator.api_url,
            "workspace": "acme",
            **options,
        }
        return BitbucketClient(auth or ApiToken(*bitbucket_emulator.api_token), **options)

    return make


@pytest.fixture
def client(make_client: Callable[..., BitbucketClient]) -> BitbucketClient:
    """A client with the emulator's API token."""
    return make_client()
