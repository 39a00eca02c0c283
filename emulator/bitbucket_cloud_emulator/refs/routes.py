"""Branches and tags."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.commits.graph import resolve
from bitbucket_cloud_emulator.core.bodies import read_body
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.refs.bodies import NewBranch, NewTag
from bitbucket_cloud_emulator.refs.models import Tag
from bitbucket_cloud_emulator.refs.views import branch_json, tag_json
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.source.request import check_ref_name
from bitbucket_cloud_emulator.users.models import Credential

router = APIRouter(prefix=f"{API}/repositories/{{workspace}}/{{repo_slug}}/refs")

READ = [Depends(requires("read:repository"))]
READ_WRITE = [Depends(requires("read:repository", "write:repository"))]
WRITE = [Depends(requires("write:repository"))]


@router.get("", dependencies=READ)
async def refs(request: Request, workspace: str, repo_slug: str) -> Response:
    """Branches and tags together."""
    repository = find_repository(request, workspace, repo_slug)
    return _page(request, repository, [*repository.branches, *repository.tags.values()])


@router.get("/branches", dependencies=READ)
async def branches(request: Request, workspace: str, repo_slug: str) -> Response:
    """All branches."""
    repository = find_repository(request, workspace, repo_slug)
    return _page(request, repository, list(repository.branches))


@router.get("/tags", dependencies=READ)
async def tags(request: Request, workspace: str, repo_slug: str) -> Response:
    """All tags."""
    repository = find_repository(request, workspace, repo_slug)
    return _page(request, repository, list(repository.tags.values()))


@router.get("/branches/{name:path}", dependencies=READ)
async def branch(request: Request, workspace: str, repo_slug: str, name: str) -> Response:
    """A branch; its name may have slashes."""
    repository = find_repository(request, workspace, repo_slug)
    if name not in repository.branches:
        raise ApiError(404, f"Branch {name!r} not found", data={"shas": [name]})
    return json_response(branch_json(repository, name, origin(request)))


@router.get("/tags/{name:path}", dependencies=READ)
async def tag(request: Request, workspace: str, repo_slug: str, name: str) -> Response:
    """A tag."""
    repository = find_repository(request, workspace, repo_slug)
    if name not in repository.tags:
        raise ApiError(404, f"Tag {name!r} not found", data={"shas": [name]})
    return json_response(tag_json(repository, repository.tags[name], origin(request)))


@router.post("/branches", dependencies=READ_WRITE)
async def create_branch(request: Request, workspace: str, repo_slug: str) -> Response:
    """Create a branch on a commit."""
    repository, body = find_repository(request, workspace, repo_slug), await read_body(request, NewBranch)
    check_ref_name(body.name)
    if body.name in repository.branches:
        raise ApiError(400, f'Branch "{body.name}" already exists.', data={"key": "BRANCH_ALREADY_EXISTS"})
    repository.branches[body.name] = _target(repository, body.target.hash)
    return json_response(branch_json(repository, body.name, origin(request)), 201)


@router.post("/tags")
async def create_tag(
    request: Request,
    workspace: str,
    repo_slug: str,
    credential: Annotated[Credential, Depends(requires("read:repository", "write:repository"))],
) -> Response:
    """Create an annotated tag on a commit; it always has a message."""
    repository, body = find_repository(request, workspace, repo_slug), await read_body(request, NewTag)
    check_ref_name(body.name)
    if body.name in repository.tags:
        raise ApiError(400, f'tag "{body.name}" already exists')
    target = _target(repository, body.target.hash)
    message = body.message or f"Added tag {body.name} for changeset {target[:12]}"
    made = Tag(body.name, target, message, current_state(request).clock.now(), credential.user)
    repository.tags[made.name] = made
    return json_response(tag_json(repository, made, origin(request)), 201)


@router.delete("/branches/{name:path}", dependencies=WRITE)
async def delete_branch(request: Request, workspace: str, repo_slug: str, name: str) -> Response:
    """Delete a branch, but not the main one."""
    repository = find_repository(request, workspace, repo_slug)
    if name == repository.mainbranch:
        raise ApiError(400, "The main branch cannot be deleted")
    if repository.branches.pop(name, None) is None:
        raise ApiError(404, f"Branch {name!r} not found", data={"shas": [name]})
    return Response(status_code=204, media_type="text/html")


@router.delete("/tags/{name:path}", dependencies=WRITE)
async def delete_tag(request: Request, workspace: str, repo_slug: str, name: str) -> Response:
    """Delete a tag."""
    repository = find_repository(request, workspace, repo_slug)
    if repository.tags.pop(name, None) is None:
        raise ApiError(404, f"Tag {name!r} not found", data={"shas": [name]})
    return Response(status_code=204, media_type="text/html")


def _target(repository: Repository, name: str) -> str:
    """Return the full hash that a new ref points to.

    :raises ApiError: 400, it is unknown or ambiguous
    """
    if re.fullmatch(r"[0-9a-f]{4,39}", name) and sum(full.startswith(name) for full in repository.commits) > 1:
        raise ApiError(400, f"target: {name} is ambiguous", fields={"target": [f"{name} is ambiguous"]})
    try:
        return resolve(repository, name).hash
    except ApiError:
        raise ApiError(400, f"target: Commit not found: {name}", fields={"target": [f"Commit not found: {name}"]}) from None


def _page(request: Request, repository: Repository, items: Sequence[str | Tag]) -> Response:
    """Answer a list; by name as people sort, v2 before v10, which is the default."""
    base = origin(request)
    sort = request.query_params.get("sort", "name")
    by_name = sort.removeprefix("-") == "name"

    def render(item: str | Tag) -> dict[str, Any]:
        return branch_json(repository, item, base) if isinstance(item, str) else tag_json(repository, item, base)

    if by_name:
        items = sorted(items, key=_natural, reverse=sort.startswith("-"))
    return page(request, items, render, q_fields=None, sort_fields=() if by_name else None)


def _natural(item: str | Tag) -> list[int | str]:
    name = item if isinstance(item, str) else item.name
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
