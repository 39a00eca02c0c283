"""Pipelines of a repository switched on and off, and what is configured for them: variables and schedules, for reading."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.bodies import Body, parse_json
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.pipelines.request import refuse
from bitbucket_cloud_emulator.pipelines.routes import READ
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.repositories.views import repository_json

CONFIG = "/repositories/{workspace}/{repo_slug}/pipelines_config"
ADMIN = [Depends(requires("admin:repository"))]

router = APIRouter(prefix=API)


class _Config(Body):
    enabled: bool


@router.get(CONFIG, dependencies=ADMIN)
async def get_config(request: Request, workspace: str, repo_slug: str) -> Response:
    """Whether Pipelines is enabled; 404 if it was never configured."""
    repository = find_repository(request, workspace, repo_slug)
    if repository.pipelines_enabled is None:
        raise refuse(404, f"Pipelines configuration of repository {repository.uuid} not found")
    return json_response(_config_json(request, repository), compact=True)


@router.put(CONFIG, dependencies=ADMIN)
async def put_config(request: Request, workspace: str, repo_slug: str) -> Response:
    """Switch Pipelines on or off with ``{"enabled": true}``."""
    content = await request.body()
    repository = find_repository(request, workspace, repo_slug)
    try:
        repository.pipelines_enabled = _Config.model_validate(parse_json(content)).enabled
    except ValueError:  # pydantic's error is one
        raise ApiError(400, "Request entity cannot be processed", key="unexpected.response.body", style="pipelines") from None
    return json_response(_config_json(request, repository), compact=True)


@router.get(f"{CONFIG}/variables", dependencies=READ)
async def list_variables(request: Request, workspace: str, repo_slug: str) -> Response:
    """The repository's variables; secured ones without their value."""
    repository = find_repository(request, workspace, repo_slug)
    return page(request, repository.variables, _variable_json, sort_fields=(), compact=True)


@router.get(f"{CONFIG}/schedules", dependencies=READ)
async def list_schedules(request: Request, workspace: str, repo_slug: str) -> Response:
    """The repository's schedules."""
    repository = find_repository(request, workspace, repo_slug)
    return page(request, repository.schedules, lambda one: {"type": "pipeline_schedule", **one}, sort_fields=(), compact=True)


def _config_json(request: Request, repository: Repository) -> dict[str, Any]:
    return {
        "type": "repository_pipelines_configuration",
        "enabled": repository.pipelines_enabled,
        "repository": repository_json(repository, origin(request)),
    }


def _variable_json(variable: dict[str, Any]) -> dict[str, Any]:
    hidden = ("value",) if variable["secured"] else ()
    return {"type": "pipeline_variable", **{key: value for key, value in variable.items() if key not in hidden}}
