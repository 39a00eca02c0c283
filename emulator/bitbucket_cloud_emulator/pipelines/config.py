"""Pipelines of a repository switched on and off, and the number of the next one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import Field

from bitbucket_cloud_emulator.core.bodies import Body
from bitbucket_cloud_emulator.core.errors import json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.pipelines.bodies import read_entity
from bitbucket_cloud_emulator.pipelines.request import refuse
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.repositories.views import repository_json

CONFIG = "/repositories/{workspace}/{repo_slug}/pipelines_config"
ADMIN = [Depends(requires("admin:repository"))]

router = APIRouter(prefix=API)


class _Config(Body):
    enabled: bool


class _BuildNumber(Body):
    next: Annotated[int, Field(ge=1, le=2**53)]


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
    body = await read_entity(request, _Config)
    repository = find_repository(request, workspace, repo_slug)
    repository.pipelines_enabled = body.enabled
    return json_response(_config_json(request, repository), compact=True)


@router.put(f"{CONFIG}/build_number", dependencies=[Depends(requires("admin:pipeline"))])
async def put_build_number(request: Request, workspace: str, repo_slug: str) -> Response:
    """Set the number of the next pipeline with ``{"next": 100}``; it has to be larger than the latest."""
    body = await read_entity(request, _BuildNumber)
    repository = find_repository(request, workspace, repo_slug)
    latest = max((one.build_number for one in repository.pipelines), default=0)
    if body.next <= latest:
        raise refuse(400, f"The next build number must be greater than the latest build number {latest}")
    current_state(request).continue_at(f"pipelines of {repository.uuid}", body.next)
    return json_response({"type": "pipeline_build_number", "next": body.next}, compact=True)


def _config_json(request: Request, repository: Repository) -> dict[str, Any]:
    return {
        "type": "repository_pipelines_configuration",
        "enabled": repository.pipelines_enabled,
        "repository": repository_json(repository, origin(request)),
    }
