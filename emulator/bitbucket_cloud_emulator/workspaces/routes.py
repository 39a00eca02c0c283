"""Workspaces, their members and permissions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.core.wire import iso_main
from bitbucket_cloud_emulator.users.models import Credential, User
from bitbucket_cloud_emulator.users.views import account_json
from bitbucket_cloud_emulator.workspaces.models import Workspace
from bitbucket_cloud_emulator.workspaces.service import find_workspace
from bitbucket_cloud_emulator.workspaces.views import membership_json, workspace_json

router = APIRouter(prefix=API)

_MEMBER_FILTERS = ("user.nickname", "user.account_id", "user.uuid")
READ_WORKSPACE = [Depends(requires("read:workspace"))]


@router.get("/user/workspaces")
async def my_workspaces(request: Request, credential: Annotated[Credential, Depends(requires("read:workspace"))]) -> Response:
    """The workspaces the caller is in."""
    base = origin(request)
    mine = [one for one in current_state(request).workspaces.values() if credential.workspace in (None, one.slug)]

    def render(workspace: Workspace) -> dict[str, Any]:
        short = workspace_json(workspace, base)
        shown = {**{name: short[name] for name in ("type", "uuid", "slug")}, "links": {"self": short["links"]["self"]}}
        owner = workspace.members.get(credential.user.uuid) == "owner"
        return {"type": "workspace_access", "administrator": owner, "workspace": shown}

    return page(request, mine, render, default=30, sort_fields=("workspace.slug",))


@router.get("/user/workspaces/{workspace}/permission")
async def my_permission(
    request: Request, workspace: str, credential: Annotated[Credential, Depends(requires("read:workspace"))]
) -> Response:
    """The caller's permission in a workspace."""
    found = find_workspace(request, workspace)
    permission = found.members.get(credential.user.uuid, "member")
    base = origin(request)
    return json_response(
        {
            "type": "workspace_membership",
            "permission": permission,
            "user": account_json(credential.user, base),
            "workspace": workspace_json(found, base),
        }
    )


@router.get("/workspaces/{workspace}", dependencies=READ_WORKSPACE)
async def workspace(request: Request, workspace: str) -> Response:
    """A workspace by slug or uuid."""
    found = find_workspace(request, workspace, by_uuid=True)
    base = origin(request)
    short = workspace_json(found, base)
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


@router.get("/workspaces/{workspace}/members")
async def members(
    request: Request, workspace: str, credential: Annotated[Credential, Depends(requires("read:workspace"))]
) -> Response:
    """The members of a workspace, without e-mails, which only administrators and workspace tokens can search."""
    found, base, state = find_workspace(request, workspace), origin(request), current_state(request)
    is_admin = found.members.get(credential.user.uuid) == "owner" or credential.kind == "workspace_access_token"
    logins = {one.user.uuid: one.login for one in state.credentials if one.login}

    def value(user: User, path: str) -> Any:
        return logins.get(user.uuid) if path == "user.email" else getattr(user, path.removeprefix("user."))

    return page(
        request,
        [state.users[uuid] for uuid in found.members],
        lambda one: membership_json(found, one, base),
        q_fields=(*_MEMBER_FILTERS, "user.email") if is_admin else _MEMBER_FILTERS,
        lookup=value,
    )


@router.get("/workspaces/{workspace}/members/{member}", dependencies=READ_WORKSPACE)
async def member(request: Request, workspace: str, member: str) -> Response:
    """A member by uuid or account id."""
    found = find_workspace(request, workspace)
    for uuid in found.members:
        user = current_state(request).users[uuid]
        if member in (user.uuid, user.account_id):
            return json_response(membership_json(found, user, origin(request)))
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
            "workspace": workspace_json(found, base),
        }

    return page(request, list(found.members.items()), render, q_fields=("permission",))
