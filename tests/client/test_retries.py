"""Requests are retried after transient errors, and only where a repetition is safe."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitbucket import client as bitbucket
from airflow_provider_bitbucket.client import NO_RETRIES, ApiToken, BitbucketClient, Clock, OAuthClientCredentials, RetryPolicy
from airflow_provider_bitbucket.client.transport.retry import BRIEF, is_transient, retry_after
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.client.timing import Time
from tests.client.web_server import Answer, WebServer, self_signed

WORKSPACE = "GET /workspaces/{workspace}"
START = "POST /repositories/{workspace}/{repo_slug}/pipelines"


@pytest.mark.parametrize("status", [500, 501, 502, 503, 504, 520, 522, 524, 530, 555])
def test_a_read_is_retried_after_server_errors(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, status: int
) -> None:
    bitbucket_emulator.fault("server_error", status=status, count=3)
    assert client.workspaces.get()["slug"] == "acme"
    assert bitbucket_emulator.requests()[WORKSPACE] == 4


@pytest.mark.parametrize("status", [408, 425])
def test_a_408_or_425_is_retried_unless_the_request_is_a_post(
    server_client: BitbucketClient, server: WebServer, status: int
) -> None:
    server.answer("/2.0/thing", Answer(status=status), Answer({"slug": "acme"}))
    assert server_client.get("/thing") == {"slug": "acme"}
    server.answer("/2.0/thing", Answer(status=status), Answer({}))
    with pytest.raises(bitbucket.BitbucketAmbiguousError, match=f"Bitbucket answered {status}"):
        server_client.post("/thing", {})


LOG_IN_PAGE = Answer("<html><title>Log in</title>", 200, {"Content-Type": "text/html"})


@pytest.mark.parametrize("page", [LOG_IN_PAGE, Answer("", 200), Answer("[]", 200), Answer("null", 200), Answer("Forbidden", 403)])
def test_a_redirect_to_a_log_in_page_on_another_host_is_a_transient_error(
    server_client: BitbucketClient, server: WebServer, other_host: WebServer, time: Time, page: Answer
) -> None:
    other_host.answer("/sso", page)
    server.answer(
        "/2.0/thing", Answer(status=302, headers={"Location": f"{other_host.url}/sso?from=1"}), Answer({"slug": "acme"})
    )
    assert server_client.get("/thing") == {"slug": "acme"}
    server.answer("/2.0/thing", Answer(status=302, headers={"Location": f"{other_host.url}/sso?from=1"}))
    impatient = BitbucketClient(ApiToken("me@x.org", "secret"), base_url=server.api_url, retries=NO_RETRIES, clock=time.clock)
    with pytest.raises(bitbucket.BitbucketServerError, match=f"Another host answered .* {other_host.url}/sso is not") as caught:
        impatient.get("/thing")
    assert is_transient(caught.value), "a wait would end at a permanent error and lose its pipeline"


@pytest.mark.parametrize("answer", [{"type": "error"}, {"values": None}])
def test_a_response_without_the_requested_list_is_a_transient_error(
    server_client: BitbucketClient, server: WebServer, answer: dict[str, Any]
) -> None:
    server.answer("/2.0/repositories/acme/api/pipelines/", answer)
    with pytest.raises(bitbucket.BitbucketServerError, match=r"has no 'values'|an error object") as caught:
        server_client.pipelines.newest("api")
    assert is_transient(caught.value)


@pytest.mark.parametrize("answer", [Answer("[]", 201), Answer("null", 201)])
def test_a_post_with_a_malformed_response_is_ambiguous(server_client: BitbucketClient, server: WebServer, answer: Answer) -> None:
    server.answer("/2.0/thing", answer)
    with pytest.raises(bitbucket.BitbucketAmbiguousError, match="not a JSON object"):
        server_client.post("/thing", {})
    assert len(server.asked) == 1


@pytest.mark.parametrize("answer", [{}, {"uuid": "{1}"}, {"uuid": "{1}", "build_number": "soon"}, {"build_number": 7}])
def test_a_start_whose_response_has_no_pipeline_id_is_ambiguous(
    server_client: BitbucketClient, server: WebServer, answer: dict[str, Any]
) -> None:
    server.answer("/2.0/repositories/acme/api/pipelines/", Answer(answer, 201))
    with pytest.raises(bitbucket.BitbucketAmbiguousError, match="returned no pipeline id"):
        server_client.pipelines.trigger("api", branch="main")
    assert len(server.asked) == 1


@pytest.mark.parametrize("kind", ["reset", "truncated", "html"])
def test_a_read_is_retried_after_malformed_responses(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, kind: str
) -> None:
    bitbucket_emulator.fault(kind, count=2)
    assert client.workspaces.get()["slug"] == "acme"
    assert bitbucket_emulator.requests()[WORKSPACE] == 3


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_put_and_a_delete_are_retried(server_client: BitbucketClient, server: WebServer, method: str) -> None:
    server.answer("/2.0/thing", Answer(status=503), Answer({}))
    server_client.request(method, "/thing")
    assert [one.method for one in server.asked] == [method, method]


@pytest.mark.parametrize(
    "malformed", [Answer('{"slug": "acme"', 200), Answer(b"no gzip", 200, {"Content-Encoding": "gzip"}), Answer("", 200)]
)
def test_an_incomplete_response_is_never_returned(server_client: BitbucketClient, server: WebServer, malformed: Answer) -> None:
    server.answer("/2.0/thing", malformed, Answer({"slug": "acme"}))
    assert server_client.get("/thing") == {"slug": "acme"}


def test_a_request_waits_until_a_429_has_passed(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    bitbucket_emulator.fault("rate_limit", seconds=60)
    with caplog.at_level(logging.WARNING):
        assert client.workspaces.get()["slug"] == "acme"
    assert sum(waits) >= 60
    assert "is used up by this process and others (429); waiting" in caplog.text


@pytest.mark.parametrize("how", ["seconds", "date"])
def test_retry_after_determines_the_wait(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, waits: list[float], how: str
) -> None:
    bitbucket_emulator.settings(retry_after=how)
    bitbucket_emulator.fault("rate_limit", seconds=7)
    client.workspaces.get()
    assert 7 <= sum(waits) <= 10


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "90"}, 90),
        ({"Retry-After": "Mon, 02 Nov 2026 08:01:00 GMT"}, 60),
        ({"Retry-After": "Mon, 02 Nov 2026 08:01:00 GMT", "Date": "Mon, 02 Nov 2026 08:00:50 GMT"}, 10),
        ({"Retry-After": "Mon, 02 Nov 2026 07:00:00 GMT"}, 0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_parsed_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, datetime(2026, 11, 2, 8, tzinfo=UTC)) == seconds


def test_a_wait_longer_than_the_policy_allows_fails_at_once(server: WebServer, time: Time) -> None:
    policy = RetryPolicy(max_paced_seconds=3000)
    server_client = BitbucketClient(ApiToken("me@x.org", "secret"), "acme", server.api_url, retries=policy, clock=time.clock)
    server.answer("/2.0/thing", Answer("Rate limit", 429, {"Retry-After": "18000"}))
    with pytest.raises(bitbucket.BitbucketRateLimitError, match="Rate limit") as caught:
        server_client.get("/thing")
    assert caught.value.retry_after == 3600, "waits are capped at an hour, the window of the rate limit"
    assert len(server.asked) == 1
    assert time.waits == []


def test_the_error_after_the_last_attempt_names_attempts_and_duration(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator
) -> None:
    client = make_client(retries=RetryPolicy(attempts=3))
    bitbucket_emulator.fault("server_error", count=None)
    with pytest.raises(
        bitbucket.BitbucketServerError, match=r"We're having trouble.*Failed after 3 attempts in \d+ s\."
    ) as caught:
        client.workspaces.get()
    assert caught.value.status == 503
    assert bitbucket_emulator.requests()[WORKSPACE] == 3


def test_no_request_is_retried_after_its_deadline(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator, waits: list[float]
) -> None:
    client = make_client(retries=RetryPolicy(attempts=1000, max_seconds=300, max_paced_seconds=3000))
    for fault, error, most in (("server_error", "Server", 300), ("rate_limit", "RateLimit", 3000)):
        waits.clear()
        bitbucket_emulator.fault(fault, count=None)
        with pytest.raises(getattr(bitbucket, f"Bitbucket{error}Error"), match="Failed after"):
            client.workspaces.get()
        assert most / 4 < sum(waits) <= most
        bitbucket_emulator.clear_faults()


def test_waits_for_the_request_budget_do_not_count_towards_the_retry_deadline(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator, waits: list[float]
) -> None:
    client = make_client(rate_limit=2, retries=RetryPolicy(max_seconds=30))
    client.users.me()
    client.users.me()
    bitbucket_emulator.fault("server_error")
    assert client.users.me()["type"] == "user"  # waits most of an hour for the budget, fails once, and waits again
    assert sum(waits) > 3000


def test_the_error_for_an_unreachable_host_names_it(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator, time: Time
) -> None:
    client = make_client(clock=time.clock, retries=RetryPolicy(attempts=2))
    bitbucket_emulator.stop()
    with pytest.raises(bitbucket.BitbucketConnectionError, match=r"No response from 127\.0\.0\.1: connection refused"):
        client.workspaces.get()


def test_a_malformed_base_url_is_refused_without_a_request() -> None:
    with pytest.raises(ValueError, match=r"API base URL: .*cannot be read"):
        BitbucketClient(ApiToken("a@b.c", "t"), "acme", "http://*bad*/2.0")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_untrusted_certificate_is_neither_retried_nor_ambiguous(tmp_path: Path, time: Time, method: str) -> None:
    with WebServer(tls=self_signed(tmp_path)) as server:
        client = BitbucketClient(ApiToken("a@b.c", "t"), "acme", server.api_url, clock=time.clock)
        with pytest.raises(bitbucket.BitbucketConnectionError, match="its TLS certificate is not trusted"):
            client.request(method, "/thing")
    assert not time.waits


@pytest.mark.parametrize("kind", ["reset", "lost_answer", "truncated", "server_error", "html"])
def test_a_start_whose_response_is_lost_is_not_repeated(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, kind: str
) -> None:
    bitbucket_emulator.fault(kind, method="POST")
    with pytest.raises(bitbucket.BitbucketAmbiguousError, match="may or may not have taken effect"):
        client.pipelines.trigger("api", branch="main")
    assert bitbucket_emulator.requests()[START] == 1


def test_an_error_that_is_being_handled_does_not_make_a_lost_response_repeatable(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    nowhere = BitbucketClient(ApiToken("a@b.c", "t"), "acme", "http://127.0.0.1:9/2.0", retries=NO_RETRIES)
    bitbucket_emulator.fault("lost_answer", method="POST")
    try:
        nowhere.workspaces.get()
    except bitbucket.BitbucketConnectionError:
        with pytest.raises(bitbucket.BitbucketAmbiguousError, match="the connection was closed without a response"):
            client.pipelines.trigger("api", branch="main")
    assert bitbucket_emulator.requests()[START] == 1


def test_a_start_that_times_out_is_not_repeated(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.fault("latency", latency=0.4, method="POST")
    with pytest.raises(bitbucket.BitbucketAmbiguousError, match="the response timed out"):
        make_client(timeout=(1, 0.05)).pipelines.trigger("api", branch="main")
    assert bitbucket_emulator.requests()[START] == 1


def test_a_start_that_was_refused_with_429_is_repeated(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.fault("rate_limit", method="POST", count=2)
    assert client.pipelines.trigger("api", branch="main")["build_number"] == 1
    assert bitbucket_emulator.requests()[START] == 3


def test_a_start_that_could_not_connect_is_repeated(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.stop()
    client = make_client(clock=Clock(sleep=lambda seconds: bitbucket_emulator.start() and None))
    assert client.pipelines.trigger("api", branch="main")["build_number"] == 1


def test_a_client_without_retries_raises_the_first_error(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator, waits: list[float]
) -> None:
    client = make_client(retries=NO_RETRIES)
    bitbucket_emulator.fault("server_error")
    with pytest.raises(bitbucket.BitbucketServerError) as caught:
        client.workspaces.get()
    assert "Failed after" not in caught.value.message
    assert not waits


def test_a_used_up_budget_is_a_transient_error(make_client: Callable[..., BitbucketClient]) -> None:
    client = make_client(rate_limit=1, retries=NO_RETRIES)
    client.users.me()
    with pytest.raises(bitbucket.BitbucketRateLimitError) as caught:
        client.users.me()
    assert is_transient(caught.value), "a wait would end at a permanent error and lose its pipeline"


@pytest.mark.parametrize("lasts", [2, 100])
def test_a_429_of_the_token_endpoint_or_of_storage_is_retried_a_limited_number_of_times(
    server: WebServer, other_host: WebServer, time: Time, lasts: int
) -> None:
    """The token endpoint and storage have their own rate limits, which the request budget does not include."""
    busy = Answer("Too many", 429, {"Retry-After": "60"})
    token = Answer({"access_token": "t", "expires_in": 7200, "token_type": "bearer"})
    server.answer("/site/oauth2/access_token", *[busy] * lasts, token)
    server.answer("/2.0/user", {"uuid": "{1}"})
    consumer = BitbucketClient(OAuthClientCredentials("key", "s"), "acme", server.api_url, clock=time.clock)
    other_host.answer("/storage", *[busy] * lasts, Answer("log"))
    server.answer("/2.0/log", Answer("", 307, {"Location": f"{other_host.url}/storage"}))
    server_client = BitbucketClient(ApiToken("me@x.org", "secret"), "acme", server.api_url, clock=time.clock)

    for send, host in ((consumer.users.me, server), (lambda: server_client.request("GET", "/log"), other_host)):
        began, before = time.seconds, len(host.asked)
        if lasts == 2:
            send()
            assert 120 <= time.seconds - began < 130
        else:
            with pytest.raises(bitbucket.BitbucketRateLimitError, match="Failed after 8 attempts"):
                send()
            assert len(host.asked) - before == 8


def test_a_brief_policy_does_not_wait_for_the_request_budget(server_client: BitbucketClient, time: Time) -> None:
    brief = BitbucketClient(server_client.auth, "acme", server_client.base_url, clock=time.clock, retries=BRIEF)
    brief.budget.pause(25)
    with pytest.raises(bitbucket.BitbucketRateLimitError, match="possible in 25 s"):
        brief.users.me()
    assert time.seconds == 0


def test_back_off_grows_with_full_jitter() -> None:
    policy = RetryPolicy()
    for tries in range(1, 12):
        assert 0 <= policy.wait_seconds(tries, None) <= min(2 ** (tries - 1), 60)
    assert max(policy.wait_seconds(7, None) for _ in range(100)) > 30
