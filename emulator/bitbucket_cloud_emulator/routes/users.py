"""Accounts, workspaces and their members."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.errors import ApiError, json_response
from bitbucket_cloud_emulator.http import (
    API,
    account_json,
    braces,
    current_state,
    find_workspace,
    iso_main,
    origin,
    requires,
)
from bitbucket_cloud_emulator.paging import page
from bitbucket_cloud_emulator.state import Credential, User, Workspace

router = APIRouter(prefix=API)

_MEMBER_FILTERS = ("user.nickname", "user.account_id", "user.uuid")
READ_USER = [Depends(requires("read:user"))]
READ_WORKSPACE = [Depends(requires("read:workspace"))]


@router.get("/user")
async def me(request: Request, credential: Annotated[Credential, Depends(requires("read:user"))]) -> Response:
    """The caller; access tokens are nobody."""
    if credential.kind.endswith("_access_token"):
        raise ApiError(403, "This API is not accessible by this authentication mechanism.")
    return json_response(_user_json(credential.user, origin(request)))


@router.get("/users/{selected_user}", dependencies=READ_USER)
async def user(request: Request, selected_user: str) -> Response:
    """An account by uuid or account id; names have not been accepted since 2019."""
    for found in current_state(request).users.values():
        if selected_user in (found.uuid, found.account_id):
            return json_response(_user_json(found, origin(request)))
    raise ApiError(404, f"No user with identifier '{selected_user}'.")


@router.get("/user/workspaces")
async def my_workspaces(request: Request, credential: Annotated[Credential, Depends(requires("read:workspace"))]) -> Response:
    """The workspaces the caller is in."""
    base = origin(request)
    mine = [one for one in current_state(request).workspaces.values() if credential.workspace in (None, one.slug)]

    def render(workspace: Workspace) -> dict[str, Any]:
        short = _short(workspace, base)
        shown = {**{name: short[name] for name in ("type", "uuid", "slug")}, "links": {"self": short["links"]["self"]}}
        owner = workspace.members.get(credential.user.uuid) == "owner"
        return {"type": "workspace_access", "administrator": owner, "workspace": shown}

    return page(request, mine, render, default=30, sort_fields=("workspace.slug",))


@router.get("/user/workspaces/{workspace}/permission")
async def my_permission(
    request: Request, workspace: str, credential: Annotated[Credential, Depends(requires("read:workspace"))]
) -> Response:
    """What the caller is in a workspace."""
    found = find_workspace(request, workspace)
    permission = found.members.get(credential.user.uuid, "member")
    base = origin(request)
    return json_response(
        {
            "type": "workspace_membership",
            "permission": permission,
            "user": account_json(credential.user, base),
            "workspace": _short(found, base),
        }
    )


@router.get("/workspaces/{workspace}", dependencies=READ_WORKSPACE)
async def workspace(request: Request, workspace: str) -> Response:
    """A workspace."""
    found = find_workspace(request, workspace)
    base = origin(request)
    short = _short(found, base)
    itself = short["links"]["self"]["href"]
    inside = {
        "repositories": {"href": f"{base}{API}/repositories/{found.slug}"},
        "projects": {"href": f"{itself}/projects"},
        "members": {"href": f"{itself}/members"},
    }
    return json_response(
        {
            **short,
            "links": {**short["links"], **inside},
            "is_private": True,
            "is_privacy_enforced": False,
            "forking_mode": "allow_forks",
            "created_on": iso_main(found.created_on),
        }
    )


@router.get("/workspaces/{workspace}/members", dependencies=READ_WORKSPACE)
async def members(request: Request, workspace: str) -> Response:
    """Who is in a workspace; no e-mails."""
    found, base = find_workspace(request, workspace), origin(request)
    users = [current_state(request).users[uuid] for uuid in found.members]
    return page(request, users, lambda one: _membership(found, one, base), q_fields=_MEMBER_FILTERS)


@router.get("/workspaces/{workspace}/members/{member}", dependencies=READ_WORKSPACE)
async def member(request: Request, workspace: str, member: str) -> Response:
    """A member by uuid or account id."""
    found = find_workspace(request, workspace)
    for uuid in found.members:
        user = current_state(request).users[uuid]
        if member in (user.uuid, user.account_id):
            return json_response(_membership(found, user, origin(request)))
    raise ApiError(404, f"No user with identifier '{member}'.")


@router.get("/workspaces/{workspace}/permissions", dependencies=READ_WORKSPACE)
async def permissions(request: Request, workspace: str) -> Response:
    """Members with their permission; by slug only."""
    found, base = find_workspace(request, workspace), origin(request)
    state = current_state(request)

    def render(member: tuple[str, str]) -> dict[str, Any]:
        return {
            "type": "workspace_membership",
            "permission": member[1],
            "user": account_json(state.users[member[0]], base),
            "workspace": _short(found, base),
        }

    return page(request, list(found.members.items()), render, q_fields=("permission",))


def _membership(workspace: Workspace, user: User, base: str) -> dict[str, Any]:
    return {
        "type": "workspace_membership",
        "user": account_json(user, base),
        "workspace": _short(workspace, base),
        "links": {"self": {"href": f"{base}{API}/workspaces/{workspace.slug}/members/{braces(user.uuid)}"}},
    }


def _short(workspace: Workspace, base: str) -> dict[str, Any]:
    return {
        "type": "workspace",
        "uuid": workspace.uuid,
        "name": workspace.name,
        "slug": workspace.slug,
        "links": {
            "self": {"href": f"{base}{API}/workspaces/{workspace.slug}"},
            "html": {"href": f"{base}/{workspace.slug}/"},
            "avatar": {"href": f"{base}/workspaces/{workspace.slug}/avatar/"},
        },
    }


def _user_json(user: User, base: str) -> dict[str, Any]:
    return {
        **(account_json(user, base) or {}),
        "username": user.nickname,
        "account_status": "active",
        "created_on": iso_main(user.created_on),
        "is_staff": False,
        "location": None,
        "has_2fa_enabled": None,
    }
