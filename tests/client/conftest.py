"""Clients of the emulator, whose waits advance the emulated clock and take no real time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient, Clock
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.client.timing import Time
from tests.client.web_server import WebServer


@pytest.fixture
def waits() -> list[float]:
    """The seconds of every wait, whether for a retry or for the request budget."""
    return []


@pytest.fixture
def clock(bitbucket_emulator: BitbucketEmulator, waits: list[float]) -> Clock:
    """The emulator's clock: waiting advances it instead of sleeping."""

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        bitbucket_emulator.clock(advance=seconds)

    return Clock(
        monotonic=lambda: bitbucket_emulator.state.clock.now().timestamp(),
        sleep=sleep,
        now=bitbucket_emulator.state.clock.now,
    )


@pytest.fixture
def make_client(bitbucket_emulator: BitbucketEmulator, clock: Clock) -> Callable[..., BitbucketClient]:
    """Make a client of the emulator."""

    def make(auth: Any = None, **options: Any) -> BitbucketClient:
        options = {"base_url": bitbucket_emulator.api_url, "workspace": "acme", "clock": clock, **options}
        return BitbucketClient(auth or ApiToken(*bitbucket_emulator.api_token), **options)

    return make


@pytest.fixture
def client(make_client: Callable[..., BitbucketClient]) -> BitbucketClient:
    """A client with the emulator's API token."""
    return make_client()


@pytest.fixture
def time() -> Time:
    """Time that passes only during waits, for clients of other servers than the emulator."""
    return Time()


@pytest.fixture
def server() -> Iterator[WebServer]:
    """A web server whose answers are set by the test, for behaviour that the emulator should not have."""
    with WebServer() as running:
        yield running


@pytest.fixture
def other_host() -> Iterator[WebServer]:
    """A second web server: for credentials, another port is another host."""
    with WebServer() as running:
        yield running


@pytest.fixture
def server_client(server: WebServer, time: Time) -> BitbucketClient:
    """A client of the web server."""
    return BitbucketClient(ApiToken("me@x.org", "secret"), "acme", server.api_url, clock=time.clock)
