"""Deployments. Source: developer.atlassian.com/cloud/bitbucket/rest/api-group-deployments."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.http import API, current_state, origin
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.deployments.service import visible_deployments
from bitbucket_cloud_emulator.deployments.views import deployment_json
from bitbucket_cloud_emulator.pipelines.request import invalid_sort, refuse
from bitbucket_cloud_emulator.pipelines.routes import READ, answer, refuse_missing_slash
from bitbucket_cloud_emulator.repositories.service import find_repository

DEPLOYMENTS = "/repositories/{workspace}/{repo_slug}/deployments"

router = APIRouter(prefix=API)


@router.get(DEPLOYMENTS, dependencies=READ)
async def list_deployments(request: Request, workspace: str, repo_slug: str) -> Response:
    """Newest first. ``q`` is ignored, and there is nothing to sort by."""
    repository = find_repository(request, workspace, repo_slug)
    refuse_missing_slash(request)
    if sort := request.query_params.get("sort"):
        raise invalid_sort(sort)
    base = origin(request)
    views = visible_deployments(repository, current_state(request).clock.now())
    return page(request, views, lambda view: deployment_json(repository, view, base), compact=True)


@router.get(DEPLOYMENTS + "/{deployment_uuid}", dependencies=READ)
async def get_deployment(request: Request, workspace: str, repo_slug: str, deployment_uuid: str) -> Response:
    """A deployment."""
    repository = find_repository(request, workspace, repo_slug)
    for view in visible_deployments(repository, current_state(request).clock.now()):
        if view.deployment.uuid == deployment_uuid:
            return answer(request, deployment_json(repository, view, origin(request)))
    raise refuse(404, f"Deployment {deployment_uuid} not found in repository {repository.uuid}")
