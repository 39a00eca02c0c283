"""Repositories of a workspace."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, json_body, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import NAME_TAKEN, find_repository, rename
from bitbucket_cloud_emulator.repositories.views import full_json
from bitbucket_cloud_emulator.users.models import Credential
from bitbucket_cloud_emulator.workspaces.models import Workspace
from bitbucket_cloud_emulator.workspaces.service import find_workspace

router = APIRouter(prefix=API)

READ = [Depends(requires("read:repository"))]
ADMIN = [Depends(requires("admin:repository"))]
DELETE = [Depends(requires("delete:repository"))]

_FILTERS = (
    *("uuid", "name", "full_name", "slug", "description", "language", "is_private", "size", "created_on", "updated_on"),
    *("project.key", "project.name", "project.uuid", "mainbranch.name", "scm", "fork_policy"),
)


@router.get("/repositories/{workspace}")
async def repositories(
    request: Request, workspace: str, credential: Annotated[Credential, Depends(requires("read:repository"))]
) -> Response:
    """The repositories of a workspace that the caller may see."""
    found, base = find_workspace(request, workspace), origin(request)
    visible = [one for one in found.repositories.values() if credential.repository in (None, one.slug)]
    return page(request, visible, lambda one: full_json(one, base), q_fields=_FILTERS, sort_fields=_FILTERS)


@router.get("/repositories/{workspace}/{repo_slug}", dependencies=READ)
async def repository(request: Request, workspace: str, repo_slug: str) -> Response:
    """A repository."""
    return json_response(full_json(find_repository(request, workspace, repo_slug), origin(request)))


@router.post("/repositories/{workspace}/{repo_slug}", dependencies=ADMIN)
async def create(request: Request, workspace: str, repo_slug: str) -> Response:
    """Create an empty repository."""
    owner, state = find_workspace(request, workspace), current_state(request)
    slug = repo_slug.lower()
    if slug in owner.repositories:
        raise ApiError(
            400,
            "Repository with this Slug and Owner already exists.",
            fields=NAME_TAKEN,
        )
    body = await json_body(request)
    now = state.clock.now()
    made = Repository(
        owner, slug, repo_slug, state.uuid(), _project(owner, body), now, now, mainbranch=None, pipelines_enabled=None
    )
    owner.repositories[slug] = made
    _change(made, body)
    return json_response(full_json(made, origin(request)))


@router.put("/repositories/{workspace}/{repo_slug}", dependencies=ADMIN)
async def update(request: Request, workspace: str, repo_slug: str) -> Response:
    """Change a repository, or create it; another name is another slug, and the old one redirects."""
    owner = find_workspace(request, workspace)
    if repo_slug not in owner.repositories:
        created = await create(request, workspace, repo_slug)
        created.status_code = 201
        return created
    found, body, base = owner.repositories[repo_slug], await json_body(request), origin(request)
    found.project = _project(owner, body, found)
    _change(found, body)
    found.updated_on = current_state(request).clock.now()
    if (new := body.get("name", "").lower().replace(" ", "-")) not in ("", found.slug):
        rename(found, new)
    location = {"Location": f"{base}{API}/repositories/{found.full_name}"}
    return json_response(full_json(found, base), headers=location)


@router.delete("/repositories/{workspace}/{repo_slug}", dependencies=DELETE)
async def delete(request: Request, workspace: str, repo_slug: str) -> Response:
    """Delete a repository."""
    found = find_repository(request, workspace, repo_slug)
    del found.workspace.repositories[found.slug]
    return Response(status_code=204, media_type="text/html")


def _project(workspace: Workspace, body: dict[str, Any], current: Repository | None = None) -> dict[str, str]:
    """Return the project that is asked for; by default the present one, or the workspace's oldest."""
    known = workspace.projects()
    key = body.get("project", {}).get("key")
    if key is None and current:
        return current.project
    if key is None and known:
        return next(iter(known.values()))
    if key not in known and known:
        raise ApiError(400, f"project: Project {key} not found", fields={"project": [f"Project {key} not found"]})
    return known.get(key, {"key": key or "PROJ", "name": key or "Project", "uuid": workspace.uuid})


def _change(repository: Repository, body: dict[str, Any]) -> None:
    for name in ("name", "description", "language", "is_private"):
        if name in body:
            setattr(repository, name, body[name])
