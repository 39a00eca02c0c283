"""Forks and watchers of repositories."""

from __future__ import annotations

import copy
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import Field

from bitbucket_cloud_emulator.core.bodies import Body, read_body
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.repositories.bodies import RepositoryBody
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import (
    NAME_TAKEN,
    apply_changes,
    chosen_project,
    find_repository,
    slug_of,
)
from bitbucket_cloud_emulator.repositories.views import full_json
from bitbucket_cloud_emulator.users.views import account_json
from bitbucket_cloud_emulator.workspaces.service import find_workspace

router = APIRouter(prefix=f"{API}/repositories/{{workspace}}/{{repo_slug}}")

READ = [Depends(requires("read:repository"))]
READ_WRITE = [Depends(requires("read:repository", "write:repository"))]


class _Workspace(Body):
    slug: Annotated[str, Field(min_length=1)]


class _Fork(RepositoryBody):
    workspace: _Workspace | None = None


@router.get("/forks", dependencies=READ)
async def forks(request: Request, workspace: str, repo_slug: str) -> Response:
    """The forks of a repository."""
    repository, base = find_repository(request, workspace, repo_slug), origin(request)
    found = [one for one in current_state(request).repositories() if one.parent is repository]
    return page(request, found, lambda one: full_json(one, base), q_fields=None, sort_fields=None)


@router.get("/watchers", dependencies=READ)
async def watchers(request: Request, workspace: str, repo_slug: str) -> Response:
    """Accounts that watch a repository: the owners of its workspace."""
    repository, base = find_repository(request, workspace, repo_slug), origin(request)
    owners = [uuid for uuid, permission in repository.workspace.members.items() if permission == "owner"]
    users = current_state(request).users
    return page(request, owners, lambda uuid: account_json(users[uuid], base) or {})


@router.post("/forks", dependencies=READ_WRITE)
async def fork(request: Request, workspace: str, repo_slug: str) -> Response:
    """Fork a repository: its commits, branches and tags, not its pull requests."""
    parent, body, state = find_repository(request, workspace, repo_slug), await read_body(request, _Fork), current_state(request)
    if parent.fork_policy == "no_forks":
        raise ApiError(403, "This repository does not allow forks.")
    owner = find_workspace(request, body.workspace.slug) if body.workspace else parent.workspace
    name = body.name or parent.name
    slug = slug_of(name)
    if slug in owner.repositories:
        raise ApiError(400, "Repository with this Slug and Owner already exists.", fields=NAME_TAKEN)
    is_private = body.is_private if "is_private" in body.model_fields_set else parent.is_private
    if parent.is_private and parent.fork_policy == "no_public_forks" and not is_private:
        raise ApiError(400, "is_private: Forks of this repository have to be private.", fields={"is_private": ["Not allowed."]})
    now = state.clock.now()
    made = Repository(owner, slug, name, state.uuid(), chosen_project(owner, body, now), now, now, parent=parent)
    made.description, made.language, made.mainbranch = parent.description, parent.language, parent.mainbranch
    made.commits, made.branches, made.tags = dict(parent.commits), dict(parent.branches), copy.copy(parent.tags)
    apply_changes(made, body)
    made.is_private, made.pipelines_enabled = is_private, None
    owner.repositories[slug] = made
    location = {"Location": f"{origin(request)}{API}/repositories/{made.full_name}"}
    return json_response(full_json(made, origin(request)), 201, location)
