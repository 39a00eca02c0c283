"""Faults of the network and of Bitbucket that can be switched on."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from bitbucket_cloud_emulator.core.clock import Clock

KINDS = (
    "rate_limit",  # 429
    "server_error",  # ``status``, as HTML or JSON
    "reset",  # the connection is reset before anything happened
    "latency",  # ``latency`` real seconds before the request is handled
    "late_answer",  # the request takes effect, and is answered ``latency`` real seconds later
    "lost_answer",  # the request takes effect, then the connection is reset
    "late_error",  # the request takes effect, and is answered with ``status``, such as 555 for a timeout
    "truncated",  # half of the body, then the connection is closed
    "html",  # an HTML page with status 200 in place of JSON
)


@dataclass
class Fault:
    """A fault and when it strikes.

    :param kind: one of :data:`KINDS`
    :param count: strikes so many times; None: until cleared
    :param until: end of the fault, in emulated time
    :param method: only this HTTP method
    :param path: regular expression searched in the path (without query); matches every path by default
    :param after: lets so many matching requests pass first
    :param status: of ``server_error`` and ``late_error``
    :param html: whether ``server_error`` has an HTML body
    :param latency: real seconds, of ``latency`` and ``late_answer``; clearing the fault ends it sooner
    """

    kind: str
    count: int | None = 1
    until: datetime | None = None
    method: str | None = None
    path: str = ""
    after: int = 0
    status: int = 503
    html: bool = True
    latency: float = 0.0
    struck: int = field(default=0)

    def strikes(self, method: str, path: str, clock: Clock) -> bool:
        """Return whether a request is hit, and count it."""
        if (self.method and self.method != method) or not re.search(self.path, path):
            return False
        if (self.until and clock.now() >= self.until) or (self.count is not None and self.struck >= self.count):
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.struck += 1
        return True

    def shown(self) -> dict[str, Any]:
        """Return the fault as JSON."""
        return {**asdict(self), "until": self.until.isoformat() if self.until else None}
