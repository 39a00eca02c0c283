"""Commits and their build statuses."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.commits.graph import ancestors, divergence, newest_first, resolve
from bitbucket_cloud_emulator.commits.models import Commit
from bitbucket_cloud_emulator.commits.views import commit_json
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.users.models import Credential, Participant
from bitbucket_cloud_emulator.users.views import participant_json

router = APIRouter(prefix=f"{API}/repositories/{{workspace}}/{{repo_slug}}")

READ = [Depends(requires("read:repository"))]


@router.get("/commits", dependencies=READ)
@router.get("/commits/{revision:path}", dependencies=READ)
@router.post("/commits", dependencies=READ)
@router.post("/commits/{revision:path}", dependencies=READ)
async def commits(request: Request, workspace: str, repo_slug: str, revision: str | None = None) -> Response:
    """Commits, newest first; ``q`` is ignored. The POST form takes include and exclude in its body."""
    repository = find_repository(request, workspace, repo_slug, html_404=True)
    form = await request.form() if request.method == "POST" else None
    include = [*request.query_params.getlist("include"), *(map(str, form.getlist("include")) if form else ())]
    exclude = [*request.query_params.getlist("exclude"), *(map(str, form.getlist("exclude")) if form else ())]
    starts = [*([revision] if revision else ()), *include] or [*repository.branches]
    reached = _reached(repository, starts) - _reached(repository, exclude)
    found = newest_first(repository, reached)
    if path := request.query_params.get("path"):
        found = [one for one in found if _touches(repository, one, path)]
    base = origin(request)
    return page(request, found, lambda one: commit_json(repository, one, base), default=30, style="ctx", with_size=False)


@router.get("/commit/{commit}", dependencies=READ)
async def commit(request: Request, workspace: str, repo_slug: str, commit: str) -> Response:
    """A commit by full or short hash."""
    repository = find_repository(request, workspace, repo_slug, html_404=True)
    return json_response(commit_json(repository, resolve(repository, commit), origin(request), single=True))


@router.post("/commit/{commit}/approve")
async def approve(
    request: Request,
    workspace: str,
    repo_slug: str,
    commit: str,
    credential: Annotated[Credential, Depends(requires("read:repository", "write:repository"))],
) -> Response:
    """Approve a commit."""
    found = resolve(find_repository(request, workspace, repo_slug), commit)
    now, user = current_state(request).clock.now(), credential.user
    participant = Participant(user, "PARTICIPANT", approved=True, state="approved", participated_on=now)
    found.participants[user.uuid] = participant
    return json_response(participant_json(participant, origin(request)))


@router.delete("/commit/{commit}/approve")
async def unapprove(
    request: Request,
    workspace: str,
    repo_slug: str,
    commit: str,
    credential: Annotated[Credential, Depends(requires("write:repository"))],
) -> Response:
    """Withdraw the approval of a commit."""
    found = resolve(find_repository(request, workspace, repo_slug), commit)
    if found.participants.pop(credential.user.uuid, None) is None:
        raise ApiError(404, "You haven't approved this commit.")
    return Response(status_code=204, media_type="text/html")


@router.get("/merge-base/{revspec:path}", dependencies=READ)
async def merge_base(request: Request, workspace: str, repo_slug: str, revspec: str) -> Response:
    """The newest common ancestor of ``one..other``."""
    repository = find_repository(request, workspace, repo_slug)
    one, dots, other = revspec.partition("..")
    if not dots:
        raise ApiError(404, "Commit not found", data={"shas": [revspec]})
    apart = divergence(repository, resolve(repository, one).hash, resolve(repository, other).hash)
    if apart.base is None:
        raise ApiError(404, "No common ancestor")
    return json_response(commit_json(repository, apart.base, origin(request)))


def _reached(repository: Repository, names: Iterable[str]) -> set[str]:
    return ancestors(repository, (resolve(repository, name).hash for name in names))


def _touches(repository: Repository, commit: Commit, path: str) -> bool:
    before = repository.commits[commit.parents[0]].files if commit.parents and commit.parents[0] in repository.commits else {}
    names = [name for name in {**before, **commit.files} if name == path or name.startswith(f"{path}/")]
    return any(before.get(name) != commit.files.get(name) for name in names)
