"""A web server that returns the answers that a test sets, and records the requests."""

from __future__ import annotations

import json
import ssl
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(frozen=True)
class Answer:
    """A response to send.

    :param body: bytes, text, or a value to encode as JSON
    :param cut: number of bytes by which ``Content-Length`` exceeds the body
    """

    body: Any = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0

    @property
    def content(self) -> bytes:
        """The body on the wire."""
        if isinstance(self.body, bytes):
            return self.body
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()


@dataclass(frozen=True)
class Request:
    """A request that was received.

    :param client_port: the port of the client, which identifies the connection
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    client_port: int


class WebServer:
    """A context manager that listens on a free port.

    :param tls: serve HTTPS with this
    :param default: answer to a path that no answer was set for
    """

    def __init__(self, tls: ssl.SSLContext | None = None, default: Answer | None = None) -> None:
        self.default = default or Answer("Not Found", 404)
        self.answers: dict[str, deque[Answer]] = {}
        self.asked: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._scheme = "https" if tls else "http"
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> WebServer:
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

    @property
    def api_url(self) -> str:
        """The API base URL for a client."""
        return f"{self.url}/2.0"

    def answer(self, path: str, *answers: Answer | dict[str, Any]) -> None:
        """Set the answers to a path (without query), one per request; the last one is repeated."""
        self.answers[path] = deque(one if isinstance(one, Answer) else Answer(one) for one in answers)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # which delays each answer on an open connection by 40 ms

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:  # some tests close the connection early
                    self.close_connection = True

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer.asked.append(Request(self.command, self.path, headers, body, self.client_address[1]))
                answers = outer.answers.get(self.path.partition("?")[0], deque([outer.default]))
                answer = answers.popleft() if len(answers) > 1 else answers[0]
                self.send_response(answer.status)
                headers = {
                    "Content-Type": "application/json",
                    **answer.headers,
                    "Content-Length": str(len(answer.content) + answer.cut),
                }
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.content)
                self.close_connection = self.close_connection or bool(answer.cut)

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return a TLS context whose certificate no authority has signed, and write key and certificate to ``folder``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + timedelta(hours=1))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    file = folder / "key-and-certificate.pem"
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
