"""Projects, which group repositories. The emulator has those that its repositories are in."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.core.wire import iso_main
from bitbucket_cloud_emulator.workspaces.models import Workspace
from bitbucket_cloud_emulator.workspaces.service import find_workspace
from bitbucket_cloud_emulator.workspaces.views import owner_json, project_json, workspace_json

router = APIRouter(prefix=f"{API}/workspaces/{{workspace}}/projects")

READ = [Depends(requires("read:project"))]


@router.get("", dependencies=READ)
async def projects(request: Request, workspace: str) -> Response:
    """All projects of a workspace."""
    found, base = find_workspace(request, workspace), origin(request)
    return page(request, list(found.projects().values()), lambda one: _json(found, one, base), q_fields=None, sort_fields=None)


@router.get("/{project_key}", dependencies=READ)
async def project(request: Request, workspace: str, project_key: str) -> Response:
    """A project by its key."""
    found = find_workspace(request, workspace)
    known = found.projects().get(project_key)
    if known is None:
        raise ApiError(404, f"Project {project_key} not found")
    return json_response(_json(found, known, origin(request)))


def _json(workspace: Workspace, project: dict[str, str], base: str) -> dict[str, Any]:
    return {
        **project_json(workspace, project, base),
        "description": "",
        "is_private": True,
        "has_publicly_visible_repos": False,
        "created_on": iso_main(workspace.created_on),
        "updated_on": iso_main(workspace.created_on),
        "owner": owner_json(workspace, base),
        "workspace": workspace_json(workspace, base),
    }
