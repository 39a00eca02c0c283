"""Repositories of a workspace."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.bodies import read_body
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.repositories.bodies import RepositoryBody
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import (
    NAME_TAKEN,
    apply_changes,
    check_slug,
    chosen_project,
    find_repository,
    rename,
    slug_of,
)
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
    owner = find_workspace(request, workspace)
    if repo_slug.lower() in owner.repositories:
        raise ApiError(400, "Repository with this Slug and Owner already exists.", fields=NAME_TAKEN)
    made = await _create(request, owner, repo_slug)
    return json_response(full_json(made, origin(request)))


@router.put("/repositories/{workspace}/{repo_slug}", dependencies=ADMIN)
async def update(request: Request, workspace: str, repo_slug: str) -> Response:
    """Change a repository, or create it; another name is another slug, and the old one redirects."""
    owner, base = find_workspace(request, workspace), origin(request)
    found = owner.repositories.get(repo_slug.lower())
    if found is None:
        return json_response(full_json(await _create(request, owner, repo_slug), base), 201)
    body = await read_body(request, RepositoryBody)
    now = current_state(request).clock.now()
    project = chosen_project(owner, body, now, found)
    if "name" in body.model_fields_set and (slug := slug_of(body.name)) != found.slug:
        rename(found, slug)
    found.project = project
    apply_changes(found, body)
    found.updated_on = now
    location = {"Location": f"{base}{API}/repositories/{found.full_name}"}
    return json_response(full_json(found, base), headers=location)


@router.delete("/repositories/{workspace}/{repo_slug}", dependencies=DELETE)
async def delete(request: Request, workspace: str, repo_slug: str) -> Response:
    """Delete a repository."""
    found = find_repository(request, workspace, repo_slug)
    del found.workspace.repositories[found.slug]
    return Response(status_code=204, media_type="text/html")


async def _create(request: Request, owner: Workspace, slug: str) -> Repository:
    check_slug(slug)
    body, state = await read_body(request, RepositoryBody), current_state(request)
    now = state.clock.now()
    project = chosen_project(owner, body, now)
    made = Repository(owner, slug, slug, state.uuid(), project, now, now, mainbranch=None, pipelines_enabled=None)
    owner.repositories[made.slug] = made
    apply_changes(made, body)
    return made
