"""Web pages, so that a link from Airflow opens something: what the emulator knows of a repository, a pull request, a pipeline."""

from __future__ import annotations

import html

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.html import Link, table, web_page
from bitbucket_cloud_emulator.core.http import API, current_state
from bitbucket_cloud_emulator.pipelines.plan import PipelineView, StepView, pipeline_at
from bitbucket_cloud_emulator.repositories.models import Repository

router = APIRouter()


@router.get("/")
async def index(request: Request) -> Response:
    """All repositories."""
    rows = [
        (
            Link(f"/{one.full_name}", one.full_name),
            len(one.pull_requests),
            len(one.pipelines),
            "on" if one.pipelines_enabled else "off",
        )
        for one in current_state(request).repositories()
    ]
    return web_page("Embedded Bitbucket", table(("repository", "pull requests", "pipelines run", "pipelines"), rows))


@router.get("/{workspace}/{repo_slug}")
@router.get("/{workspace}/{repo_slug}/pipelines")
@router.get("/{workspace}/{repo_slug}/pull-requests")
async def repository(request: Request, workspace: str, repo_slug: str) -> Response:
    """Pipelines and pull requests of a repository, newest first."""
    found, now = _find(request, workspace, repo_slug), current_state(request).clock.now()
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
    found, now = _find(request, workspace, repo_slug), current_state(request).clock.now()
    one = next((each for each in found.pipelines if each.build_number == number), None)
    if one is None:
        raise ApiError(404, "Page not found", style="html")
    view = pipeline_at(one, now)
    rows = [(step.step.name or "-", _word(step), f"{step.seconds:.0f}") for step in view.steps]
    return web_page(
        f"{found.full_name} pipeline #{number}",
        f"<p>{html.escape(_target(one.target))} &middot; <b>{_word(view)}</b></p>{table(('step', 'state', 'seconds'), rows)}",
    )


@router.get("/{workspace}/{repo_slug}/pull-requests/{number}")
async def pull_request(request: Request, workspace: str, repo_slug: str, number: int) -> Response:
    """A pull request with its timeline."""
    found = _find(request, workspace, repo_slug)
    one = found.pull_requests.get(number)
    if one is None:
        raise ApiError(404, "Page not found", style="html")
    rows = [
        (f"{entry.date:%Y-%m-%d %H:%M}", entry.kind.replace("_", " "), entry.user.display_name if entry.user else "-")
        for entry in one.activity
    ]
    branches = f"{html.escape(one.source_branch)} &rarr; {html.escape(one.destination_branch)}"
    return web_page(
        f"#{one.id} {one.title}",
        f"<p><b>{one.state}</b> &middot; {branches}</p><p>{html.escape(one.description)}</p>"
        f"{table(('when', 'what', 'who'), rows)}",
    )


def _find(request: Request, workspace: str, slug: str) -> Repository:
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
