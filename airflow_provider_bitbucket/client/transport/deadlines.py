"""A deadline for a whole response. The timeouts of a socket only limit the pause between two bytes."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import ConnectionPool

_end: ContextVar[float | None] = ContextVar("response_deadline", default=None)


@contextmanager
def response_deadline(seconds: float) -> Iterator[None]:
    """Limit the time of the responses that this thread reads within the block: status line, headers and body together.

    Applies to sessions that use :class:`DeadlineAdapter`; a response that is not complete in time raises a read timeout.

    :param seconds: from now on, in real time, as sockets count it
    """
    token = _end.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


class DeadlineAdapter(HTTPAdapter):
    """Connections whose responses obey :func:`response_deadline`."""

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> ConnectionPool:
        """Return the connection pool of a request, direct or through a proxy."""
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        for connection in (_HttpConnection, _HttpsConnection):
            if issubclass(connection, pool.ConnectionCls):  # a SOCKS proxy has its own, with the socket's timeouts only
                pool.ConnectionCls = connection
        return pool  # type: ignore[no-any-return]  # requests does not declare what it returns


class _SocketReader(io.RawIOBase):
    """Reads a socket until a deadline."""

    def __init__(self, sock: socket.socket, end: float) -> None:
        self._socket, self._end, self._timeout = sock, end, sock.gettimeout()
        self._raw: Any = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the response is not complete in time")
        self._socket.settimeout(left if self._timeout is None else min(left, self._timeout))
        read: int | None = self._raw.readinto(buffer)
        return read

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        if (end := _end.get()) is not None:
            self.fp.close()
            self.fp = io.BufferedReader(_SocketReader(sock, end))


class _HttpConnection(HTTPConnection):
    response_class = _Response


class _HttpsConnection(HTTPSConnection):
    response_class = _Response
