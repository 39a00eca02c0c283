"""Git over HTTP: clones and fetches of a repository that has a git directory on disk."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.auth import authenticate_git, missing_scopes, reaches
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.http import current_state
from bitbucket_cloud_emulator.git.backend import http_backend
from bitbucket_cloud_emulator.repositories.models import Repository

router = APIRouter()


@router.get("/{workspace}/{repo_slug}/info/refs")
async def refs(request: Request, workspace: str, repo_slug: str) -> Response:
    """The refs of a repository, with which git begins every clone and fetch."""
    if request.query_params.get("service") != "git-upload-pack":
        raise ApiError(403, "The emulator serves clones and fetches over smart HTTP, no pushes.", style="text")
    return await _serve(request, workspace, repo_slug, "info/refs")


@router.post("/{workspace}/{repo_slug}/git-upload-pack")
async def upload_pack(request: Request, workspace: str, repo_slug: str) -> Response:
    """The objects that a clone or fetch asks for."""
    return await _serve(request, workspace, repo_slug, "git-upload-pack")


async def _serve(request: Request, workspace: str, repo_slug: str, path: str) -> Response:
    directory = _readable(request, workspace, repo_slug.removesuffix(".git")).git_directory
    if directory is None:
        raise ApiError(404, "The emulator has no git directory for this repository.", style="text")
    body = await request.body()
    headers = {name: request.headers.get(name, "") for name in ("Content-Type", "Content-Encoding", "Git-Protocol")}
    status, answered, content = await run_in_threadpool(
        http_backend, directory, path, request.method, request.url.query, headers, body
    )
    return Response(content, status, answered)


def _readable(request: Request, workspace: str, slug: str) -> Repository:
    """Return a repository that the request may read.

    :raises ApiError: 401 for an anonymous request, also if there is no such repository; 404 or 403 otherwise
    """
    state = current_state(request)
    found = state.workspaces.get(workspace)
    repository = found.repositories.get(slug) if found else None
    credential = authenticate_git(state, request)
    request.state.credential = credential
    if credential is None:
        if repository is not None and not repository.is_private:
            return repository
        raise ApiError(401, "", style="text", headers={"WWW-Authenticate": 'Basic realm="Bitbucket.org HTTP"'})
    if repository is None or not reaches(credential, repository):
        raise ApiError(404, "Repository not found", style="text")
    if missing_scopes(credential, ("read:repository",)):
        raise ApiError(403, "Your credentials lack one or more required privilege scopes.", style="text")
    return repository
