"""Accounts as JSON."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from bitbucket_cloud_emulator.core.http import API
from bitbucket_cloud_emulator.core.wire import braces, iso_main
from bitbucket_cloud_emulator.users.models import Participant, User


def account_json(user: User | None, base: str) -> dict[str, Any] | None:
    """An account as part of other objects (cached, read-only); None for a deleted one."""
    return _account(user.uuid, user.display_name, user.nickname, user.account_id, user.type, base) if user else None


# Kept by value, because a page of pull requests shows the same few hundreds of times.
@lru_cache(maxsize=1024)
def _account(uuid: str, name: str, nickname: str, account_id: str | None, kind: str, base: str) -> dict[str, Any]:
    encoded = braces(uuid)
    shown: dict[str, Any] = {
        "display_name": name,
        "links": {
            "self": {"href": f"{base}{API}/users/{encoded}"},
            "avatar": {"href": f"{base}/account/{encoded}/avatar/32/"},
            "html": {"href": f"{base}/{encoded}/"},
        },
        "type": kind,
        "uuid": uuid,
    }
    if account_id:  # absent on team accounts
        shown["account_id"] = account_id
    if kind == "user":
        shown["nickname"] = nickname
    return shown


def user_json(user: User, base: str) -> dict[str, Any]:
    return {
        **(account_json(user, base) or {}),
        "username": user.nickname,
        "account_status": "active",
        "created_on": iso_main(user.created_on),
        "is_staff": False,
        "location": None,
        "has_2fa_enabled": None,
    }


def participant_json(participant: Participant, base: str) -> dict[str, Any]:
    """A participant; ``participated_on`` of an inactive reviewer is null."""
    return {
        "type": "participant",
        "user": account_json(participant.user, base),
        "role": participant.role,
        "approved": participant.approved,
        "state": participant.state,
        "participated_on": iso_main(participant.participated_on) if participant.participated_on else None,
    }


def default_reviewer_json(origin: str, user: User, base: str) -> dict[str, Any]:
    """A default reviewer.

    :param origin: where it is set: ``repository`` or ``project``
    """
    return {"type": "default_reviewer_and_type", "reviewer_type": origin, "user": account_json(user, base)}
