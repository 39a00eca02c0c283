"""Files: read them, list folders, commit changes."""

from __future__ import annotations

import mimetypes
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.commits.graph import resolve
from bitbucket_cloud_emulator.commits.models import Commit
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.core.wire import number
from bitbucket_cloud_emulator.refs.pushes import branch_pushed
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.source.request import read_request
from bitbucket_cloud_emulator.source.service import imagined_content, make_commit, versions
from bitbucket_cloud_emulator.source.views import entry_json, version_json
from bitbucket_cloud_emulator.users.models import Credential

_REPOSITORY = f"{API}/repositories/{{workspace}}/{{repo_slug}}"
router = APIRouter(prefix=f"{_REPOSITORY}/src")
history_router = APIRouter(prefix=f"{_REPOSITORY}/filehistory")

READ = [Depends(requires("read:repository"))]


@router.get("", dependencies=READ)
async def root(request: Request, workspace: str, repo_slug: str) -> Response:
    """Leads to the main branch."""
    repository = find_repository(request, workspace, repo_slug)
    if not repository.mainbranch:
        raise ApiError(404, "Repository is empty")
    head = repository.branches[repository.mainbranch]
    return Response(status_code=302, headers={"Location": f"{origin(request)}{request.url.path}/{head}/"})


@router.get("/{commit}/{path:path}", dependencies=READ)
async def read(request: Request, workspace: str, repo_slug: str, commit: str, path: str) -> Response:
    """A file's bytes, a folder's listing, or with ``format=meta`` what is known of a file or folder."""
    repository = find_repository(request, workspace, repo_slug)
    at = resolve(repository, commit)
    base = f"{origin(request)}{API}/repositories/{repository.full_name}/src/{at.hash}"
    folder = f"{path.rstrip('/')}/" if path.strip("/") else ""
    if path in at.files:
        content: bytes | None = at.files[path]
    elif any(name.startswith(folder) for name in at.files):
        if request.query_params.get("format") == "meta":
            return json_response(entry_json(at, path.rstrip("/"), base))
        return _listing(request, at, folder, base)
    else:
        content = imagined_content(repository, path)
    if content is None:
        raise ApiError(404, f"No such file or directory: {path}")
    if request.query_params.get("format") == "meta":
        return json_response(entry_json(at, path, base))
    # As a header, because Starlette adds a charset to a media type.
    headers = {"Content-Type": mimetypes.guess_type(path)[0] or "text/plain", "Content-Disposition": "attachment"}
    return Response(content, headers=headers)


@history_router.get("/{commit}/{path:path}", dependencies=READ)
async def history(request: Request, workspace: str, repo_slug: str, commit: str, path: str) -> Response:
    """The versions of a file, newest first."""
    repository = find_repository(request, workspace, repo_slug)
    at, base = resolve(repository, commit), f"{origin(request)}{API}/repositories/{repository.full_name}/src"
    found = list(versions(repository, at, path, follow_renames=request.query_params.get("renames") != "false"))
    if not found:
        raise ApiError(404, f"No such file or directory: {path}")
    return page(request, found, lambda one: version_json(*one, base), q_fields=None, sort_fields=None)


@router.post("")
async def write(
    request: Request, workspace: str, repo_slug: str, credential: Annotated[Credential, Depends(requires("write:repository"))]
) -> Response:
    """Commit files; the hash of the commit is in ``Location`` alone."""
    repository, state = find_repository(request, workspace, repo_slug), current_state(request)
    branch, made = make_commit(state, repository, await read_request(request), credential.user)
    branch_pushed(state, repository, branch, credential.user)
    location = f"{origin(request)}{API}/repositories/{repository.full_name}/commit/{made.hash}"
    return Response(status_code=201, headers={"Location": location})


def _listing(request: Request, at: Commit, folder: str, base: str) -> Response:
    """Answer the entries of a folder, those of nearer levels first."""
    depth = number(request.query_params.get("max_depth", "1"))
    if not depth:
        raise ApiError(400, "max_depth: expected a positive number")
    entries = {
        (level, folder + "/".join(parts[: level + 1]))
        for name in at.files
        if name.startswith(folder)
        for parts in [name[len(folder) :].split("/")]
        for level in range(min(depth, len(parts)))
    }
    paths = [path for _, path in sorted(entries)]
    return page(request, paths, lambda path: entry_json(at, path, base), style="opaque", with_size=False, q_fields=None)
