"""Webhooks."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Webhook(TypedDict, total=False):
    """A subscription to events. Its secret is never returned; ``secret_set`` states whether it has one."""

    type: str
    uuid: str
    url: str
    description: str
    subject_type: Literal["repository", "workspace"]
    subject: dict[str, Any]
    active: bool
    created_at: str
    events: list[str]
    secret_set: bool
    history_enabled: bool  # recorded
    read_only: bool | None  # recorded
    skip_cert_verification: bool  # recorded
    source: str | None  # recorded


class HookEvent(TypedDict, total=False):
    """An event that webhooks can subscribe to."""

    event: str
    category: str
    label: str
    description: str
