"""Deployment environments. Source: developer.atlassian.com/cloud/bitbucket/rest/api-group-deployments."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import Field

from bitbucket_cloud_emulator.core.bodies import Body
from bitbucket_cloud_emulator.core.errors import json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.deployments.models import Environment
from bitbucket_cloud_emulator.deployments.service import ENVIRONMENT_RANKS, slug_of
from bitbucket_cloud_emulator.deployments.views import environment_json
from bitbucket_cloud_emulator.pipelines.bodies import read_entity
from bitbucket_cloud_emulator.pipelines.request import refuse
from bitbucket_cloud_emulator.pipelines.routes import READ, answer
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository

ENVIRONMENTS = "/repositories/{workspace}/{repo_slug}/environments"
ONE = ENVIRONMENTS + "/{environment_uuid}"
ADMIN = [Depends(requires("admin:pipeline"))]
Name = Annotated[str, Field(min_length=1, max_length=100)]

router = APIRouter(prefix=API)


class _Kind(Body):
    name: Literal["Test", "Staging", "Production"]


class EnvironmentBody(Body):
    """An environment that is created."""

    name: Name
    environment_type: _Kind | None = None


class _Restrictions(Body):
    admin_only: bool


class _Change(Body):
    name: Name | None = None
    restrictions: _Restrictions | None = None


class EnvironmentChange(Body):
    """A request to change an environment."""

    change: _Change


@router.get(ENVIRONMENTS, dependencies=READ)
async def list_environments(request: Request, workspace: str, repo_slug: str) -> Response:
    """By rank: test, staging, production."""
    repository = find_repository(request, workspace, repo_slug)
    base = origin(request)
    ranked = sorted(repository.environments, key=lambda one: one.rank)
    return page(request, ranked, lambda one: environment_json(one, base), sort_fields=(), compact=True)


@router.post(ENVIRONMENTS, dependencies=ADMIN)
async def create_environment(request: Request, workspace: str, repo_slug: str) -> Response:
    """Create an environment. Its type is required; a name whose slug exists is a conflict."""
    body = await read_entity(request, EnvironmentBody)
    repository = find_repository(request, workspace, repo_slug)
    if body.environment_type is None:
        raise refuse(400, "Property environment_type is required")
    _refuse_duplicate(repository, body.name)
    kind = body.environment_type.name
    made = Environment(current_state(request).uuid(), body.name, slug_of(body.name), kind, ENVIRONMENT_RANKS[kind])
    repository.environments.append(made)
    location = f"{origin(request)}{request.url.path.rstrip('/')}/{quote(made.uuid)}"
    return json_response(environment_json(made, origin(request)), 201, {"Location": location}, compact=True)


@router.get(ONE, dependencies=READ)
async def get_environment(request: Request) -> Response:
    """An environment by uuid."""
    return answer(request, environment_json(_find(request)[1], origin(request)))


@router.delete(ONE, dependencies=ADMIN)
async def delete_environment(request: Request) -> Response:
    """Delete an environment with its variables; its deployments stay."""
    repository, found = _find(request)
    repository.environments.remove(found)
    return Response(status_code=204)


@router.post(ONE + "/changes", dependencies=ADMIN)
async def change_environment(request: Request) -> Response:
    """Accept a change of the name or the restrictions; without effect where the switch says so, as reported in 2023."""
    change = (await read_entity(request, EnvironmentChange)).change
    repository, found = _find(request)
    if current_state(request).settings.environment_changes_take_effect:
        if change.name is not None and slug_of(change.name) != found.slug:
            _refuse_duplicate(repository, change.name)
        if change.name is not None:
            found.name, found.slug = change.name, slug_of(change.name)
        if change.restrictions is not None:
            found.admin_only = change.restrictions.admin_only
    return Response(status_code=202)


def find_environment(repository: Repository, uuid: str) -> Environment:
    """Return an environment by uuid, with braces.

    :raises ApiError: 404 with the sentence of the Pipelines service
    """
    for environment in repository.environments:
        if environment.uuid == uuid:
            return environment
    raise refuse(404, f"Environment {uuid} not found in repository {repository.uuid}")


def _find(request: Request) -> tuple[Repository, Environment]:
    names = request.path_params
    repository = find_repository(request, names["workspace"], names["repo_slug"])
    return repository, find_environment(repository, names["environment_uuid"])


def _refuse_duplicate(repository: Repository, name: str) -> None:
    if any(one.slug == slug_of(name) for one in repository.environments):
        raise refuse(409, f"An environment with the name {name} already exists.")
