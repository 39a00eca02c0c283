"""Webhooks of repositories and workspaces."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(eq=False)
class Webhook:
    """A subscription to events; deliveries are signed with its secret."""

    uuid: str
    url: str
    description: str
    events: list[str]
    created_at: datetime
    active: bool = True
    secret: str | None = None
    history_enabled: bool = False
    skip_cert_verification: bool = False
