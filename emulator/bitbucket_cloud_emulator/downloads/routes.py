"""Downloads of a repository, and the storage where they lie."""

from __future__ import annotations

import hmac
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from starlette.datastructures import UploadFile

from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.core.wire import iso_main
from bitbucket_cloud_emulator.downloads.models import Download
from bitbucket_cloud_emulator.pipelines.logs import STORAGE, signature, storage_url
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.users.models import Credential
from bitbucket_cloud_emulator.users.views import account_json

router = APIRouter(prefix=f"{API}/repositories/{{workspace}}/{{repo_slug}}/downloads")
storage_router = APIRouter()

READ = [Depends(requires("read:repository"))]
WRITE = [Depends(requires("write:repository"))]


@router.get("", dependencies=READ)
async def downloads(request: Request, workspace: str, repo_slug: str) -> Response:
    """All downloads, newest first."""
    repository = _repository(request, workspace, repo_slug)
    newest_first = sorted(repository.downloads.values(), key=lambda one: one.created_on, reverse=True)
    return page(request, newest_first, lambda one: _json(repository, one, origin(request)))


@router.post("")
async def upload(
    request: Request, workspace: str, repo_slug: str, credential: Annotated[Credential, Depends(requires("write:repository"))]
) -> Response:
    """Upload files; one of the same name is replaced."""
    repository = _repository(request, workspace, repo_slug)
    if not request.headers.get("Content-Type", "").startswith("multipart/form-data"):
        raise ApiError(406, "Unsupported Content-Type")
    sent = [one for one in (await request.form()).getlist("files") if isinstance(one, UploadFile)]
    if not sent or not all(one.filename for one in sent):
        raise ApiError(400, "files: This field is required.", fields={"files": ["This field is required."]})
    now = current_state(request).clock.now()
    for one in sent:
        name = str(one.filename)
        repository.downloads[name] = Download(name, await one.read(), now, credential.user)
    return Response(status_code=201)


@router.get("/{filename}", dependencies=READ)
async def download(request: Request, workspace: str, repo_slug: str, filename: str) -> Response:
    """Redirect to the storage, which wants no credentials."""
    repository = _repository(request, workspace, repo_slug)
    found = _find(repository, filename)
    found.count += 1
    return Response(
        status_code=302, headers={"Location": storage_url(request, repository.uuid, quote(filename), kind="download")}
    )


@router.delete("/{filename}", dependencies=WRITE)
async def delete(request: Request, workspace: str, repo_slug: str, filename: str) -> Response:
    """Delete a download."""
    repository = _repository(request, workspace, repo_slug)
    del repository.downloads[_find(repository, filename).name]
    return Response(status_code=204, media_type="text/html")


@storage_router.get(STORAGE + "/{repository_uuid}/{filename}/download")
async def stored(request: Request, repository_uuid: str, filename: str) -> Response:
    """The content, for a pre-signed address without further credentials."""
    if "Authorization" in request.headers:  # as seen at the live storage, 2018 and 2022
        raise ApiError(400, "InvalidArgument: Only one auth mechanism allowed", style="text")
    given = request.query_params.get("X-Amz-Signature", "")
    if not hmac.compare_digest(given.encode(), signature(repository_uuid, quote(filename)).encode()):
        raise ApiError(403, "SignatureDoesNotMatch", style="text")
    for repository in current_state(request).repositories():
        if repository.uuid == repository_uuid and filename in repository.downloads:
            return Response(repository.downloads[filename].content, media_type="application/octet-stream")
    raise ApiError(404, "NoSuchKey", style="text")


def _repository(request: Request, workspace: str, repo_slug: str) -> Repository:
    """Return a repository whose workspace has downloads; those of the free plan have none."""
    repository = find_repository(request, workspace, repo_slug)
    if current_state(request).settings.free_plan:
        raise ApiError(402, "Your workspace is on the Free plan and cannot upload or download files.")
    return repository


def _find(repository: Repository, name: str) -> Download:
    if name not in repository.downloads:
        raise ApiError(404, f"{name} not found")
    return repository.downloads[name]


def _json(repository: Repository, one: Download, base: str) -> dict[str, Any]:
    own = f"{base}{API}/repositories/{repository.full_name}/downloads/{quote(one.name)}"
    return {
        "type": "download",
        "name": one.name,
        "size": len(one.content),
        "downloads": one.count,
        "created_on": iso_main(one.created_on),
        "user": account_json(one.user, base),
        "links": {"self": {"href": own}},
    }
