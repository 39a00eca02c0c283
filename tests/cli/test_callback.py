"""The address that a browser is sent to after a login, whatever else connects to it."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Iterator

import pytest

from airflow_provider_bitbucket.cli.callback import Listener, LoginDeniedError, code_from
from demo.local_airflow import free_port

LIMIT_SECONDS = 1.0


@pytest.fixture
def callback_url() -> str:
    return f"http://127.0.0.1:{free_port()}/callback"


@pytest.fixture(params=["silent", "dripping"])
def listener(request: pytest.FixtureRequest, callback_url: str) -> Iterator[Listener]:
    """A listener to which another program is connected that never completes its request."""
    ended = threading.Event()

    def drip(connection: socket.socket) -> None:
        while not ended.wait(0.1):
            try:
                connection.sendall(b"G")
            except OSError:
                return

    with Listener(callback_url, "state") as running:
        port = int(callback_url.split(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            if request.param == "dripping":
                threading.Thread(target=drip, args=(connection,), daemon=True).start()
            # Released late, so that a listener that waits for this connection is seen to miss its limit.
            release = threading.Timer(8 * LIMIT_SECONDS, connection.close)
            release.start()
            yield running
            release.cancel()
            ended.set()


def test_an_incomplete_request_does_not_delay_the_end_of_a_login(listener: Listener) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="within 1 s"):
        listener.wait(LIMIT_SECONDS)
    assert time.monotonic() - began < 4 * LIMIT_SECONDS


def test_an_incomplete_request_does_not_keep_the_browser_out(listener: Listener, callback_url: str) -> None:
    with urllib.request.urlopen(f"{callback_url}?code=the-code&state=state", timeout=4 * LIMIT_SECONDS) as page:
        assert b"Connected" in page.read()
    assert listener.wait(LIMIT_SECONDS) == "the-code"


@pytest.mark.parametrize(
    "pasted",
    [
        "http://[?code=c&state=state",
        "http://127.0.0.1:port/?code=c&state=state",
        "http://evil\\@127.0.0.1/?code=c&state=state",
        "http://127.0.0.1/callback ?code=c&state=state",
        "callback?code=c&state=state",
    ],
)
def test_a_pasted_address_that_cannot_be_read_is_refused_without_showing_the_code(pasted: str) -> None:
    with pytest.raises(LoginDeniedError, match="cannot be read") as caught:
        code_from(pasted.replace("=c&", "=s3cret&"), "state")
    assert "s3cret" not in str(caught.value)


def test_the_whole_address_or_only_the_code_is_understood() -> None:
    assert code_from(" https://airflow.example/callback?code=a%2Fb&state=state#end\n", "state") == "a/b"
    assert code_from(" the-code ", "state") == "the-code"
