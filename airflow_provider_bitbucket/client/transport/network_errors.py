"""Classify errors of requests: whether the request was sent, whether a retry can succeed, and the cause in words."""

from __future__ import annotations

import ssl
from http import client as http_client
from typing import Any

import requests
from requests import exceptions
from urllib3 import exceptions as urllib3_exceptions

from airflow_provider_bitbucket.client.transport.responses import MOST_BYTES, ResponseTooLargeError

#: Subclasses before their bases: urllib3 derives NameResolutionError from NewConnectionError, that from ConnectTimeoutError, and
#: the standard library RemoteDisconnected from ConnectionResetError.
_MESSAGES: dict[type[BaseException], str] = {
    ssl.SSLCertVerificationError: "its TLS certificate is not trusted",
    urllib3_exceptions.NameResolutionError: "the host name cannot be resolved",
    urllib3_exceptions.NewConnectionError: "connection refused or host unreachable",
    urllib3_exceptions.ConnectTimeoutError: "connecting timed out",
    requests.ConnectTimeout: "connecting timed out",
    urllib3_exceptions.ReadTimeoutError: "the response timed out",
    requests.ReadTimeout: "the response timed out",
    http_client.IncompleteRead: "the response is incomplete",  # urllib3's IncompleteRead is a subclass
    exceptions.ContentDecodingError: "the response cannot be decompressed",
    ResponseTooLargeError: f"the response has more than {MOST_BYTES // 2**20} MiB",
    http_client.RemoteDisconnected: "the connection was closed without a response",
    ConnectionResetError: "the connection was reset",
}
_BEFORE_SENDING = (
    ssl.SSLCertVerificationError,
    urllib3_exceptions.NewConnectionError,
    urllib3_exceptions.ConnectTimeoutError,
)
_IN_TRANSIT = (
    requests.ConnectionError,
    requests.Timeout,
    exceptions.ChunkedEncodingError,
    exceptions.ContentDecodingError,
    ResponseTooLargeError,
)


def is_surely_not_sent(error: requests.RequestException) -> bool:
    """Return whether no connection was made, so that the request cannot have had an effect."""
    if isinstance(error, requests.ConnectTimeout | exceptions.ProxyError) or not isinstance(error, _IN_TRANSIT):
        return True
    return any(isinstance(one, _BEFORE_SENDING) for one in _chain(error))


def is_transient_error(error: BaseException | None) -> bool:
    """Return whether a retry can succeed; after an untrusted certificate or an invalid address it cannot."""
    if isinstance(error, requests.RequestException):
        return isinstance(error, _IN_TRANSIT) and not any(isinstance(one, ssl.SSLCertVerificationError) for one in _chain(error))
    return True


def cause(error: requests.RequestException) -> str:
    """Return the innermost cause in a few words, without the address and query that urllib3's own text repeats."""
    for one in reversed(_chain(error)):
        for kind, message in _MESSAGES.items():
            if isinstance(one, kind):
                return message
    return type(error).__name__


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and all its causes, outermost first.

    Not by ``__context__``, which can be the error of another request that the caller was handling. requests and urllib3 keep
    their causes in ``args``, ``reason`` and ``__cause__``.
    """
    found: list[BaseException] = []
    pending: list[Any] = [error]
    while pending and len(found) < 20:
        current = pending.pop()
        if not isinstance(current, BaseException) or current in found:
            continue
        found.append(current)
        pending += [*current.args, current.__cause__, getattr(current, "reason", None)]
    return found
