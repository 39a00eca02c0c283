"""Accounts, workspaces and their members."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.users.models import Credential
from bitbucket_cloud_emulator.users.views import user_json

router = APIRouter(prefix=API)

READ_USER = [Depends(requires("read:user"))]


@router.get("/user")
async def me(request: Request, credential: Annotated[Credential, Depends(requires("read:user"))]) -> Response:
    """The authenticated account; access tokens have none."""
    if credential.kind.endswith("_access_token"):
        raise ApiError(403, "This API is not accessible by this authentication mechanism.")
    return json_response(user_json(credential.user, origin(request)))


@router.get("/users/{selected_user}", dependencies=READ_USER)
async def user(request: Request, selected_user: str) -> Response:
    """An account by uuid or account id; names have not been accepted since 2019."""
    for found in current_state(request).users.values():
        if selected_user in (found.uuid, found.account_id):
            return json_response(user_json(found, origin(request)))
    raise ApiError(404, f"No user with identifier '{selected_user}'.")
