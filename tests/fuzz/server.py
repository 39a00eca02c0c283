"""A server that replays the emulator's responses, one of them mutated, and a host that must not receive anything."""

from __future__ import annotations

import threading

from tests.fuzz.mutations import Mutation
from tests.local_server import LocalServer, Request, Response, forward


class EvilHost(LocalServer):
    """Records requests that carry a credential or a body."""

    def __init__(self) -> None:
        super().__init__()
        self.leaks: list[str] = []
        self.requests = 0

    def respond(self, request: Request) -> Response:
        self.requests += 1
        if request.body or "authorization" in request.headers or "cookie" in request.headers:
            self.leaks.append(f"{request.method} {request.path} {sorted(request.headers)} {len(request.body)} bytes")
        return Response(200, (("Content-Type", "application/json"),), b'{"values": [], "access_token": "evil"}')


class MutatingServer(LocalServer):
    """Forwards each request to the emulator once, replays the response afterwards, and changes some of them.

    :param upstream: address of the emulator
    :param evil: the host that mutated links and redirects lead to
    """

    def __init__(self, upstream: str, evil: EvilHost) -> None:
        super().__init__()
        self.mutated = 0
        self._upstream = upstream
        self._evil = evil
        self._recorded: dict[tuple[str, str, bytes], Response] = {}
        self._lock = threading.Lock()
        self.begin()

    def begin(self, mutation: Mutation | None = None) -> None:
        """Begin an example.

        :param mutation: the mutation of its responses; None for unchanged ones
        """
        with self._lock:
            self.requests, self.applied = 0, 0
            self._mutation, self._changed = mutation, None

    def respond(self, request: Request) -> Response:
        key = (request.method, request.path, request.body)
        with self._lock:
            if key not in self._recorded:
                self._recorded[key] = forward(request, self._upstream)
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
        return self._with_addresses(self._mutation(response), request.path)

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
