"""Web pages, so that a link from Airflow opens something: what the emulator knows of a repository, a pull request, a pipeline."""

from __future__ import annotations

import html
from collections.abc import Sequence

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from airflow_provider_bitbucket.emulator.errors import ApiError
from airflow_provider_bitbucket.emulator.http import API, current_state
from airflow_provider_bitbucket.emulator.pipeline_plan import PipelineView, StepView, look_at_pipeline
from airflow_provider_bitbucket.emulator.state import Repository

router = APIRouter()

_STYLE = """:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #8884}
code{font-size:.9em}.note{opacity:.7}"""


class _Link(str):
    """A link, which is HTML already."""

    def __new__(cls, address: str, text: str) -> _Link:
        return super().__new__(cls, f'<a href="{html.escape(address)}">{html.escape(text)}</a>')


@router.get("/")
async def index(request: Request) -> Response:
    """All repositories."""
    rows = [
        (
            _Link(f"/{one.full_name}", one.full_name),
            len(one.pull_requests),
            len(one.pipelines),
            "on" if one.pipelines_enabled else "off",
        )
        for one in current_state(request).repositories()
    ]
    return _page("Embedded Bitbucket", _table(("repository", "pull requests", "pipelines run", "pipelines"), rows))


@router.get("/{workspace}/{repo_slug}")
@router.get("/{workspace}/{repo_slug}/pipelines")
@router.get("/{workspace}/{repo_slug}/pull-requests")
async def repository(request: Request, workspace: str, repo_slug: str) -> Response:
    """Pipelines and pull requests of a repository, newest first."""
    found, now = _find(request, workspace, repo_slug), current_state(request).clock.now()
    pulls = [
        (_Link(f"/{found.full_name}/pull-requests/{one.id}", f"#{one.id}"), one.title, one.state)
        for one in sorted(found.pull_requests.values(), key=lambda one: -one.id)[:50]
    ]
    runs = [
        (
            _Link(f"/{found.full_name}/pipelines/results/{one.build_number}", f"#{one.build_number}"),
            _target(one.target),
            _word(look_at_pipeline(one, now)),
        )
        for one in found.pipelines[:-51:-1]
    ]
    return _page(
        found.full_name,
        f"<h2>Pipelines</h2>{_table(('run', 'target', 'state'), runs)}"
        f"<h2>Pull requests</h2>{_table(('id', 'title', 'state'), pulls)}",
    )


@router.get("/{workspace}/{repo_slug}/pipelines/results/{number}")
async def pipeline(request: Request, workspace: str, repo_slug: str, number: int) -> Response:
    """A pipeline with its steps."""
    found, now = _find(request, workspace, repo_slug), current_state(request).clock.now()
    one = next((each for each in found.pipelines if each.build_number == number), None)
    if one is None:
        raise ApiError(404, "Page not found", style="html")
    view = look_at_pipeline(one, now)
    rows = [(step.step.name or "-", _word(step), f"{step.seconds:.0f}") for step in view.steps]
    return _page(
        f"{found.full_name} pipeline #{number}",
        f"<p>{html.escape(_target(one.target))} &middot; <b>{_word(view)}</b></p>{_table(('step', 'state', 'seconds'), rows)}",
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
    return _page(
        f"#{one.id} {one.title}",
        f"<p><b>{one.state}</b> &middot; {branches}</p><p>{html.escape(one.description)}</p>"
        f"{_table(('when', 'what', 'who'), rows)}",
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


def _table(heads: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> str:
    def cell(value: object) -> str:
        return f"<td>{value if isinstance(value, _Link) else html.escape(str(value))}</td>"

    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _page(title: str, body: str) -> Response:
    return HTMLResponse(
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style><h1>{html.escape(title)}</h1>{body}"
        '<p class="note">This is the embedded Bitbucket of airflow-provider-bitbucket, not bitbucket.org. '
        '<a href="/">All repositories</a></p></html>'
    )
