"""Build statuses of commits."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.commits.graph import resolve
from bitbucket_cloud_emulator.commits.models import BuildStatus
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
_STATES = ("SUCCESSFUL", "FAILED", "INPROGRESS", "STOPPED")
_LONGEST_KEY = 40


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
    body = await _body(request)
    full = resolve(repository, commit).hash
    if missing := [name for name in ("key", "state", "url") if not body.get(name)]:
        raise ApiError(
            400, f"{missing[0]}: This field is required.", fields={name: ["This field is required."] for name in missing}
        )
    key = str(body["key"])
    if len(key) > _LONGEST_KEY:
        problem = f"Ensure this value has at most {_LONGEST_KEY} characters (it has {len(key)})."
        raise ApiError(400, f"key: {problem}", fields={"key": [problem]})
    known = repository.statuses.get((full, key))
    return json_response(
        status_json(repository, _write(request, repository, full, key, body, known), origin(request)), 200 if known else 201
    )


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
    written = _write(request, repository, known.hash, key, await _body(request), known)
    return json_response(status_json(repository, written, origin(request)))


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


def _write(
    request: Request, repository: Repository, full: str, key: str, body: dict[str, Any], known: BuildStatus | None
) -> BuildStatus:
    if (state := body.get("state", known.state if known else None)) not in _STATES:
        raise ApiError(400, f"state: '{state}' is not a valid choice.", fields={"state": [f"'{state}' is not a valid choice."]})
    now = current_state(request).clock.now()
    made = known or BuildStatus(key, str(state), "", full, now, now)
    made.state, made.updated_on = str(state), now
    for name in ("url", "name", "description", "refname"):
        if name in body:
            setattr(made, name, body[name])
    repository.statuses[(full, key)] = made
    return made


def _known(request: Request, repository: Repository, commit: str, key: str) -> BuildStatus:
    full = resolve(repository, commit).hash
    settle_statuses(repository, current_state(request).clock.now())
    if (full, key) not in repository.statuses:
        raise ApiError(404, f"No build status with key '{key}'.")
    return repository.statuses[(full, key)]


async def _body(request: Request) -> dict[str, Any]:
    if request.headers.get("Content-Type", "").startswith("application/json"):
        body: dict[str, Any] = await request.json()
        return body
    return dict(await request.form())
