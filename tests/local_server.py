"""A web server on a free port, for tests that need other responses than those of the emulator."""

from __future__ import annotations

import json
import ssl
import threading
from dataclasses import dataclass, replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

_SET_BY_EACH_CONNECTION = frozenset({"accept-encoding", "connection", "content-length", "keep-alive", "transfer-encoding"})


@dataclass(frozen=True)
class Request:
    """A request that was received.

    :param headers: values by name in lower case
    :param client_port: the port of the client, which identifies the connection
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    client_port: int


@dataclass(frozen=True)
class Response:
    """A response to send.

    :param missing_bytes: number of bytes by which ``Content-Length`` exceeds the body
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    missing_bytes: int = 0

    @property
    def document(self) -> Any:
        """The JSON document; None if the body is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def with_document(self, document: Any) -> Response:
        """Return the same response with another JSON document."""
        return replace(self, body=json.dumps(document).encode())

    def with_header(self, name: str, value: str) -> Response:
        """Return the same response with a header set."""
        return replace(self, headers=(*(pair for pair in self.headers if pair[0].lower() != name.lower()), (name, value)))


class LocalServer:
    """A context manager that listens on a free port and answers by :meth:`respond`.

    :param tls: serve HTTPS with this
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def respond(self, request: Request) -> Response:
        """Return the response to a request; called in the thread of its connection."""
        raise NotImplementedError

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # headers and body are two writes: with it each response would take 40 ms

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:  # some tests close the connection early
                    self.close_connection = True

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                response = server.respond(Request(self.command, self.path, headers, body, self.client_address[1]))
                self.send_response_only(response.status)
                for name, value in response.headers:
                    self.send_header(name, value.encode("utf-8").decode("latin-1"))
                content = response.body if response.status not in (204, 304) and self.command != "HEAD" else b""
                self.send_header("Content-Length", str(len(content) + response.missing_bytes))
                self.end_headers()
                self.wfile.write(content)
                self.close_connection = self.close_connection or bool(response.missing_bytes)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def forward(request: Request, upstream: str) -> Response:
    """Send a request to the server at another address and return its response.

    The request keeps its ``Host``, so that the emulator's links lead to the server that forwards.
    """
    connection = HTTPConnection(urlsplit(upstream).netloc, timeout=30)
    headers = {name: value for name, value in request.headers.items() if name not in _SET_BY_EACH_CONNECTION}
    connection.request(request.method, request.path, request.body or None, headers)
    answer = connection.getresponse()
    kept = tuple((name, value) for name, value in answer.getheaders() if name.lower() not in _SET_BY_EACH_CONNECTION)
    response = Response(answer.status, kept, answer.read())
    connection.close()
    return response
