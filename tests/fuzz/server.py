"""A server that replays the emulator's responses, one of them mutated, and a host that must not receive anything."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

from tests.fuzz.mutations import Mutation, Response

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"})


class _Server:
    """A context manager that listens on a free port and answers by :meth:`respond`."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
        raise NotImplementedError  # each server answers in its own way

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # headers and body are two writes: with it each response would take 40 ms

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                response = outer.respond(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                self.send_response(response.status)
                for name, value in response.headers:
                    self.send_header(name, value.encode("utf-8").decode("latin-1"))
                has_body = response.status not in (204, 304) and self.command != "HEAD"
                self.send_header("Content-Length", str(len(response.body) if has_body else 0))
                self.end_headers()
                if has_body:
                    self.wfile.write(response.body)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

            def log_message(self, *_: object) -> None:
                pass

        return Handler


class EvilHost(_Server):
    """Records requests that carry a credential or a body."""

    def __init__(self) -> None:
        super().__init__()
        self.leaks: list[str] = []
        self.requests = 0

    def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
        self.requests += 1
        if body or "authorization" in headers or "cookie" in headers:
            self.leaks.append(f"{method} {path} {sorted(headers)} {len(body)} bytes")
        return Response(200, (("Content-Type", "application/json"),), b'{"values": [], "access_token": "evil"}')


class MutatingServer(_Server):
    """Forwards each request to the emulator once, replays the response afterwards, and changes some of them.

    :param upstream: address of the emulator
    :param evil: the host that mutated links and redirects lead to
    """

    def __init__(self, upstream: str, evil: EvilHost) -> None:
        super().__init__()
        self.mutated = 0
        self._upstream = urlsplit(upstream)
        self._evil = evil
        self._recorded: dict[tuple[str, str, bytes], Response] = {}
        self._lock = threading.Lock()
        self.begin()

    def begin(self, mutation: Mutation | None = None) -> None:
        """Begin an example.

        :param mutation: what is wrong in it; None for nothing
        """
        with self._lock:
            self.requests, self.applied = 0, 0
            self._mutation, self._changed = mutation, None

    def respond(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
        key = (method, path, body)
        with self._lock:
            if key not in self._recorded:
                self._recorded[key] = self._forward(method, path, headers, body)
            response, number = self._recorded[key], self.requests
            self.requests += 1
            if self._mutation is None:
                return response
            first = self._changed is None and number >= self._mutation.request
            if not first and not (self._mutation.persistent and self._changed == key):
                return response
            self._changed = key
            self.applied += 1
            self.mutated += 1
        return self._with_addresses(self._mutation(response), path)

    def _forward(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Response:
        connection = http.client.HTTPConnection(self._upstream.hostname or "", self._upstream.port, timeout=30)
        sent = {name: value for name, value in headers.items() if name not in (*_HOP_BY_HOP, "host", "accept-encoding")}
        connection.request(method, path, body or None, sent)
        answer = connection.getresponse()
        kept = tuple((name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP)
        response = Response(answer.status, kept, answer.read())
        connection.close()
        return self._at_home(response)

    def _at_home(self, response: Response) -> Response:
        """Return a response whose links lead to this server."""
        theirs, ours = f"{self._upstream.scheme}://{self._upstream.netloc}", self.url
        headers = tuple((name, value.replace(theirs, ours)) for name, value in response.headers)
        return Response(response.status, headers, response.body.replace(theirs.encode(), ours.encode()))

    def _with_addresses(self, response: Response, path: str) -> Response:
        """Return a mutated response with the addresses that its placeholders stand for."""
        ours, evil = self.url.removeprefix("http://"), self._evil.url.removeprefix("http://")
        addresses = {
            "{self}": f"{self.url}{path}",
            "{evil}": f"{self._evil.url}{path}",
            "{evil_backslash}": f"http://{evil}\\@{ours}{path}",
            "{evil_user}": f"http://{ours}@{evil}{path}",
            "{canonical}": f"https://api.bitbucket.org{path}",
        }
        headers, body = list(response.headers), response.body
        for placeholder, address in addresses.items():
            headers = [(name, value.replace(placeholder, address)) for name, value in headers]
            body = body.replace(placeholder.encode(), address.replace("\\", "\\\\").encode())
        return Response(response.status, tuple(headers), body)
