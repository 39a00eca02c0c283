"""``/_emulator/consumers/`` and ``/_emulator/logins``: change OAuth consumers, list logins, revoke logins and expire tokens."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.http import current_state, json_body
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.oauth import service as oauth_logins
from bitbucket_cloud_emulator.oauth.models import Consumer
from bitbucket_cloud_emulator.users.models import User

router = APIRouter(prefix="/_emulator")

_FIELDS = ("secret", "name", "callback_url", "scopes", "private")


@router.patch("/consumers/{key}")
async def change_consumer(request: Request, key: str) -> dict[str, Any]:
    """Change an OAuth consumer, or add one: ``secret``, ``name``, ``callback_url``, ``scopes`` and ``private``."""
    state, body = current_state(request), await json_body(request)
    if unknown := set(body) - set(_FIELDS):
        raise ApiError(400, f"Unknown consumer fields {sorted(unknown)}; expected some of {', '.join(_FIELDS)}")
    consumer = state.consumers.get(key)
    if consumer is None:
        consumer = state.consumers[key] = _new_consumer(state, key, body)
    consumer.user.display_name = body.pop("name", consumer.user.display_name)
    for name, value in body.items():
        setattr(consumer, name, frozenset(value) if name == "scopes" else value)
    return {
        "key": key,
        "name": consumer.user.display_name,
        "callback_url": consumer.callback_url,
        "scopes": sorted(consumer.scopes),
        "private": consumer.private,
    }


@router.get("/logins")
async def logins(request: Request) -> list[dict[str, Any]]:
    """All logins, revoked ones included, oldest first, without tokens."""
    return [
        {
            "consumer": one.consumer.key,
            "user": one.user.nickname,
            "scopes": sorted(one.scopes),
            "refreshes": one.refreshes,
            "revoked": one.revoked,
            "revoked_by_reuse": one.revoked_by_reuse,
        }
        for one in current_state(request).logins
    ]


@router.delete("/logins")
async def revoke_logins(request: Request, user: str | None = None) -> dict[str, int]:
    """Revoke logins with all their tokens: those of a user (nickname), or all."""
    found = [one for one in current_state(request).logins if not one.revoked and user in (None, one.user.nickname)]
    for login in found:
        oauth_logins.revoke(login)
    return {"revoked": len(found)}


@router.post("/logins/expire")
async def expire(request: Request) -> dict[str, int]:
    """Expire all access tokens of a ``consumer``, or of all, now; refresh tokens stay valid."""
    state, body = current_state(request), await json_body(request)
    key = body.get("consumer")
    if key not in (None, *state.consumers):
        raise ApiError(400, f"consumer is {key!r}; expected one of {', '.join(state.consumers)}")
    return {"expired": oauth_logins.expire_access_tokens(state, [state.consumers[key]] if key else state.consumers.values())}


def _new_consumer(state: State, key: str, body: dict[str, Any]) -> Consumer:
    if missing := {"secret", "scopes"} - set(body):
        raise ApiError(404, f"The emulator has no OAuth consumer {key!r}; to add one, send {', '.join(sorted(missing))} too")
    user = User(state.uuid(), key, key, f"712020:{state.uuid()[1:-1]}", state.clock.now(), "app_user")
    state.users[user.uuid] = user
    return Consumer(key, body["secret"], user, frozenset(body["scopes"]))
