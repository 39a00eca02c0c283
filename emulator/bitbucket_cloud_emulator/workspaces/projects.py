"""Projects, which group repositories."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import Field

from bitbucket_cloud_emulator.core.bodies import Body, read_body
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.core.wire import iso_main
from bitbucket_cloud_emulator.users.models import User
from bitbucket_cloud_emulator.users.views import account_json, default_reviewer_json
from bitbucket_cloud_emulator.workspaces.branching import SettingsBody, changed, enabled_types, settings_json
from bitbucket_cloud_emulator.workspaces.models import Project, Workspace
from bitbucket_cloud_emulator.workspaces.service import find_workspace
from bitbucket_cloud_emulator.workspaces.views import owner_json, project_json, workspace_json

router = APIRouter(prefix=f"{API}/workspaces/{{workspace}}/projects")

READ = [Depends(requires("read:project"))]
READ_REPOSITORIES = [Depends(requires("read:repository"))]
READ_PULL_REQUESTS = [Depends(requires("read:pullrequest"))]
ADMIN = [Depends(requires("admin:project"))]
_REVIEWER = "/{project_key}/default-reviewers/{selected_user}"


class _Changes(Body):
    key: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")] | None = None
    name: Annotated[str, Field(min_length=1)] | None = None
    description: str | None = None
    is_private: bool | None = None


class _NewProject(_Changes):
    key: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    name: Annotated[str, Field(min_length=1)]


@router.get("", dependencies=READ)
async def projects(request: Request, workspace: str) -> Response:
    """All projects of a workspace."""
    found, base = find_workspace(request, workspace), origin(request)
    return page(request, list(found.projects.values()), lambda one: _json(found, one, base), q_fields=None, sort_fields=None)


@router.post("", dependencies=ADMIN)
async def create(request: Request, workspace: str) -> Response:
    """Create a project."""
    found, body = find_workspace(request, workspace), await read_body(request, _NewProject)
    return _answer(request, found, _create(request, found, body.key, body), 201)


@router.get("/{project_key}", dependencies=READ)
async def project(request: Request, workspace: str, project_key: str) -> Response:
    """A project by its key."""
    found = find_workspace(request, workspace)
    return _answer(request, found, _find(found, project_key))


@router.put("/{project_key}", dependencies=ADMIN)
async def change(request: Request, workspace: str, project_key: str) -> Response:
    """Change a project, also its key, or create it; what is not sent is left as it is."""
    found, body = find_workspace(request, workspace), await read_body(request, _Changes)
    known = found.projects.get(project_key)
    if known is None:
        return _answer(request, found, _create(request, found, project_key, body), 201)
    if body.key and body.key != known.key:
        _refuse_taken(found, body.key)
        del found.projects[known.key]
        found.projects[body.key] = known
    for name, value in body.sent().items():
        setattr(known, name, value)
    known.updated_on = current_state(request).clock.now()
    return _answer(request, found, known)


@router.delete("/{project_key}", dependencies=ADMIN)
async def delete(request: Request, workspace: str, project_key: str) -> Response:
    """Delete a project that is empty."""
    found = find_workspace(request, workspace)
    known = _find(found, project_key)
    if any(one.project is known for one in found.repositories.values()):
        raise ApiError(403, f"Project {project_key} has repositories")
    del found.projects[known.key]
    return Response(status_code=204, media_type="text/html")


@router.get("/{project_key}/default-reviewers", dependencies=READ_PULL_REQUESTS)
async def default_reviewers(request: Request, workspace: str, project_key: str) -> Response:
    """The default reviewers of all repositories of a project."""
    known, base = _find(find_workspace(request, workspace), project_key), origin(request)
    return page(request, known.default_reviewers, lambda user: default_reviewer_json("project", user, base))


@router.get(_REVIEWER, dependencies=READ_PULL_REQUESTS)
async def default_reviewer(request: Request, workspace: str, project_key: str, selected_user: str) -> Response:
    """A default reviewer; 404 for an account that is none."""
    found = find_workspace(request, workspace)
    user = _reviewer(request, found, _find(found, project_key), selected_user)
    return json_response(default_reviewer_json("project", user, origin(request)))


@router.put(_REVIEWER, dependencies=ADMIN)
async def add_default_reviewer(request: Request, workspace: str, project_key: str, selected_user: str) -> Response:
    """Add a default reviewer."""
    found = find_workspace(request, workspace)
    known, user = _find(found, project_key), _member(request, found, selected_user)
    if user not in known.default_reviewers:
        known.default_reviewers.append(user)
    return json_response(account_json(user, origin(request)))


@router.delete(_REVIEWER, dependencies=ADMIN)
async def remove_default_reviewer(request: Request, workspace: str, project_key: str, selected_user: str) -> Response:
    """Remove a default reviewer."""
    found = find_workspace(request, workspace)
    known = _find(found, project_key)
    known.default_reviewers.remove(_reviewer(request, found, known, selected_user))
    return Response(status_code=204, media_type="text/html")


@router.get("/{project_key}/branching-model", dependencies=READ_REPOSITORIES)
async def branching_model(request: Request, workspace: str, project_key: str) -> Response:
    """The branching model of a project; what is disabled is left out."""
    model = _find(find_workspace(request, workspace), project_key).branching_model

    def branch(name: str | None) -> dict[str, Any]:
        return {"name": name or "main", "use_mainbranch": name is None}

    shown = {
        "type": "project_branching_model",
        "branch_types": enabled_types(model),
        "development": branch(model.development),
    }
    return json_response({**shown, "production": branch(model.production)} if model.production_enabled else shown)


@router.get("/{project_key}/branching-model/settings", dependencies=ADMIN)
async def branching_model_settings(request: Request, workspace: str, project_key: str) -> Response:
    """All settings of the branching model of a project."""
    known = _find(find_workspace(request, workspace), project_key)
    return json_response(settings_json(known.branching_model, str(request.url), None))


@router.put("/{project_key}/branching-model/settings", dependencies=ADMIN)
async def change_branching_model(request: Request, workspace: str, project_key: str) -> Response:
    """Change settings of the branching model of a project."""
    known, body = _find(find_workspace(request, workspace), project_key), await read_body(request, SettingsBody)
    known.branching_model = changed(known.branching_model, body, None)
    return json_response(settings_json(known.branching_model, str(request.url), None))


def _create(request: Request, workspace: Workspace, key: str, body: _Changes) -> Project:
    _refuse_taken(workspace, key)
    if not body.name:
        raise ApiError(400, "name: This field is required.", fields={"name": ["This field is required."]})
    state = current_state(request)
    now = state.clock.now()
    made = Project(key, body.name, state.uuid(), now, now, body.description or "", body.is_private is not False)
    return workspace.projects.setdefault(key, made)


def _refuse_taken(workspace: Workspace, key: str) -> None:
    if key in workspace.projects:
        problem = "Project with this Owner and Key already exists."
        raise ApiError(400, f"__all__: {problem}", fields={"__all__": [problem]})


def _find(workspace: Workspace, key: str) -> Project:
    if key not in workspace.projects:
        raise ApiError(404, f"Project {key} not found")
    return workspace.projects[key]


def _member(request: Request, workspace: Workspace, name: str) -> User:
    for uuid in workspace.members:
        user = current_state(request).users[uuid]
        if name in (user.uuid, user.account_id):
            return user
    raise ApiError(404, f"{name} is not a member of this workspace")


def _reviewer(request: Request, workspace: Workspace, project: Project, name: str) -> User:
    user = _member(request, workspace, name)
    if user not in project.default_reviewers:
        raise ApiError(404, f"{name} is not a default reviewer")
    return user


def _answer(request: Request, workspace: Workspace, project: Project, status: int = 200) -> Response:
    shown = _json(workspace, project, origin(request))
    headers = {} if request.method == "GET" else {"Location": shown["links"]["self"]["href"]}
    return json_response(shown, status, headers)


def _json(workspace: Workspace, project: Project, base: str) -> dict[str, Any]:
    return {
        **project_json(workspace, project, base),
        "description": project.description,
        "is_private": project.is_private,
        "has_publicly_visible_repos": any(
            one.project is project and not one.is_private for one in workspace.repositories.values()
        ),
        "created_on": iso_main(project.created_on),
        "updated_on": iso_main(project.updated_on),
        "owner": owner_json(workspace, base),
        "workspace": workspace_json(workspace, base),
    }
