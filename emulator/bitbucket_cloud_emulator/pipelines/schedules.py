"""Schedules of pipelines. Source: developer.atlassian.com/cloud/bitbucket/rest/api-group-pipelines.

The emulator starts no pipelines of schedules by itself; ``POST /_emulator/schedules/.../run`` does.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import Field

from bitbucket_cloud_emulator.core.bodies import Body
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.core.wire import iso_pipelines
from bitbucket_cloud_emulator.pipelines.bodies import Selector, read_entity
from bitbucket_cloud_emulator.pipelines.models import Schedule
from bitbucket_cloud_emulator.pipelines.request import read_request, refuse, resolve_target
from bitbucket_cloud_emulator.pipelines.routes import READ
from bitbucket_cloud_emulator.pipelines.service import start_pipeline
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository

SCHEDULES = "/repositories/{workspace}/{repo_slug}/pipelines_config/schedules"
ONE = SCHEDULES + "/{schedule_uuid}"
WRITE = [Depends(requires("read:pipeline", "write:pipeline"))]
DELETE = [Depends(requires("write:pipeline"))]
#: Second, minute, hour, day of month, month, day of week, year.
CRON = r"^\d+ \d+(,\d+)* \S+ \S+ \S+ \S+ \S+$"

router = APIRouter(prefix=API)


class _Target(Body):
    type: Literal["pipeline_ref_target"] = "pipeline_ref_target"
    ref_type: Literal["branch"]
    ref_name: Annotated[str, Field(min_length=1)]
    selector: Selector


class ScheduleBody(Body):
    """A schedule that is created."""

    target: _Target
    cron_pattern: Annotated[str, Field(pattern=CRON)]
    enabled: bool = True


class ScheduleChange(Body):
    """All that can be changed of a schedule."""

    enabled: bool


@router.get(SCHEDULES, dependencies=READ)
async def list_schedules(request: Request, workspace: str, repo_slug: str) -> Response:
    """The repository's schedules."""
    repository = find_repository(request, workspace, repo_slug)
    return page(request, repository.schedules, schedule_json, compact=True)


@router.post(SCHEDULES, dependencies=WRITE)
async def create_schedule(request: Request, workspace: str, repo_slug: str) -> Response:
    """Create a schedule. It is enabled whatever is sent, as clients have found; too many are refused with 401."""
    body = await read_entity(request, ScheduleBody)
    state, repository = current_state(request), find_repository(request, workspace, repo_slug)
    if len(repository.schedules) >= state.settings.schedules_limit:
        raise refuse(401, "You have reached the maximum limit of schedules for this repository.")
    now = state.clock.now()
    made = Schedule(state.uuid(), body.target.model_dump(exclude_none=True), body.cron_pattern, True, now, now)
    repository.schedules.append(made)
    location = f"{origin(request)}{request.url.path.rstrip('/')}/{quote(made.uuid)}"
    return json_response(schedule_json(made), 201, {"Location": location}, compact=True)


@router.get(ONE, dependencies=READ)
async def get_schedule(request: Request) -> Response:
    """A schedule by uuid."""
    return json_response(schedule_json(_find(request)[1]), compact=True)


@router.put(ONE, dependencies=WRITE)
async def update_schedule(request: Request) -> Response:
    """Enable or disable a schedule; its target and times cannot be changed."""
    body = await read_entity(request, ScheduleChange)
    schedule = _find(request)[1]
    schedule.enabled, schedule.updated_on = body.enabled, current_state(request).clock.now()
    return json_response(schedule_json(schedule), compact=True)


@router.delete(ONE, dependencies=DELETE)
async def delete_schedule(request: Request) -> Response:
    """Delete a schedule."""
    repository, schedule = _find(request)
    repository.schedules.remove(schedule)
    return Response(status_code=204)


@router.get(ONE + "/executions", dependencies=READ)
async def list_executions(request: Request) -> Response:
    """The runs of a schedule, newest first."""
    return page(request, _find(request)[1].executions, dict, compact=True)


def schedule_json(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule."""
    return {
        "type": "pipeline_schedule",
        "uuid": schedule.uuid,
        "enabled": schedule.enabled,
        "target": schedule.target,
        "cron_pattern": schedule.cron_pattern,
        "created_on": iso_pipelines(schedule.created_on),
        "updated_on": iso_pipelines(schedule.updated_on),
    }


def find_schedule(repository: Repository, uuid: str) -> Schedule:
    """Return a schedule by uuid.

    :raises ApiError: 404
    """
    for schedule in repository.schedules:
        if schedule.uuid == uuid:
            return schedule
    raise refuse(404, f"Schedule {uuid} not found in repository {repository.uuid}")


def execute(state: State, repository: Repository, schedule: Schedule) -> dict[str, Any]:
    """Run a schedule and return the execution; a pipeline of a schedule has no creator."""
    try:
        body = read_request({"target": schedule.target})
        target = resolve_target(repository, body, None)
    except ApiError as error:
        problem = {"key": (error.data or {}).get("key"), "message": error.detail}
        execution: dict[str, Any] = {"type": "pipeline_schedule_execution_errored", "error": problem}
    else:
        pipeline = start_pipeline(state, repository, target, trigger="SCHEDULE", creator=None)
        execution = {"type": "pipeline_schedule_execution_executed", "pipeline": {"type": "pipeline", "uuid": pipeline.uuid}}
    schedule.executions.insert(0, execution)
    return execution


def _find(request: Request) -> tuple[Repository, Schedule]:
    names = request.path_params
    repository = find_repository(request, names["workspace"], names["repo_slug"])
    return repository, find_schedule(repository, names["schedule_uuid"])
