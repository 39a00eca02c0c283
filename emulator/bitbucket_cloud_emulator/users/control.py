"""``/_emulator/credentials``: add and revoke credentials."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request

from bitbucket_cloud_emulator.core.auth import ALL_SCOPES, CREDENTIAL_KINDS
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.http import current_state, json_body
from bitbucket_cloud_emulator.users.models import Credential, User

router = APIRouter(prefix="/_emulator/credentials")


@router.post("")
async def add_credential(request: Request) -> dict[str, Any]:
    """Add a credential: the fields of :class:`Credential`, of which ``kind`` and ``secret`` are needed, ``user`` a nickname."""
    state, body = current_state(request), await json_body(request, "kind", "secret")
    if body["kind"] not in CREDENTIAL_KINDS:
        raise ApiError(400, f"Credential kind is {body['kind']!r}; expected one of {', '.join(CREDENTIAL_KINDS)}")
    user = next((one for one in state.users.values() if one.nickname == body.get("user")), None)
    if user is None:
        name = body.get("user") or f"{body['kind']} bot"
        user = User(state.uuid(), name, name, f"712020:{state.uuid()[1:-1]}", state.clock.now(), "app_user")
        state.users[user.uuid] = user
    credential = Credential(
        kind=body["kind"],
        secret=body["secret"],
        user=user,
        scopes=frozenset(body.get("scopes", ALL_SCOPES)),
        login=body.get("login"),
        workspace=body.get("workspace"),
        repository=body.get("repository"),
        expires_on=datetime.fromisoformat(body["expires_on"]) if body.get("expires_on") else None,
    )
    state.credentials.append(credential)
    return {"user": user.nickname, "scopes": sorted(credential.scopes)}


@router.delete("/{secret}")
async def revoke_credential(request: Request, secret: str) -> dict[str, Any]:
    """Revoke a credential, as its owner would at Atlassian."""
    found = [one for one in current_state(request).credentials if one.secret == secret]
    for credential in found:
        credential.revoked = True
    return {"revoked": len(found)}
