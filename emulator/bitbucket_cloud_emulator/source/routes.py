"""Files: read them, list folders, commit changes."""

from __future__ import annotations

import mimetypes
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.datastructures import UploadFile

from bitbucket_cloud_emulator.commits.graph import resolve
from bitbucket_cloud_emulator.commits.models import Commit
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.refs.pushes import branch_pushed
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.source.service import imagined_content, parent_commit
from bitbucket_cloud_emulator.source.views import entry_json
from bitbucket_cloud_emulator.users.models import Credential

router = APIRouter(prefix=f"{API}/repositories/{{workspace}}/{{repo_slug}}/src")

READ = [Depends(requires("read:repository"))]
_RESERVED = ("message", "author", "parents", "files", "branch")


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
    """A file's bytes, a folder's listing, or with ``format=meta`` what is known of a file."""
    repository = find_repository(request, workspace, repo_slug)
    at = resolve(repository, commit)
    base = f"{origin(request)}{API}/repositories/{repository.full_name}/src/{at.hash}"
    if path in at.files:
        if request.query_params.get("format") == "meta":
            return json_response(entry_json(at, path, base))
        kind = mimetypes.guess_type(path)[0] or "text/plain"
        return Response(at.files[path], media_type=kind)
    folder = f"{path.rstrip('/')}/" if path.strip("/") else ""
    below = sorted({folder + name[len(folder) :].split("/")[0] for name in at.files if name.startswith(folder)})
    if not below and (content := imagined_content(repository, path)) is not None:
        return Response(content, media_type="text/plain")
    if not below:
        raise ApiError(404, f"No such file or directory: {path}")
    return page(request, below, lambda name: entry_json(at, name, base), style="opaque", with_size=False)


@router.post("")
async def write(
    request: Request, workspace: str, repo_slug: str, credential: Annotated[Credential, Depends(requires("write:repository"))]
) -> Response:
    """Commit files: every field that is not reserved is a path; a path under ``files`` without content is deleted."""
    repository = find_repository(request, workspace, repo_slug)
    state = current_state(request)
    form = await request.form()
    branch = str(form.get("branch") or repository.mainbranch or "main")
    head = parent_commit(repository, branch, str(form.get("parents") or ""))
    files = dict(head.files) if head else {}
    for name, value in form.multi_items():
        if name not in _RESERVED:
            files[name.lstrip("/")] = await value.read() if isinstance(value, UploadFile) else str(value).encode()
    for name in map(str, form.getlist("files")):
        if name not in form and f"/{name}" not in form:
            files.pop(name.lstrip("/"), None)
    author = str(form.get("author") or f"{credential.user.display_name} <{credential.user.nickname}@example.com>")
    made = Commit(
        state.hash(),
        (head.hash,) if head else (),
        credential.user,
        author,
        state.clock.now(),
        str(form.get("message") or "Edited by API"),
        files,
    )
    repository.commits[made.hash] = made
    repository.branches[branch] = made.hash
    repository.mainbranch = repository.mainbranch or branch
    repository.updated_on = made.date
    branch_pushed(state, repository, branch, credential.user)
    location = f"{origin(request)}{API}/repositories/{repository.full_name}/commit/{made.hash}"
    return Response(status_code=201, headers={"Location": location})
