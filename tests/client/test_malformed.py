"""Any response yields a result, a transient error or a bounded wait: never a traceback, a hang or exhausted memory."""

from __future__ import annotations

import gzip
import socket
import threading
import time as real_time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient, BitbucketError, BitbucketServerError, RetryPolicy
from airflow_provider_bitbucket.client.paging import by_next, by_next_without_gaps, by_number
from airflow_provider_bitbucket.client.transport.budget import WINDOW_SECONDS, RateBudget
from airflow_provider_bitbucket.client.transport.errors import (
    BitbucketAmbiguousError,
    BitbucketMalformedResponseError,
    BitbucketRateLimitError,
)
from airflow_provider_bitbucket.client.transport.responses import MOST_BYTES
from airflow_provider_bitbucket.client.transport.retry import is_transient, retry_after
from airflow_provider_bitbucket.client.transport.text import lines, printable
from tests.client.timing import Time
from tests.client.web_server import Answer, WebServer

ONCE = RetryPolicy(attempts=1)
PATH = "/2.0/user"
USER = {"type": "user", "uuid": "{1}"}

UNREADABLE = {
    "nested": b"[" * 100_000,
    "nested object": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "no text": b'{"a": "\xff\xfe"}',
    "huge number": b'{"a": ' + b"9" * 5000 + b"}",
    "not a number": b'{"a": NaN}',
    "infinite": b'{"a": -Infinity}',
    "overflow": b'{"a": 1e999}',
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "text": b'"text"',
    "cut": b'{"a": ',
    "error object": b'{"type": "error", "error": {"message": "not now"}}',
}


@pytest.fixture(scope="module")
def server() -> Iterator[WebServer]:
    """A web server."""
    with WebServer() as running:
        yield running


def client_of(server: WebServer, policy: RetryPolicy = ONCE) -> BitbucketClient:
    """Return a client of the server, for which time passes only during waits."""
    return BitbucketClient(ApiToken("me@x.org", "secret"), "acme", server.api_url, retries=policy, clock=Time().clock)


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
def test_a_request_is_repeated_after_a_malformed_response(server: WebServer, body: bytes) -> None:
    server.answer(PATH, Answer(body), USER)
    assert client_of(server, RetryPolicy(attempts=2)).users.me() == USER
    server.answer(PATH, Answer(body))
    with pytest.raises(BitbucketMalformedResponseError) as caught:
        client_of(server).users.me()
    assert is_transient(caught.value)


@pytest.mark.parametrize("body", [body for name, body in UNREADABLE.items() if name != "empty"])
def test_a_post_is_not_repeated_after_a_malformed_response(server: WebServer, body: bytes) -> None:
    server.answer("/2.0/start", Answer(body))
    with pytest.raises(BitbucketAmbiguousError):
        client_of(server).post("/start", {})


@pytest.mark.parametrize("status", [204, 304])
def test_a_response_without_content_is_malformed(server: WebServer, status: int) -> None:
    server.answer(PATH, Answer(b"", status))
    with pytest.raises(BitbucketMalformedResponseError):
        client_of(server).users.me()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=60), status=st.sampled_from([200, 200, 201, 400, 404, 429, 500, 555]))
def test_any_body_yields_an_object_or_a_bitbucket_error(server: WebServer, body: bytes, status: int) -> None:
    server.answer(PATH, Answer(body, status))
    message = ""
    try:
        assert isinstance(client_of(server, RetryPolicy(attempts=1, pace=False)).users.me(), dict)
    except BitbucketError as error:
        message = error.message
    assert printable(message) == message.replace("\n", "\\n")


def test_a_lone_surrogate_is_replaced(server: WebServer) -> None:
    server.answer(PATH, Answer(b'{"name": "a\\ud800b", "whole": "\\ud83d\\ude00"}'))
    assert client_of(server).users.me() == {"name": "a?b", "whole": "\U0001f600"}


@pytest.mark.parametrize(
    "page",
    [
        {"values": {}},
        {},
        {"values": [], "next": 1},
        {"values": [], "next": []},
        {"values": [], "next": {}},
        {"values": [], "next": ""},
        {"values": [], "next": False},
    ],
)
def test_a_malformed_page_is_requested_again(server: WebServer, page: dict[str, Any]) -> None:
    good = {"values": [{"uuid": "{a}"}]}
    server.answer("/2.0/list", page, good)
    assert [*client_of(server, RetryPolicy(attempts=2)).paginate("/list")] == good["values"]


@pytest.mark.parametrize("kind", [by_next, by_next_without_gaps, by_number])
@pytest.mark.parametrize("period", [0, 1, 3, 400])
def test_reading_an_endless_list_ends_with_an_error(kind: Any, period: int) -> None:
    requests = count()

    def get(path: str, params: Any) -> dict[str, Any]:
        number = next(requests)
        row = {"uuid": number % period} if period else {}
        sizes = {"size": 1000} if number % 2 else {}
        return {"values": [row] * 100 if period else [], "next": f"{path}?{number}", "pagelen": -1, **sizes}

    if kind is by_number and not period:
        assert [*kind(get, "/list", {"pagelen": 100})] == []
        return
    with pytest.raises(BitbucketServerError):
        for _ in kind(get, "/list", {"pagelen": 100}):
            pass
    assert next(requests) <= period + 13


def test_a_size_that_is_missing_on_a_later_page_costs_no_request() -> None:
    pages = [{"values": [{"uuid": n}], "size": 300, "next": f"n{n}"} for n in range(3)]
    del pages[1]["size"], pages[2]["next"]
    answers = iter(pages)
    assert len([*by_next_without_gaps(lambda *_: next(answers), "/list", {"pagelen": 100})]) == 3


def test_a_page_length_larger_than_requested_does_not_end_a_list() -> None:
    pages = iter(
        [{"values": [{"uuid": n} for n in range(100)], "pagelen": 10**9}, {"values": [{"uuid": "last"}], "pagelen": 100}]
    )
    assert len([*by_number(lambda *_: next(pages), "/list", {"pagelen": 100})]) == 101


def test_a_list_of_a_million_rows_is_read() -> None:
    pages = iter(range(20_000))

    def get(path: str, params: Any) -> dict[str, Any]:
        page = next(pages)
        return {"values": [{"id": page * 50 + n} for n in range(50)], **({"next": f"p{page}"} if page < 19_999 else {})}

    assert sum(1 for _ in by_next(get, "/list", {"pagelen": 50})) == 1_000_000


class TestSize:
    """Compressed responses do not exhaust the memory."""

    def test_a_compressed_response_is_read_up_to_the_limit(self, server: WebServer) -> None:
        bomb = gzip.compress(b" " * (MOST_BYTES + 10), 1)
        server.answer(PATH, Answer(bomb, headers={"Content-Encoding": "gzip"}))
        with pytest.raises(BitbucketError, match="more than 64 MiB") as caught:
            client_of(server).users.me()
        assert is_transient(caught.value)

    def test_the_message_of_a_compressed_error_page_is_kept(self, server: WebServer) -> None:
        page = gzip.compress(b"<html><title>Down</title>" + b" " * 5_000_000)
        headers = {"Content-Encoding": "gzip", "Content-Type": "text/html"}
        server.answer(PATH, Answer(page, 503, headers))
        with pytest.raises(BitbucketServerError, match="Down"):
            client_of(server).users.me()

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"last": 5}, b"56789"),
            ({"start": 3, "end": 5}, b"345"),
            ({"start": 7}, b"789"),
            ({}, b"0123456789"),
            ({"start": 20}, b""),
        ],
    )
    def test_a_range_of_a_log_is_returned_when_the_server_ignores_ranges(
        self, server: WebServer, options: dict[str, int], expected: bytes
    ) -> None:
        server.answer("/2.0/repositories/acme/api/pipelines/1/steps/s/log", Answer(b"0123456789"))
        assert client_of(server).pipelines.log("api", 1, "s", **options) == expected

    def test_an_endless_log_is_an_error(self, server: WebServer) -> None:
        bomb = gzip.compress(b"x" * (MOST_BYTES + 1_000_000), 1)
        server.answer("/2.0/repositories/acme/api/pipelines/1/steps/s/log", Answer(bomb, headers={"Content-Encoding": "gzip"}))
        with pytest.raises(BitbucketError, match="more than 64 MiB"):
            client_of(server).pipelines.log("api", 1, "s", last=16)

    @pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "unknown"])
    def test_a_response_with_an_unexpected_encoding_is_malformed(self, server: WebServer, encoding: str) -> None:
        server.answer(PATH, Answer(gzip.compress(gzip.compress(b"{}")), headers={"Content-Encoding": encoding}))
        with pytest.raises(BitbucketError) as caught:
            client_of(server).users.me()
        assert is_transient(caught.value)


@contextmanager
def slow_server(start: bytes) -> Iterator[str]:
    """Run a server that sends ``start`` and then one byte every 0.05 s, and yield its API base URL."""
    stop = threading.Event()

    def serve(listener: socket.socket) -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65_536)
                    connection.sendall(start)
                    while not stop.wait(0.05):
                        connection.sendall(b" ")
                except OSError:
                    continue

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/2.0"
        finally:
            stop.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{",
        b"HTTP/1.1 503 Busy\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: ",
        b"",
    ],
    ids=["body", "error", "chunk", "header", "nothing"],
)
def test_a_response_that_arrives_byte_by_byte_times_out_with_a_transient_error(start: bytes) -> None:
    with slow_server(start) as url:
        policy = RetryPolicy(attempts=1, response_seconds=0.5)
        client = BitbucketClient(ApiToken("me@x.org", "secret"), "acme", url, retries=policy)
        began = real_time.monotonic()
        with pytest.raises(BitbucketError) as caught:
            client.users.me()
        assert is_transient(caught.value)
        assert real_time.monotonic() - began < 20, "the deadline for the response was ignored"


class TestWaits:
    """A header can cause a wait of an hour at most, the window of the rate limit."""

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("315360000", WINDOW_SECONDS),
            ("9" * 5000, WINDOW_SECONDS),
            ("Fri, 01 Jan 2099 00:00:00 GMT", WINDOW_SECONDS),
            (" 12 ", 12.0),
            ("0012", 12.0),
            ("0" * 50 + "7", 7.0),
            ("0", 0.0),
            *((text, None) for text in ("\u00b2", "\u0661", "-5", "1e20", "nan", "", "Fri, 99 Jan 99999 00:00:00 GMT")),
        ],
    )
    def test_retry_after_is_capped_and_ignored_when_malformed(self, value: str, seconds: float | None) -> None:
        now = datetime(2026, 11, 2, tzinfo=UTC)
        assert retry_after({"Retry-After": value}, now) == seconds
        assert retry_after({"Retry-After": value, "Date": "Thu, 01 Jan 1970 00:00:00 GMT"}, now) == seconds

    @settings(max_examples=300, deadline=None)
    @given(
        st.dictionaries(
            st.sampled_from(
                [
                    "Retry-After",
                    "Date",
                    "X-RateLimit-Limit",
                    "X-RateLimit-Reset",
                    "X-RateLimit-Remaining",
                    "X-RateLimit-NearLimit",
                ]
            ),
            st.text(max_size=30)
            | st.from_regex(r"[-+]?[0-9]{1,25}(\.[0-9]+)?(e[0-9]+)?")
            | st.sampled_from(["0", "true", "\u00b2"]),
        )
    )
    def test_no_header_causes_a_longer_wait_than_the_window(self, headers: dict[str, str]) -> None:
        time = Time()
        budget = RateBudget(clock=time.clock)
        budget.acquire()
        budget.learn(headers)
        budget.refused(retry_after(headers, time.clock.now()))
        assert 0 <= budget.free_in <= WINDOW_SECONDS + 1

    def test_a_request_whose_wait_would_exceed_its_limit_fails_at_once(self) -> None:
        time = Time()
        budget = RateBudget(clock=time.clock)
        budget.pause(1000)
        with pytest.raises(BitbucketRateLimitError):
            budget.acquire(999)
        assert time.waits == []
        assert budget.acquire(1000) == 1000


class TestText:
    """Text from a server cannot control the terminal or the log that shows it."""

    def test_a_progress_bar_is_shown_as_one_line(self) -> None:
        assert lines("a\r\n10%\r50%\r100%\nb\x0bc\x1cd\u2028e\r\r\n\n") == ["a", "100%", r"b\x0bc\x1cd\u2028e", ""]
        assert lines("") == []

    def test_control_characters_are_shown_as_escapes(self) -> None:
        assert (
            printable("\x1b[31mred\x9b\x7f\u202e\n\ttab \u00e9\U0001f600")
            == r"\x1b[31mred\x9b\x7f\u202e\n" + "\ttab \u00e9\U0001f600"
        )

    @given(st.text())
    def test_any_text_becomes_printable(self, text: str) -> None:
        for line in lines(text):
            assert printable(line) == line
            assert not any(ord(char) < 32 and char != "\t" for char in line)
            line.encode()
