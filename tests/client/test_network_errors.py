"""Network errors are classified by their types, so that subclasses and renamed classes are classified alike."""

from __future__ import annotations

import ssl
from http import client as http_client
from socket import gaierror

import pytest
import requests
from urllib3 import exceptions as urllib3_exceptions
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from airflow_provider_bitbucket.client.transport.network_errors import cause, is_surely_not_sent, is_transient_error

POOL, CONNECTION = HTTPConnectionPool("api.example"), HTTPConnection("api.example")


class SocksConnectionError(urllib3_exceptions.NewConnectionError):
    """A subclass, such as those that urllib3's SOCKS support raises."""


def wrapped(error: Exception) -> requests.ConnectionError:
    """Wrap an error as requests does: inside urllib3's MaxRetryError."""
    return requests.ConnectionError(urllib3_exceptions.MaxRetryError(POOL, "/2.0/user?token=secret", error))


@pytest.mark.parametrize(
    ("error", "message", "surely_not_sent", "transient"),
    [
        (SocksConnectionError(CONNECTION, "refused"), "connection refused or host unreachable", True, True),
        (urllib3_exceptions.NewConnectionError(CONNECTION, "refused"), "connection refused or host unreachable", True, True),
        (urllib3_exceptions.NameResolutionError("h", CONNECTION, gaierror()), "the host name cannot be resolved", True, True),
        (urllib3_exceptions.ConnectTimeoutError(CONNECTION, "slow"), "connecting timed out", True, True),
        (ssl.SSLCertVerificationError("self-signed"), "its TLS certificate is not trusted", True, False),
        (urllib3_exceptions.ReadTimeoutError(POOL, "/", "slow"), "the response timed out", False, True),
        (urllib3_exceptions.ProtocolError("gone", ConnectionResetError()), "the connection was reset", False, True),
        (
            urllib3_exceptions.ProtocolError("gone", http_client.RemoteDisconnected()),
            "the connection was closed without a response",
            False,
            True,
        ),
        (urllib3_exceptions.IncompleteRead(1, 2), "the response is incomplete", False, True),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_is_classified_by_its_innermost_cause(
    error: Exception, message: str, surely_not_sent: bool, transient: bool
) -> None:
    raised = wrapped(error)
    assert (cause(raised), is_surely_not_sent(raised), is_transient_error(raised)) == (message, surely_not_sent, transient)


def test_an_error_that_the_caller_was_handling_is_not_a_cause() -> None:
    error = wrapped(urllib3_exceptions.ReadTimeoutError(POOL, "/", "slow"))
    error.__context__ = ssl.SSLCertVerificationError("of another request")
    assert cause(error) == "the response timed out"
    assert is_transient_error(error)


def test_an_error_without_a_known_cause_is_named_by_its_type() -> None:
    assert cause(requests.ConnectionError("x")) == "ConnectionError"
    assert is_surely_not_sent(requests.exceptions.InvalidURL("x"))
    assert not is_transient_error(requests.exceptions.InvalidURL("x"))
