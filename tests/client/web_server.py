"""A web server that returns the answers that a test sets, and records the requests."""

from __future__ import annotations

import json
import ssl
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.local_server import LocalServer, Request, Response


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


class WebServer(LocalServer):
    """A web server that returns the answers that a test sets, and records the requests.

    :param tls: serve HTTPS with this
    :param default: answer to a path that no answer was set for
    """

    def __init__(self, tls: ssl.SSLContext | None = None, default: Answer | None = None) -> None:
        super().__init__(tls)
        self.default = default or Answer("Not Found", 404)
        self.answers: dict[str, deque[Answer]] = {}
        self.asked: list[Request] = []

    @property
    def api_url(self) -> str:
        """The API base URL for a client."""
        return f"{self.url}/2.0"

    def answer(self, path: str, *answers: Answer | dict[str, Any]) -> None:
        """Set the answers to a path (without query), one per request; the last one is repeated."""
        self.answers[path] = deque(one if isinstance(one, Answer) else Answer(one) for one in answers)

    def respond(self, request: Request) -> Response:
        self.asked.append(request)
        answers = self.answers.get(request.path.partition("?")[0], deque([self.default]))
        answer = answers.popleft() if len(answers) > 1 else answers[0]
        headers = {"Content-Type": "application/json", **answer.headers}
        return Response(answer.status, tuple(headers.items()), answer.content, answer.cut)


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
