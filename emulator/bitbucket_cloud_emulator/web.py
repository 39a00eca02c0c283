"""Web pages behind the links of answers: workspaces, accounts, repositories, commits and pipelines."""

from __future__ import annotations

import html
from collections.abc import Iterable

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.commits.graph import resolve
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.html import Link, table, web_page
from bitbucket_cloud_emulator.core.http import API, current_state
from bitbucket_cloud_emulator.core.wire import braces
from bitbucket_cloud_emulator.pipelines.logs import log_bytes
from bitbucket_cloud_emulator.pipelines.plan import PipelineView, StepView, pipeline_at
from bitbucket_cloud_emulator.repositories.models import Repository

router = APIRouter()

_AVATAR = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><circle cx="16" cy="16" r="16" fill="#2684ff"/></svg>'


@router.get("/")
async def index(request: Request) -> Response:
    """All repositories."""
    return _repositories("Bitbucket emulator", current_state(request).repositories())


@router.get("/account/{uuid}/avatar/{size}")
@router.get("/workspaces/{uuid}/avatar")
@router.get("/{workspace}/{repo_slug}/avatar/{size}")
@router.get("/{workspace}/workspace/projects/{key}/avatar/{size}")
async def avatar() -> Response:
    """The picture of an account, workspace, repository or project: the same for all."""
    return Response(_AVATAR, media_type="image/svg+xml")


@router.get("/{name}")
async def account(request: Request, name: str) -> Response:
    """A workspace by slug or uuid, or an account by uuid."""
    state = current_state(request)
    for workspace in state.workspaces.values():
        if name in (workspace.slug, workspace.uuid):
            return _repositories(workspace.name, workspace.repositories.values())
    if name not in state.users:
        raise HTTPException(404)
    user = state.users[name]
    return web_page(user.display_name, f"<p><code>{html.escape(user.nickname)}</code></p>")


@router.get("/{workspace}/workspace/projects/{key}")
async def project(request: Request, workspace: str, key: str) -> Response:
    """A project with its repositories."""
    found = current_state(request).workspaces.get(workspace)
    if found is None or key not in found.projects:
        raise ApiError(404, "Page not found", style="html")
    repositories = [one for one in found.repositories.values() if one.project.key == key]
    return _repositories(found.projects[key].name, repositories)


@router.get("/{workspace}/{repo_slug}")
@router.get("/{workspace}/{repo_slug}/addon/pipelines/home")
@router.get("/{workspace}/{repo_slug}/pipelines")
@router.get("/{workspace}/{repo_slug}/pull-requests")
async def repository(request: Request, workspace: str, repo_slug: str) -> Response:
    """Pipelines and pull requests of a repository, newest first."""
    found, now = find_page(request, workspace, repo_slug), current_state(request).clock.now()
    pulls = [
        (Link(f"/{found.full_name}/pull-requests/{one.id}", f"#{one.id}"), one.title, one.state)
        for one in sorted(found.pull_requests.values(), key=lambda one: -one.id)[:50]
    ]
    runs = [
        (
            Link(f"/{found.full_name}/pipelines/results/{one.build_number}", f"#{one.build_number}"),
            _target(one.target),
            _word(pipeline_at(one, now)),
        )
        for one in found.pipelines[:-51:-1]
    ]
    return web_page(
        found.full_name,
        f"<h2>Pipelines</h2>{table(('run', 'target', 'state'), runs)}"
        f"<h2>Pull requests</h2>{table(('id', 'title', 'state'), pulls)}",
    )


@router.get("/{workspace}/{repo_slug}/pipelines/results/{number}")
async def pipeline(request: Request, workspace: str, repo_slug: str, number: int) -> Response:
    """A pipeline with its steps."""
    found, now = find_page(request, workspace, repo_slug), current_state(request).clock.now()
    one = next((each for each in found.pipelines if each.build_number == number), None)
    if one is None:
        raise ApiError(404, "Page not found", style="html")
    view, path = pipeline_at(one, now), f"/{found.full_name}/pipelines/results/{number}"
    rows = [
        (Link(f"{path}/steps/{braces(step.step.uuid)}", step.step.name or "-"), _word(step), f"{step.seconds:.0f}")
        for step in view.steps
    ]
    variables = [(one["key"], "secured" if one.get("secured") else one.get("value")) for one in one.variables]
    return web_page(
        f"{found.full_name} pipeline #{number}",
        f"<p>{html.escape(_target(one.target))} &middot; <b>{_word(view)}</b></p>{table(('step', 'state', 'seconds'), rows)}"
        f"<h2>Variables</h2>{table(('name', 'value'), variables)}",
    )


@router.get("/{workspace}/{repo_slug}/pipelines/results/{number}/steps/{step_uuid}")
async def step(request: Request, workspace: str, repo_slug: str, number: int, step_uuid: str) -> Response:
    """A step of a pipeline with its log."""
    found, now = find_page(request, workspace, repo_slug), current_state(request).clock.now()
    view = next((pipeline_at(each, now) for each in found.pipelines if each.build_number == number), None)
    one = next((each for each in view.steps if each.step.uuid == step_uuid), None) if view else None
    if view is None or one is None:
        raise ApiError(404, "Page not found", style="html")
    log = log_bytes(found, view, one, now)
    text = "No log." if log is None else log.decode(errors="replace")
    back = Link(f"/{found.full_name}/pipelines/results/{number}", f"Pipeline #{number}")
    return web_page(
        f"{found.full_name} pipeline #{number}: {one.step.name or 'step'}",
        f"<p>{back} &middot; <b>{_word(one)}</b></p><pre>{html.escape(text)}</pre>",
    )


@router.get("/{workspace}/{repo_slug}/commits/tag/{revision:path}")
@router.get("/{workspace}/{repo_slug}/commits/{revision:path}")
@router.get("/{workspace}/{repo_slug}/branch/{revision:path}")
async def commit(request: Request, workspace: str, repo_slug: str, revision: str) -> Response:
    """A commit by hash, tag or branch, with its parents and files."""
    found = find_page(request, workspace, repo_slug)
    try:
        one = resolve(found, revision)
    except ApiError:
        raise ApiError(404, "Page not found", style="html") from None
    parents = [(Link(f"/{found.full_name}/commits/{parent}", parent[:12]),) for parent in one.parents]
    return web_page(
        f"{found.full_name} {one.hash[:12]}",
        f"<p>{html.escape(one.message)}</p><p>{html.escape(one.author_raw)} &middot; {one.date:%Y-%m-%d %H:%M}</p>"
        f"{table(('parents',), parents)}{table(('files',), [(path,) for path in sorted(one.files)])}",
    )


def _repositories(title: str, repositories: Iterable[Repository]) -> Response:
    rows = [
        (
            Link(f"/{one.full_name}", one.full_name),
            len(one.pull_requests),
            len(one.pipelines),
            "on" if one.pipelines_enabled else "off",
        )
        for one in repositories
    ]
    return web_page(title, table(("repository", "pull requests", "pipelines run", "pipelines"), rows))


def find_page(request: Request, workspace: str, slug: str) -> Repository:
    """Return the repository of a page.

    :raises ApiError: 404 with a page
    """
    if workspace == API.strip("/"):
        raise HTTPException(404)  # an unknown path of the API, not a page
    owner = current_state(request).workspaces.get(workspace)
    if owner is None or slug not in owner.repositories:
        raise ApiError(404, "Page not found", style="html")
    return owner.repositories[slug]


def _word(view: PipelineView | StepView) -> str:
    return view.result or view.stage or view.state


def _target(target: dict[str, object]) -> str:
    return str(target.get("ref_name") or target.get("source") or target.get("type"))
