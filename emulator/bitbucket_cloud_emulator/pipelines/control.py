"""``/_emulator/pipelines/``: changes of pipelines that the API does not offer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from bitbucket_cloud_emulator.core.control import make_record
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.http import current_state, json_body
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.pipelines.models import Pipeline, PipelineScript
from bitbucket_cloud_emulator.pipelines.plan import block, finish, pipeline_at, release
from bitbucket_cloud_emulator.pipelines.routes import find_pipeline
from bitbucket_cloud_emulator.pipelines.schedules import execute, find_schedule
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import named_repository

ONE = "/{workspace}/{repo_slug}/{pipeline}"
RESULTS = ("SUCCESSFUL", "FAILED", "ERROR", "STOPPED", "EXPIRED")

router = APIRouter(prefix="/_emulator/pipelines")
scripts_router = APIRouter(prefix="/_emulator/scripts")
schedules_router = APIRouter(prefix="/_emulator/schedules")


@scripts_router.post("")
async def add_script(request: Request) -> dict[str, Any]:
    """Script what pipelines of a selector do: ``repository`` and the fields of :class:`PipelineScript`."""
    body = await json_body(request, "repository", "selector")
    repository = named_repository(current_state(request), body.pop("repository"))
    repository.scripts.insert(0, make_record(PipelineScript, {"steps": [], **body}))
    return {"scripts": len(repository.scripts)}


@schedules_router.post("/{workspace}/{repo_slug}/{schedule}/run")
async def run_schedule(request: Request, workspace: str, repo_slug: str, schedule: str) -> dict[str, Any]:
    """Run a schedule, as its time would: start its pipeline, or keep the error that prevented it."""
    state = current_state(request)
    repository = named_repository(state, f"{workspace}/{repo_slug}")
    return execute(state, repository, find_schedule(repository, schedule))


@router.get(ONE)
async def show(request: Request, workspace: str, repo_slug: str, pipeline: str) -> dict[str, Any]:
    """A pipeline with its variables, which the API never returns."""
    state = current_state(request)
    return _shown(state, _find(state, workspace, repo_slug, pipeline)[1])


@router.delete(ONE)
async def delete(request: Request, workspace: str, repo_slug: str, pipeline: str) -> dict[str, Any]:
    """Delete a pipeline with its deployments and build statuses."""
    state = current_state(request)
    repository, found = _find(state, workspace, repo_slug, pipeline)
    repository.pipelines.remove(found)
    repository.deployments = [one for one in repository.deployments if one.pipeline is not found]
    repository.statuses = {key: one for key, one in repository.statuses.items() if one.pipeline is not found}
    return {"deleted": found.build_number}


@router.post(ONE + "/finish")
async def end(request: Request, workspace: str, repo_slug: str, pipeline: str) -> dict[str, Any]:
    """End a pipeline now with ``{"result": "FAILED"}``; ERROR can have an ``error`` with key and message."""
    state, body = current_state(request), await request.json()
    found = _find_unfinished(state, workspace, repo_slug, pipeline)
    if body.get("result") not in RESULTS:
        raise ApiError(400, f"result is {body.get('result')!r}; expected one of {', '.join(RESULTS)}")
    finish(found, state.clock.now(), body["result"])
    found.error = body.get("error")
    return _shown(state, found)


@router.post(ONE + "/pause")
async def pause(request: Request, workspace: str, repo_slug: str, pipeline: str) -> dict[str, Any]:
    """Make the current step a manual one: the pipeline is PAUSED until it is continued."""
    state = current_state(request)
    found = _find_unfinished(state, workspace, repo_slug, pipeline)
    block(found, state.clock.now(), manual=True)
    return _shown(state, found)


@router.post(ONE + "/halt")
async def halt(request: Request, workspace: str, repo_slug: str, pipeline: str) -> dict[str, Any]:
    """Halt the pipeline before the current step, as without build minutes, until it is continued."""
    state = current_state(request)
    found = _find_unfinished(state, workspace, repo_slug, pipeline)
    block(found, state.clock.now(), manual=False)
    return _shown(state, found)


@router.post(ONE + "/continue")
async def proceed(request: Request, workspace: str, repo_slug: str, pipeline: str) -> dict[str, Any]:
    """Continue a paused or halted pipeline, as a person does in the web page."""
    state = current_state(request)
    found = _find_unfinished(state, workspace, repo_slug, pipeline)
    if not release(found, state.clock.now()):
        raise ApiError(409, f"Pipeline {found.build_number} does not wait for a person")
    return _shown(state, found)


@router.put(ONE + "/state")
async def show_state(request: Request, workspace: str, repo_slug: str, pipeline: str) -> dict[str, Any]:
    """Show ``{"state": {...}}`` verbatim, such as an unknown one; ``null`` restores the pipeline's own."""
    state, body = current_state(request), await request.json()
    found = _find(state, workspace, repo_slug, pipeline)[1]
    found.state_override = body["state"]
    return _shown(state, found)


def _find(state: State, workspace: str, repo_slug: str, pipeline: str) -> tuple[Repository, Pipeline]:
    repository = named_repository(state, f"{workspace}/{repo_slug}")
    return repository, find_pipeline(repository, pipeline)


def _find_unfinished(state: State, workspace: str, repo_slug: str, pipeline: str) -> Pipeline:
    found = _find(state, workspace, repo_slug, pipeline)[1]
    if pipeline_at(found, state.clock.now()).state == "COMPLETED":
        raise ApiError(409, f"Pipeline {found.build_number} is complete")
    return found


def _shown(state: State, pipeline: Pipeline) -> dict[str, Any]:
    view = pipeline_at(pipeline, state.clock.now())
    return {
        "uuid": pipeline.uuid,
        "build_number": pipeline.build_number,
        "state": view.state,
        "stage": view.stage,
        "result": view.result,
        "variables": pipeline.variables,
    }
