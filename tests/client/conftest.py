"""Clients of the emulator, whose waits move the emulated clock and nobody's real time."""

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
    """The seconds of every wait, for a retry or for the budget."""
    return []


@pytest.fixture
def clock(bitbucket_emulator: BitbucketEmulator, waits: list[float]) -> Clock:
    """The emulator's clock; who waits by it advances it instead of sleeping."""

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
    """Time that stands still, for clients of other servers than the emulator."""
    return Time()


@pytest.fixture
def server() -> Iterator[WebServer]:
    """A web server that answers what the test says, for what no emulator of Bitbucket should do."""
    with WebServer() as running:
        yield running


@pytest.fixture
def stranger() -> Iterator[WebServer]:
    """A second one: another port is another host, as far as credentials go."""
    with WebServer() as running:
        yield running


@pytest.fixture
def reader(server: WebServer, time: Time) -> BitbucketClient:
    """A client of the scripted server."""
    return BitbucketClient(ApiToken("me@x.org", "secret"), "acme", server.api_url, clock=time.clock)
