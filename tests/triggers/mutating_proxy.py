"""A proxy in front of the emulator that changes responses on their way to the client."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.local_server import LocalServer, Request, Response, forward

#: Changes the headers and the body of a response to a path; returns the body to send instead, None to leave it.
Mutation = Callable[[str, dict[str, str], bytes], bytes | None]


class MutatingProxy(LocalServer):
    """A context manager that listens on a free port and forwards every request.

    :param emulator: where requests go
    """

    def __init__(self, emulator: BitbucketEmulator) -> None:
        super().__init__()
        self._emulator = emulator
        self._mutation: Mutation | None = None
        self._left = 0
        self._lock = threading.Lock()

    @property
    def connection_json(self) -> str:
        """The Airflow connection that leads through the proxy."""
        connection = json.loads(connection_json(self._emulator))
        path = urlsplit(connection["host"]).path
        return json.dumps({**connection, "host": f"{self.url}{path}"})

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

    def respond(self, request: Request) -> Response:
        response = forward(request, self._emulator.url)
        if response.status != 200:
            return response
        headers = dict(response.headers)
        body = self.mutated(request.path, headers, response.body)
        return Response(200, tuple(headers.items()), body)


def of_list(change: Callable[[Any], Any]) -> Mutation:
    """Return a mutation of the JSON of lists of pipelines."""

    def mutate(path: str, headers: dict[str, str], body: bytes) -> bytes | None:
        if not path.partition("?")[0].endswith("/pipelines/"):
            return None
        return json.dumps(change(json.loads(body))).encode()

    return mutate
