"""The branching model of a repository, its own or its project's, and which of both applies."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import Field

from bitbucket_cloud_emulator.core.bodies import Body, read_body
from bitbucket_cloud_emulator.core.errors import json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.refs.views import branch_json
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.workspaces.branching import SettingsBody, changed, enabled_types, settings_json
from bitbucket_cloud_emulator.workspaces.models import BranchingModel

router = APIRouter(prefix=f"{API}/repositories/{{workspace}}/{{repo_slug}}")

READ = [Depends(requires("read:repository"))]
ADMIN = [Depends(requires("admin:repository"))]


class _Overrides(Body):
    override_settings: dict[str, bool] = Field(default_factory=dict)


@router.get("/branching-model", dependencies=READ)
async def branching_model(request: Request, workspace: str, repo_slug: str) -> Response:
    """The repository's own model; what is disabled is left out."""
    repository = find_repository(request, workspace, repo_slug)
    return json_response(_json(repository, repository.branching_model, "branching_model", origin(request)))


@router.get("/effective-branching-model", dependencies=READ)
async def effective_branching_model(request: Request, workspace: str, repo_slug: str) -> Response:
    """The model that applies."""
    repository = find_repository(request, workspace, repo_slug)
    own = repository.overrides["branching_model"]
    model = repository.branching_model if own else repository.project.branching_model
    return json_response(_json(repository, model, "effective_repo_branching_model", origin(request)))


@router.get("/branching-model/settings", dependencies=ADMIN)
async def settings(request: Request, workspace: str, repo_slug: str) -> Response:
    """All settings of the repository's own model."""
    repository = find_repository(request, workspace, repo_slug)
    return json_response(settings_json(repository.branching_model, str(request.url), repository.branches))


@router.put("/branching-model/settings", dependencies=ADMIN)
async def change_settings(request: Request, workspace: str, repo_slug: str) -> Response:
    """Change settings of the repository's own model, which applies from then on."""
    repository, body = find_repository(request, workspace, repo_slug), await read_body(request, SettingsBody)
    repository.branching_model = changed(repository.branching_model, body, repository.branches)
    repository.overrides["branching_model"] = True
    return await settings(request, workspace, repo_slug)


@router.get("/override-settings", dependencies=ADMIN)
async def overrides(request: Request, workspace: str, repo_slug: str) -> Response:
    """Which settings the repository has of its own."""
    repository = find_repository(request, workspace, repo_slug)
    return json_response({"type": "repository_inheritance_state", "override_settings": repository.overrides})


@router.put("/override-settings", dependencies=ADMIN)
async def change_overrides(request: Request, workspace: str, repo_slug: str) -> Response:
    """Choose between settings of its own and its project's."""
    repository, body = find_repository(request, workspace, repo_slug), await read_body(request, _Overrides)
    repository.overrides |= body.override_settings
    repository.updated_on = current_state(request).clock.now()
    return Response(status_code=204, media_type="text/html")


def _json(repository: Repository, model: BranchingModel, kind: str, base: str) -> dict[str, Any]:
    shown = {"type": kind, "branch_types": enabled_types(model), "development": _branch(repository, model.development, base)}
    return {**shown, "production": _branch(repository, model.production, base)} if model.production_enabled else shown


def _branch(repository: Repository, chosen: str | None, base: str) -> dict[str, Any]:
    name = chosen or repository.mainbranch
    shown: dict[str, Any] = {"name": name, "use_mainbranch": chosen is None}
    return {**shown, "branch": branch_json(repository, name, base)} if name in repository.branches and name else shown
