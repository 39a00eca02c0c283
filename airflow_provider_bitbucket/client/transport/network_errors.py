"""What it means when no answer came: whether the request was sent, whether it may go better next time, and in words."""

from __future__ import annotations

from typing import Any

import requests
from requests import exceptions

from airflow_provider_bitbucket.client.transport.responses import MOST_BYTES, ResponseTooLargeError

_WORDS = {
    "NewConnectionError": "connection refused or host unreachable",
    "NameResolutionError": "no such host",
    "ConnectTimeoutError": "no connection in time",
    "ConnectTimeout": "no connection in time",
    "ReadTimeoutError": "no answer in time",
    "ReadTimeout": "no answer in time",
    "IncompleteRead": "the answer broke off",
    "ContentDecodingError": "the answer can not be unpacked",
    "ResponseTooLargeError": f"the answer has more than {MOST_BYTES // 2**20} MiB",
    "RemoteDisconnected": "the connection was closed without an answer",
    "ConnectionResetError": "the connection was reset",
    "SSLCertVerificationError": "its TLS certificate is not trusted",
}
_NOT_CONNECTED = {"NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "SSLCertVerificationError"}
_ON_THE_WAY = (
    requests.ConnectionError,
    requests.Timeout,
    exceptions.ChunkedEncodingError,
    exceptions.ContentDecodingError,
    ResponseTooLargeError,
)


def surely_not_sent(error: requests.RequestException) -> bool:
    """Say whether no connection was made, so that nothing can have happened at the other end."""
    if isinstance(error, requests.ConnectTimeout | exceptions.ProxyError) or not isinstance(error, _ON_THE_WAY):
        return True
    return bool(_NOT_CONNECTED & set(_names(error)))


def may_pass(error: BaseException | None) -> bool:
    """Say whether another try may go better: a certificate that is not trusted or an impossible address stays so."""
    if isinstance(error, requests.RequestException):
        return isinstance(error, _ON_THE_WAY) and "SSLCertVerificationError" not in _names(error)
    return True


def cause(error: requests.RequestException) -> str:
    """Return the innermost reason in a few words; urllib3's own text would repeat the address with its query."""
    return next((_WORDS[name] for name in reversed(_names(error)) if name in _WORDS), type(error).__name__)


def _names(error: BaseException) -> list[str]:
    """Return the types of an error and of all that led to it, outermost first.

    Not by ``__context__``: there stands, too, what the caller was just handling when it asked, another request's error maybe.
    requests and urllib3 hand their causes on in ``args``, ``reason`` and ``__cause__``.
    """
    found: list[BaseException] = []
    pending: list[Any] = [error]
    while pending and len(found) < 20:
        current = pending.pop()
        if not isinstance(current, BaseException) or current in found:
            continue
        found.append(current)
        pending += [*current.args, current.__cause__, getattr(current, "reason", None)]
    return [type(one).__name__ for one in found]
