"""A proxy in front of the emulator that changes responses on their way to the client."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator

#: Changes the headers and the body of a response to a path; returns the body to send instead, None to leave it.
Mutation = Callable[[str, dict[str, str], bytes], bytes | None]


class MutatingProxy:
    """A context manager that listens on a free port and forwards every request.

    :param emulator: where requests go
    """

    def __init__(self, emulator: BitbucketEmulator) -> None:
        self._emulator = emulator
        self._mutation: Mutation | None = None
        self._left = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    def __enter__(self) -> MutatingProxy:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.005}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def connection_json(self) -> str:
        """The Airflow connection that leads through the proxy."""
        connection = json.loads(connection_json(self._emulator))
        path = urlsplit(connection["host"]).path
        return json.dumps({**connection, "host": f"http://127.0.0.1:{self._server.server_port}{path}"})

    def mutate(self, mutation: Mutation, times: int = 1) -> None:
        """Change so many of the next responses that the mutation applies to."""
        with self._lock:
            self._mutation, self._left = mutation, times

    @property
    def left(self) -> int:
        """How many responses are still to be changed."""
        with self._lock:
            return self._left

    def mutated(self, path: str, headers: dict[str, str], body: bytes) -> bytes:
        """Return what is sent instead of a body."""
        with self._lock:
            changed = self._mutation(path, headers, body) if self._mutation and self._left > 0 else None
            self._left -= changed is not None
        return body if changed is None else changed

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True

            def forward(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                upstream = HTTPConnection(urlsplit(outer._emulator.api_url).netloc)
                upstream.request(self.command, self.path, content, dict(self.headers))
                response = upstream.getresponse()
                body = response.read()
                upstream.close()
                headers = {name: value for name, value in response.getheaders() if name.lower() != "content-length"}
                if response.status == 200:
                    body = outer.mutated(self.path, headers, body)
                self.send_response_only(response.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = forward

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def of_list(change: Callable[[Any], Any]) -> Mutation:
    """Return a mutation of the JSON of lists of pipelines."""

    def mutate(path: str, headers: dict[str, str], body: bytes) -> bytes | None:
        if not path.partition("?")[0].endswith("/pipelines/"):
            return None
        return json.dumps(change(json.loads(body))).encode()

    return mutate
