"""Variables of repositories, workspaces and deployment environments.

Source: developer.atlassian.com/cloud/bitbucket/rest/api-group-pipelines. The value of a secured variable is never returned.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import Field

from bitbucket_cloud_emulator.core.bodies import Body
from bitbucket_cloud_emulator.core.errors import json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.deployments.environments import find_environment
from bitbucket_cloud_emulator.deployments.models import Environment
from bitbucket_cloud_emulator.pipelines.bodies import read_entity
from bitbucket_cloud_emulator.pipelines.models import Variable
from bitbucket_cloud_emulator.pipelines.request import refuse
from bitbucket_cloud_emulator.pipelines.routes import READ
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.workspaces.models import Workspace
from bitbucket_cloud_emulator.workspaces.service import find_workspace

OF_REPOSITORY = "/repositories/{workspace}/{repo_slug}/pipelines_config/variables"
OF_WORKSPACE = "/workspaces/{workspace}/pipelines-config/variables"  # with a hyphen
OF_ENVIRONMENT = "/repositories/{workspace}/{repo_slug}/deployments_config/environments/{environment_uuid}/variables"
ONE = "/{variable_uuid}"
ADMIN = [Depends(requires("admin:pipeline"))]
KEY = "^[A-Za-z_][A-Za-z0-9_]*$"

router = APIRouter(prefix=API)


class VariableBody(Body):
    """A variable that is created."""

    key: Annotated[str, Field(pattern=KEY)]
    value: str = ""
    secured: bool = False


class VariableChange(Body):
    """A variable that is changed."""

    key: Annotated[str, Field(pattern=KEY)] | None = None
    value: str | None = None
    secured: bool | None = None


@router.get(OF_REPOSITORY, dependencies=READ)
@router.get(OF_WORKSPACE, dependencies=READ)
@router.get(OF_ENVIRONMENT, dependencies=READ)
async def list_variables(request: Request) -> Response:
    """All variables, ten a page unless asked for more."""
    return page(request, _owner(request).variables, variable_json, compact=True)


@router.post(OF_REPOSITORY, dependencies=ADMIN)
@router.post(OF_WORKSPACE, dependencies=ADMIN)
@router.post(OF_ENVIRONMENT, dependencies=ADMIN)
async def create_variable(request: Request) -> Response:
    """Create a variable; a key that exists is a conflict."""
    body = await read_entity(request, VariableBody)
    owner = _owner(request)
    _refuse_duplicate(owner, body.key)
    made = Variable(current_state(request).uuid(), body.key, body.value, body.secured)
    owner.variables.append(made)
    location = f"{origin(request)}{request.url.path.rstrip('/')}/{quote(made.uuid)}"
    return json_response(variable_json(made), 201, {"Location": location}, compact=True)


@router.get(OF_REPOSITORY + ONE, dependencies=READ)
@router.get(OF_WORKSPACE + ONE, dependencies=READ)
async def get_variable(request: Request) -> Response:
    """A variable by uuid; those of an environment are only listed."""
    return json_response(variable_json(_find(request, _owner(request))), compact=True)


@router.put(OF_REPOSITORY + ONE, dependencies=ADMIN)
@router.put(OF_WORKSPACE + ONE, dependencies=ADMIN)
@router.put(OF_ENVIRONMENT + ONE, dependencies=ADMIN)
async def update_variable(request: Request) -> Response:
    """Change a variable. A secured one stays secured."""
    body = await read_entity(request, VariableChange)
    owner = _owner(request)
    found = _find(request, owner)
    if body.key is not None and body.key != found.key:
        _refuse_duplicate(owner, body.key)
    if found.secured and body.secured is False:
        raise refuse(400, "A secured variable cannot be made unsecured.", "variable-service.variable.secured")
    for name, value in body.sent().items():
        setattr(found, name, value)
    return json_response(variable_json(found), compact=True)


@router.delete(OF_REPOSITORY + ONE, dependencies=ADMIN)
@router.delete(OF_WORKSPACE + ONE, dependencies=ADMIN)
@router.delete(OF_ENVIRONMENT + ONE, dependencies=ADMIN)
async def delete_variable(request: Request) -> Response:
    """Delete a variable."""
    owner = _owner(request)
    owner.variables.remove(_find(request, owner))
    return Response(status_code=204)


def variable_json(variable: Variable) -> dict[str, Any]:
    """Return a variable; a secured one without its value."""
    shown = {"type": "pipeline_variable", "uuid": variable.uuid, "key": variable.key, "secured": variable.secured}
    return shown if variable.secured else {**shown, "value": variable.value}


def _owner(request: Request) -> Repository | Workspace | Environment:
    names = request.path_params
    if "repo_slug" not in names:
        return find_workspace(request, names["workspace"], by_uuid=True)
    repository = find_repository(request, names["workspace"], names["repo_slug"])
    return find_environment(repository, names["environment_uuid"]) if "environment_uuid" in names else repository


def _find(request: Request, owner: Repository | Workspace | Environment) -> Variable:
    uuid = request.path_params["variable_uuid"]
    for variable in owner.variables:
        if variable.uuid == uuid:
            return variable
    raise refuse(404, f"Variable {uuid} not found")


def _refuse_duplicate(owner: Repository | Workspace | Environment, key: str) -> None:
    """Refuse a key that exists, in the words of a recording of 2026-05."""
    if any(one.key == key for one in owner.variables):
        where = f", environment {owner.uuid}" if isinstance(owner, Environment) else ""
        raise refuse(409, f"A variable with the key provided already exists for account {owner.uuid}{where}")
