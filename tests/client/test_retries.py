"""What a client does on a bad day."""

from __future__ import annotations

import logging
from collections.abc import Callable
from email.utils import format_datetime

import pytest

from airflow_provider_bitbucket import client as bitbucket
from airflow_provider_bitbucket.client import BitbucketClient, RetryPolicy
from airflow_provider_bitbucket.client.session import _retry_after
from airflow_provider_bitbucket.emulator import BitbucketEmulator

WORKSPACE = "GET /workspaces/{workspace}"
START = "POST /repositories/{workspace}/{repo_slug}/pipelines"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 555])
def test_a_read_survives_server_errors(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, status: int) -> None:
    bitbucket_emulator.fault("server_error", status=status, count=3)
    assert client.workspaces.get()["slug"] == "acme"
    assert bitbucket_emulator.requests()[WORKSPACE] == 4


@pytest.mark.parametrize("kind", ["reset", "truncated", "html"])
def test_a_read_survives_broken_answers(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, kind: str) -> None:
    bitbucket_emulator.fault(kind, count=2)
    assert client.workspaces.get()["slug"] == "acme"
    assert bitbucket_emulator.requests()[WORKSPACE] == 3


def test_a_minute_of_429_is_waited_out(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    bitbucket_emulator.fault("rate_limit", seconds=60)
    with caplog.at_level(logging.WARNING):
        assert client.workspaces.get()["slug"] == "acme"
    assert sum(waits) >= 60
    assert "Rate limit for this resource has been exceeded" in caplog.text


@pytest.mark.parametrize("how", ["seconds", "date"])
def test_retry_after_is_honoured(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, waits: list[float], how: str
) -> None:
    bitbucket_emulator.settings(retry_after=how)
    bitbucket_emulator.fault("rate_limit", seconds=7)
    if how == "date":  # a date is compared with the real clock
        assert _retry_after(format_datetime(bitbucket_emulator.state.clock.now(), usegmt=True)) is not None
        assert _retry_after("no date") is None
        return
    client.workspaces.get()
    assert len(waits) == 1
    assert 7 <= waits[0] <= 10


def test_an_endless_outage_ends_in_a_clear_error(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator
) -> None:
    client = make_client(retries=RetryPolicy(attempts=3, sleep=lambda seconds: None))
    bitbucket_emulator.fault("server_error", count=None)
    with pytest.raises(bitbucket.BitbucketServerError, match="We're having trouble") as caught:
        client.workspaces.get()
    assert caught.value.status == 503
    assert bitbucket_emulator.requests()[WORKSPACE] == 3


def test_an_unreachable_host_is_named(make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator) -> None:
    client = make_client(retries=RetryPolicy(attempts=2, sleep=lambda seconds: None))
    bitbucket_emulator.stop()
    with pytest.raises(bitbucket.BitbucketConnectionError, match=r"No answer from 127\.0\.0\.1: connection refused"):
        client.workspaces.get()


@pytest.mark.parametrize("kind", ["reset", "lost_answer", "truncated", "server_error", "html"])
def test_a_start_whose_answer_is_lost_is_not_sent_again(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, kind: str
) -> None:
    bitbucket_emulator.fault(kind, method="POST")
    with pytest.raises(bitbucket.BitbucketAmbiguousError, match="may or may not have taken effect"):
        client.pipelines.trigger("api", branch="main")
    assert bitbucket_emulator.requests()[START] == 1


def test_a_start_that_surely_did_nothing_is_sent_again(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.fault("rate_limit", method="POST", count=2)
    assert client.pipelines.trigger("api", branch="main")["build_number"] == 1
    assert bitbucket_emulator.requests()[START] == 3


def test_a_start_that_could_not_connect_is_sent_again(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.stop()
    client = make_client(retries=RetryPolicy(sleep=lambda seconds: bitbucket_emulator.start() and None))
    assert client.pipelines.trigger("api", branch="main")["build_number"] == 1


def test_back_off_grows_with_jitter_and_a_silent_429_waits_for_minutes() -> None:
    policy = RetryPolicy()
    assert all(0 <= policy.wait_seconds(tries, None) <= min(2 ** (tries - 1), 60) for tries in range(1, 12))
    limited = bitbucket.session._RateLimited("429")  # type: ignore[attr-defined]
    assert all(30 <= policy.wait_seconds(tries, limited) <= 240 for tries in range(1, 9))
