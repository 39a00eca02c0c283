"""A deadline for a whole response. The timeouts of a socket only limit the pause between two bytes."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from contextvars import ContextVar
from typing import Any, Self

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

_current: ContextVar[ResponseDeadline | None] = ContextVar("response_deadline", default=None)


class ResponseDeadline:
    """Within this context manager, a response that is not complete in time fails as if the connection had broken.

    Works for requests that are sent through :class:`DeadlineAdapter` in the same thread.

    :param seconds: time for the whole response, from the request on
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._lock = threading.RLock()  # a signal handler may send a request of its own while this thread holds it
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._token = _current.set(self)
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        _current.reset(self._token)
        with self._lock:
            self._socket = None  # the connection may serve other requests from here on

    @property
    def has_passed(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() >= self._end

    def watch(self, connection: socket.socket | None) -> None:
        """End this connection when the deadline passes.

        :raises TimeoutError: it has passed
        """
        with self._lock:
            self._socket = connection
        if self.has_passed:
            raise TimeoutError("the response is not complete in time")

    def _expire(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._socket is not None:
                # Not shutdown() of a TLS socket, which would take the TLS state from under the thread that reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Watched:
    """A connection whose socket is ended by the deadline of the request that it serves."""

    sock: socket.socket | None

    def getresponse(self) -> Any:
        if (deadline := _current.get()) is not None:
            deadline.watch(self.sock)
        return super().getresponse()  # type: ignore[misc]  # of the connection that this is mixed into


class _HttpConnection(_Watched, HTTPConnection):
    pass


class _HttpsConnection(_Watched, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


class DeadlineAdapter(HTTPAdapter):
    """Connections that know :class:`ResponseDeadline`. Through a SOCKS proxy only the timeouts of the socket hold."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools of direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> PoolManager:
        """Return the pools of connections through a proxy."""
        manager: PoolManager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):
            manager.pool_classes_by_scheme = _POOLS
        return manager
