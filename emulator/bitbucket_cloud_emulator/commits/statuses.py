"""Build statuses of commits."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.commits.bodies import NewStatus, StatusUpdate
from bitbucket_cloud_emulator.commits.graph import resolve
from bitbucket_cloud_emulator.commits.models import BuildStatus
from bitbucket_cloud_emulator.core.bodies import Model, read_body, validate
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.core.wire import iso_main
from bitbucket_cloud_emulator.pipelines.plan import settle_statuses
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.repositories.views import repository_json

router = APIRouter(prefix=f"{API}/repositories/{{workspace}}/{{repo_slug}}/commit/{{commit}}/statuses")

READ = [Depends(requires("read:repository"))]


@router.get("", dependencies=READ)
async def statuses(request: Request, workspace: str, repo_slug: str, commit: str) -> Response:
    """The build statuses of a commit."""
    repository = find_repository(request, workspace, repo_slug)
    found = statuses_of(request, repository, resolve(repository, commit).hash)
    if refname := request.query_params.get("refname"):
        found = [one for one in found if one.refname == refname]
    return status_page(request, repository, found)


@router.post("/build", dependencies=READ)
async def set_status(request: Request, workspace: str, repo_slug: str, commit: str) -> Response:
    """Set a build status; a key that exists is overwritten and answered with 200."""
    repository = find_repository(request, workspace, repo_slug)
    body = await _read(request, NewStatus)
    _check_host(request, body.url)
    full = resolve(repository, commit).hash
    now = current_state(request).clock.now()
    known = repository.statuses.get((full, body.key))
    status = known or BuildStatus(body.key, body.state, body.url, full, now, now)
    repository.statuses[(full, body.key)] = status
    _change(status, body, now)
    return json_response(status_json(repository, status, origin(request)), 200 if known else 201)


@router.get("/build/{key}", dependencies=READ)
async def status(request: Request, workspace: str, repo_slug: str, commit: str, key: str) -> Response:
    """One build status."""
    repository = find_repository(request, workspace, repo_slug)
    return json_response(status_json(repository, _known(request, repository, commit, key), origin(request)))


@router.put("/build/{key}", dependencies=READ)
async def update_status(request: Request, workspace: str, repo_slug: str, commit: str, key: str) -> Response:
    """Change a build status."""
    repository = find_repository(request, workspace, repo_slug)
    known = _known(request, repository, commit, key)
    body = await _read(request, StatusUpdate)
    _check_host(request, body.url)
    _change(known, body, current_state(request).clock.now())
    return json_response(status_json(repository, known, origin(request)))


def statuses_of(request: Request, repository: Repository, full: str) -> list[BuildStatus]:
    """Return the build statuses of a commit, those of pipelines brought up to now."""
    settle_statuses(repository, current_state(request).clock.now())
    return [one for (commit, _), one in repository.statuses.items() if commit == full]


def status_page(request: Request, repository: Repository, found: list[BuildStatus]) -> Response:
    """Answer a list of build statuses."""
    base = origin(request)
    return page(request, found, lambda one: status_json(repository, one, base), default=30, q_fields=None, sort_fields=None)


def status_json(repository: Repository, status: BuildStatus, base: str) -> dict[str, Any]:
    """A build status."""
    api = f"{base}{API}/repositories/{repository.full_name}/commit/{status.hash}"
    return {
        "key": status.key,
        "type": "build",
        "state": status.state,
        "name": status.name,
        "refname": status.refname,
        "commit": {"type": "commit", "hash": status.hash, "links": {"self": {"href": api}}},
        "url": status.url,
        "repository": repository_json(repository, base),
        "description": status.description,
        "created_on": iso_main(status.created_on),
        "updated_on": iso_main(status.updated_on),
        "links": {"self": {"href": f"{api}/statuses/build/{status.key}"}, "commit": {"href": api}},
    }


def _check_host(request: Request, url: str) -> None:
    """Refuse an address whose host has no dot, where that is switched on.

    :raises ApiError: 400
    """
    host = urlsplit(url).hostname
    if current_state(request).settings.build_urls_need_a_dot and host and "." not in host:
        raise ApiError(400, "url: Enter a valid URL.", fields={"url": ["Enter a valid URL."]})


def _change(status: BuildStatus, body: StatusUpdate, at: datetime) -> None:
    status.updated_on = at
    for name, value in body.sent().items():
        setattr(status, name, value)


def _known(request: Request, repository: Repository, commit: str, key: str) -> BuildStatus:
    full = resolve(repository, commit).hash
    settle_statuses(repository, current_state(request).clock.now())
    if (full, key) not in repository.statuses:
        raise ApiError(404, f"No build status with key '{key}'.")
    return repository.statuses[(full, key)]


async def _read(request: Request, model: type[Model]) -> Model:
    """Return the body: JSON or a form."""
    if "form" in request.headers.get("Content-Type", ""):
        return validate(dict(await request.form()), model)
    return await read_body(request, model)
