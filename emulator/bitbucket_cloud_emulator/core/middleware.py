"""ASGI middleware around all routes: request counts, faults and common headers."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
import time
from collections import Counter, deque
from email.utils import format_datetime
from typing import Any

from fastapi import FastAPI, Request
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send

from bitbucket_cloud_emulator.core import auth
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.faults import Fault
from bitbucket_cloud_emulator.core.http import API, current_state, route_template

_log = logging.getLogger(__name__)
_KEPT_REQUESTS = 10_000
_SECRET = re.compile(r"(?<=access_token=)[^&]+")
_OWN_PATHS = ("/_emulator", "/_storage")


class Traffic:
    """Request counts per route, and the last requests without their credentials."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Reset all counts."""
        self.counts: Counter[str] = Counter()
        self.by_credential: Counter[str] = Counter()
        self.grants: Counter[str] = Counter()  # OAuth grant and status of the answer
        self.recent: deque[dict[str, Any]] = deque(maxlen=_KEPT_REQUESTS)


class Middleware:
    """Count requests, apply faults, and add the headers of all responses."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_OWN_PATHS):
            await self.app(scope, receive, send)
            return
        template = self._template(scope)
        query = _SECRET.sub("***", scope["query_string"].decode())
        entry = {"method": scope["method"], "path": scope["path"], "route": template, "query": query}
        traffic: Traffic = self.app.state.traffic
        traffic.counts[f"{scope['method']} {template}"] += 1
        traffic.recent.append(entry)
        body = await _body_of(receive)
        entry["body"] = "" if scope["path"].startswith("/site/") else _without_secured(body.decode("utf-8", "replace"))
        fault = await self._fault(scope)
        if fault and await self._answer_with_fault(fault, scope, send, entry):
            return
        start, content = await self._answer(scope, body)
        credential = scope.get("state", {}).get("credential")
        traffic.by_credential[credential.user.nickname if credential else "anonymous"] += 1
        entry["status"] = start["status"]
        if fault and fault.kind == "late_answer":
            await self._hold(fault)
        if fault and fault.kind == "lost_answer":
            _abort(send)
            return
        if fault and fault.kind == "late_error":
            await self._send_error(ApiError(fault.status, "Something went wrong"), send, entry)
            return
        if fault and fault.kind == "truncated" and len(content) > 1:
            await send(start)
            await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
            _close(send)
            return
        await send(start)
        await send({"type": "http.response.body", "body": content})

    async def _fault(self, scope: Scope) -> Fault | None:
        clock = self.app.state.bitbucket.clock
        for fault in self.app.state.faults:
            if self._is_on(fault) and fault.strikes(scope["method"], scope["path"], clock):
                if fault.kind != "latency":
                    return fault  # type: ignore[no-any-return]  # app.state is untyped
                await self._hold(fault)
        return None

    async def _hold(self, fault: Fault) -> None:
        """Wait for the fault's latency, or until it is cleared."""
        until = time.monotonic() + fault.latency
        while (left := until - time.monotonic()) > 0 and self._is_on(fault):
            await asyncio.sleep(min(left, 0.05))

    def _is_on(self, fault: Fault) -> bool:
        return any(one is fault for one in self.app.state.faults)

    async def _answer_with_fault(self, fault: Fault, scope: Scope, send: Send, entry: dict[str, Any]) -> bool:
        """Answer in place of Bitbucket; False when the request has to take effect first."""
        if fault.kind in ("late_answer", "late_error", "lost_answer", "truncated"):
            return False
        if fault.kind == "reset":
            entry["status"] = 0
            _abort(send)
            return True
        if fault.kind == "rate_limit":
            seconds = (fault.until - self.app.state.bitbucket.clock.now()).total_seconds() if fault.until else 60.0
            error = auth.rate_limited(self.app.state.bitbucket, seconds)
        elif fault.kind == "html":
            error = ApiError(200, "Bitbucket", style="html")
        elif fault.html:
            error = ApiError(fault.status, "We're having trouble", style="html")
        else:
            error = ApiError(fault.status, "Something went wrong")
        await self._send_error(error, send, entry)
        return True

    async def _send_error(self, error: ApiError, send: Send, entry: dict[str, Any]) -> None:
        entry["status"] = error.status
        response = error.response()
        headers = [*response.raw_headers, (b"date", self._date().encode())]
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _answer(self, scope: Scope, body: bytes) -> tuple[Message, bytes]:
        """Run the application and return its answer with the common headers."""
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def keep(message: Message) -> None:
            sent.append(message)

        try:
            await self.app(scope, receive, keep)
        except Exception:
            if not sent:
                raise
            _log.exception("%s %s failed inside the emulator; answered with 500", scope["method"], scope["path"])
        start = sent[0]
        content = b"".join(message.get("body", b"") for message in sent[1:])
        request = Request(scope)
        state = current_state(request)
        number = state.number("request")
        trace = hashlib.md5(f"{number}".encode(), usedforsecurity=False).hexdigest()
        extra = {
            "Date": self._date(),
            **auth.headers_for(state, request),
            "Atl-Request-Id": trace,
            "Atl-Traceid": trace,
            "X-Request-Count": str(number),
            "Vary": "Authorization, origin, Accept-Encoding",
        }
        if scope["method"] == "GET" and start["status"] == 200 and content:
            tag = f'W/"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
            extra["ETag"] = tag
            if request.headers.get("If-None-Match") == tag:
                start, content = {**start, "status": 304}, b""
        headers = [(name, value) for name, value in start["headers"] if name != b"content-length" or start["status"] != 304]
        if not any(name == b"content-type" for name, _ in headers):
            extra["Content-Type"] = "text/html; charset=utf-8"  # on empty answers too; bitbucket.js fails without it
        headers += [(name.lower().encode(), value.encode()) for name, value in extra.items()]
        return {**start, "headers": headers}, content

    def _date(self) -> str:
        return format_datetime(self.app.state.bitbucket.clock.now(), usegmt=True)

    def _template(self, scope: Scope) -> str:
        """Return the route's template as the published specification writes it, or the path when there is none."""
        for route in self.app.router.routes:
            path = str(getattr(route, "path", ""))
            # Pages have any two words for a path, also an unknown one of the API.
            if path.startswith(API) == scope["path"].startswith(API) and route.matches(scope)[0] is Match.FULL:
                return route_template(path)
        return str(scope["path"]).removeprefix(API)


def _without_secured(body: str) -> str:
    """Return a body without the values of the secured variables and the secrets of webhooks in it."""
    if '"sec' not in body:
        return body

    def hide(fields: dict[str, Any]) -> dict[str, Any]:
        fields = {**fields, "secret": "***"} if fields.get("secret") else fields
        return {**fields, "value": "***"} if fields.get("secured") and "value" in fields else fields

    try:
        return json.dumps(json.loads(body, object_hook=hide))
    except (ValueError, RecursionError):
        return ""  # malformed JSON may hide a secret


async def _body_of(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


def _transport(send: Send) -> asyncio.Transport:
    """The connection under an ASGI ``send``: uvicorn has no other way to break it on purpose."""
    transport: asyncio.Transport = send.__self__.transport  # type: ignore[attr-defined]  # uvicorn's bound method
    return transport


def _abort(send: Send) -> None:
    _transport(send).abort()


def _close(send: Send) -> None:
    _transport(send).close()
