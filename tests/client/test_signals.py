"""Airflow kills a task by a signal: the handler stops the pipeline while the main thread is interrupted at any point."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable

import pytest

from airflow_provider_bitbucket.client import BitbucketClient, Clock, OAuthClientCredentials
from airflow_provider_bitbucket.client.transport.budget import RateBudget
from bitbucket_cloud_emulator import BitbucketEmulator


@pytest.mark.timeout(20)
def test_a_signal_handler_can_send_a_request_while_one_is_being_counted() -> None:
    signals = [signal.SIGUSR1]

    def monotonic() -> float:
        if signals:
            signal.raise_signal(signals.pop())
        return 0.0

    budget = RateBudget(clock=Clock(monotonic=monotonic))
    before = signal.signal(signal.SIGUSR1, lambda *_: budget.acquire() and None)
    try:
        budget.acquire()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert budget.sent == 2


@pytest.mark.timeout(20)
def test_a_signal_handler_can_send_a_request_while_a_token_is_being_fetched(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator
) -> None:
    assert threading.current_thread() is threading.main_thread()
    stopped: list[str] = []
    clients: list[BitbucketClient] = []

    def on_secret(_: str) -> None:
        if clients:
            signal.raise_signal(signal.SIGUSR1)

    def handler(*_: object) -> None:
        stopped.append(clients.pop().workspaces.get()["slug"])

    client = make_client(OAuthClientCredentials(*bitbucket_emulator.oauth_consumer, on_secret=on_secret))
    clients.append(client)
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        assert client.workspaces.get()["slug"] == "acme"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert stopped == ["acme"]
