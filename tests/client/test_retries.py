"""What a client does on a bad day."""

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
def test_a_read_survives_server_errors(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, status: int) -> None:
    bitbucket_emulator.fault("server_error", status=status, count=3)
    assert client.workspaces.get()["slug"] == "acme"
    assert bitbucket_emulator.requests()[WORKSPACE] == 4


@pytest.mark.parametrize("status", [408, 425])
def test_what_came_too_late_or_too_early_is_asked_again_unless_it_starts_something(
    reader: BitbucketClient, server: WebServer, status: int
) -> None:
    server.answer("/2.0/thing", Answer(status=status), Answer({"slug": "acme"}))
    assert reader.get("/thing") == {"slug": "acme"}
    server.answer("/2.0/thing", Answer(status=status), Answer({}))
    with pytest.raises(bitbucket.BitbucketAmbiguousError, match=f"Bitbucket answered {status}"):
        reader.post("/thing", {})


LOG_IN_PAGE = Answer("<html><title>Log in</title>", 200, {"Content-Type": "text/html"})


@pytest.mark.parametrize("page", [LOG_IN_PAGE, Answer("", 200), Answer("[]", 200), Answer("null", 200), Answer("Forbidden", 403)])
def test_a_log_in_page_on_another_host_is_a_bad_moment_and_no_answer(
    reader: BitbucketClient, server: WebServer, stranger: WebServer, time: Time, page: Answer
) -> None:
    stranger.answer("/sso", page)
    server.answer("/2.0/thing", Answer(status=302, headers={"Location": f"{stranger.url}/sso?from=1"}), Answer({"slug": "acme"}))
    assert reader.get("/thing") == {"slug": "acme"}
    server.answer("/2.0/thing", Answer(status=302, headers={"Location": f"{stranger.url}/sso?from=1"}))
    impatient = BitbucketClient(ApiToken("me@x.org", "secret"), base_url=server.api_url, retries=NO_RETRIES, clock=time.clock)
    with pytest.raises(bitbucket.BitbucketServerError, match=f"Another host answered .* {stranger.url}/sso is not") as caught:
        impatient.get("/thing")
    assert is_transient(caught.value), "a wait that takes it for a definite answer would lose its pipeline"


@pytest.mark.parametrize("answer", [{"type": "error"}, {"values": None}])
def test_an_answer_without_the_list_that_was_asked_for_is_a_bad_moment(
    reader: BitbucketClient, server: WebServer, answer: dict[str, Any]
) -> None:
    server.answer("/2.0/repositories/acme/api/pipelines/", answer)
    with pytest.raises(bitbucket.BitbucketServerError, match=r"has no 'values'|an error object") as caught:
        reader.pipelines.newest("api")
    assert is_transient(caught.value)


@pytest.mark.parametrize("answer", [Answer("[]", 201), Answer("null", 201)])
def test_a_start_whose_answer_is_not_what_it_should_be_may_have_started_something(
    reader: BitbucketClient, server: WebServer, answer: Answer
) -> None:
    server.answer("/2.0/thing", answer)
    with pytest.raises(bitbucket.BitbucketAmbiguousError, match="not a JSON object"):
        reader.post("/thing", {})
    assert len(server.asked) == 1


@pytest.mark.parametrize("answer", [{}, {"uuid": "{1}"}, {"uuid": "{1}", "build_number": "soon"}, {"build_number": 7}])
def test_a_start_whose_answer_tells_of_no_pipeline_may_have_started_one(
    reader: BitbucketClient, server: WebServer, answer: dict[str, Any]
) -> None:
    server.answer("/2.0/repositories/acme/api/pipelines/", Answer(answer, 201))
    with pytest.raises(bitbucket.BitbucketAmbiguousError, match="returned no pipeline id"):
        reader.pipelines.trigger("api", branch="main")
    assert len(server.asked) == 1


@pytest.mark.parametrize("kind", ["reset", "truncated", "html"])
def test_a_read_survives_broken_answers(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, kind: str) -> None:
    bitbucket_emulator.fault(kind, count=2)
    assert client.workspaces.get()["slug"] == "acme"
    assert bitbucket_emulator.requests()[WORKSPACE] == 3


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_what_can_be_repeated_is_repeated(reader: BitbucketClient, server: WebServer, method: str) -> None:
    server.answer("/2.0/thing", Answer(status=503), Answer({}))
    reader.request(method, "/thing")
    assert [one.method for one in server.asked] == [method, method]


@pytest.mark.parametrize(
    "broken", [Answer('{"slug": "acme"', 200), Answer(b"no gzip", 200, {"Content-Encoding": "gzip"}), Answer("", 200)]
)
def test_half_an_answer_is_never_taken_for_the_whole(reader: BitbucketClient, server: WebServer, broken: Answer) -> None:
    server.answer("/2.0/thing", broken, Answer({"slug": "acme"}))
    assert reader.get("/thing") == {"slug": "acme"}


def test_a_minute_of_429_is_waited_out(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    bitbucket_emulator.fault("rate_limit", seconds=60)
    with caplog.at_level(logging.WARNING):
        assert client.workspaces.get()["slug"] == "acme"
    assert sum(waits) >= 60
    assert "is used up by this process and others (429); waiting" in caplog.text


@pytest.mark.parametrize("how", ["seconds", "date"])
def test_retry_after_is_honoured(
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
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, datetime(2026, 11, 2, 8, tzinfo=UTC)) == seconds


def test_a_wait_longer_than_the_callers_patience_is_refused_at_once(server: WebServer, time: Time) -> None:
    policy = RetryPolicy(max_paced_seconds=3000)
    reader = BitbucketClient(ApiToken("me@x.org", "secret"), "acme", server.api_url, retries=policy, clock=time.clock)
    server.answer("/2.0/thing", Answer("Rate limit", 429, {"Retry-After": "18000"}))
    with pytest.raises(bitbucket.BitbucketRateLimitError, match="Rate limit") as caught:
        reader.get("/thing")
    assert caught.value.retry_after == 3600, "the limit is one of an hour: no longer wait is believed"
    assert len(server.asked) == 1
    assert time.waits == []


def test_an_endless_outage_ends_in_a_clear_error(
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


def test_no_request_is_retried_beyond_its_deadline(
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


def test_time_spent_on_the_budget_does_not_use_up_the_patience(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator, waits: list[float]
) -> None:
    client = make_client(rate_limit=2, retries=RetryPolicy(max_seconds=30))
    client.users.me()
    client.users.me()
    bitbucket_emulator.fault("server_error")
    assert client.users.me()["type"] == "user"  # waits most of an hour for its place, then meets a fault, then waits again
    assert sum(waits) > 3000


def test_an_unreachable_host_is_named(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator, time: Time
) -> None:
    client = make_client(clock=time.clock, retries=RetryPolicy(attempts=2))
    bitbucket_emulator.stop()
    with pytest.raises(bitbucket.BitbucketConnectionError, match=r"No response from 127\.0\.0\.1: connection refused"):
        client.workspaces.get()


def test_an_address_that_cannot_be_is_refused_before_anything_is_tried() -> None:
    with pytest.raises(ValueError, match=r"API base URL: .*cannot be read"):
        BitbucketClient(ApiToken("a@b.c", "t"), "acme", "http://*bad*/2.0")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_untrusted_certificate_is_told_at_once_and_is_not_ambiguous(tmp_path: Path, time: Time, method: str) -> None:
    with WebServer(tls=self_signed(tmp_path)) as server:
        client = BitbucketClient(ApiToken("a@b.c", "t"), "acme", server.api_url, clock=time.clock)
        with pytest.raises(bitbucket.BitbucketConnectionError, match="its TLS certificate is not trusted"):
            client.request(method, "/thing")
    assert not time.waits


@pytest.mark.parametrize("kind", ["reset", "lost_answer", "truncated", "server_error", "html"])
def test_a_start_whose_answer_is_lost_is_not_sent_again(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, kind: str
) -> None:
    bitbucket_emulator.fault(kind, method="POST")
    with pytest.raises(bitbucket.BitbucketAmbiguousError, match="may or may not have taken effect"):
        client.pipelines.trigger("api", branch="main")
    assert bitbucket_emulator.requests()[START] == 1


def test_a_start_in_answer_to_a_refused_connection_is_not_taken_for_that(
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


def test_a_start_that_is_not_answered_in_time_is_not_sent_again(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.fault("latency", latency=0.4, method="POST")
    with pytest.raises(bitbucket.BitbucketAmbiguousError, match="the response timed out"):
        make_client(timeout=(1, 0.05)).pipelines.trigger("api", branch="main")
    assert bitbucket_emulator.requests()[START] == 1


def test_a_start_that_surely_did_nothing_is_sent_again(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.fault("rate_limit", method="POST", count=2)
    assert client.pipelines.trigger("api", branch="main")["build_number"] == 1
    assert bitbucket_emulator.requests()[START] == 3


def test_a_start_that_could_not_connect_is_sent_again(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.stop()
    client = make_client(clock=Clock(sleep=lambda seconds: bitbucket_emulator.start() and None))
    assert client.pipelines.trigger("api", branch="main")["build_number"] == 1


def test_who_waits_by_itself_gets_the_error_at_once(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator, waits: list[float]
) -> None:
    client = make_client(retries=NO_RETRIES)
    bitbucket_emulator.fault("server_error")
    with pytest.raises(bitbucket.BitbucketServerError) as caught:
        client.workspaces.get()
    assert "Gave up" not in caught.value.message
    assert not waits


def test_a_budget_that_is_known_to_be_used_up_passes_like_a_429(make_client: Callable[..., BitbucketClient]) -> None:
    client = make_client(rate_limit=1, retries=NO_RETRIES)
    client.users.me()
    with pytest.raises(bitbucket.BitbucketRateLimitError) as caught:
        client.users.me()
    assert is_transient(caught.value), "a wait that takes it for a definite answer would lose its pipeline"


@pytest.mark.parametrize("lasts", [2, 100])
def test_a_429_that_is_not_of_the_api_is_waited_out_as_it_says_and_not_for_ever(
    server: WebServer, stranger: WebServer, time: Time, lasts: int
) -> None:
    """The token endpoint and storage have limits of their own, of which the request budget knows nothing."""
    busy = Answer("Too many", 429, {"Retry-After": "60"})
    token = Answer({"access_token": "t", "expires_in": 7200, "token_type": "bearer"})
    server.answer("/site/oauth2/access_token", *[busy] * lasts, token)
    server.answer("/2.0/user", {"uuid": "{1}"})
    consumer = BitbucketClient(OAuthClientCredentials("key", "s"), "acme", server.api_url, clock=time.clock)
    stranger.answer("/storage", *[busy] * lasts, Answer("log"))
    server.answer("/2.0/log", Answer("", 307, {"Location": f"{stranger.url}/storage"}))
    reader = BitbucketClient(ApiToken("me@x.org", "secret"), "acme", server.api_url, clock=time.clock)

    for ask, asked in ((consumer.users.me, server), (lambda: reader.request("GET", "/log"), stranger)):
        began, before = time.seconds, len(asked.asked)
        if lasts == 2:
            ask()
            assert 120 <= time.seconds - began < 130
        else:
            with pytest.raises(bitbucket.BitbucketRateLimitError, match="Failed after 8 attempts"):
                ask()
            assert len(asked.asked) - before == 8


def test_who_gives_up_when_the_budget_is_used_up_does_not_wait_for_a_place(reader: BitbucketClient, time: Time) -> None:
    brief = BitbucketClient(reader.auth, "acme", reader.base_url, clock=time.clock, retries=BRIEF)
    brief.budget.pause(25)
    with pytest.raises(bitbucket.BitbucketRateLimitError, match="possible in 25 s"):
        brief.users.me()
    assert time.seconds == 0


def test_back_off_grows_with_full_jitter() -> None:
    policy = RetryPolicy()
    for tries in range(1, 12):
        assert 0 <= policy.wait_seconds(tries, None) <= min(2 ** (tries - 1), 60)
    assert max(policy.wait_seconds(7, None) for _ in range(100)) > 30
