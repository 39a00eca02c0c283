"""The FastAPI application: the routes of all resources and the error handlers."""

from __future__ import annotations

import re

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute

from bitbucket_cloud_emulator import web, web_pull_requests
from bitbucket_cloud_emulator.commits import comments as commit_comments
from bitbucket_cloud_emulator.commits import routes as commits
from bitbucket_cloud_emulator.commits import statuses as commit_statuses
from bitbucket_cloud_emulator.core import control, removed
from bitbucket_cloud_emulator.core.errors import ApiError, Moved
from bitbucket_cloud_emulator.core.html import web_page
from bitbucket_cloud_emulator.core.http import API
from bitbucket_cloud_emulator.core.middleware import Middleware, Traffic
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.deployments import environments
from bitbucket_cloud_emulator.deployments import routes as deployments
from bitbucket_cloud_emulator.downloads import routes as downloads
from bitbucket_cloud_emulator.git import routes as git
from bitbucket_cloud_emulator.oauth import consent as oauth_consent
from bitbucket_cloud_emulator.oauth import control as oauth_control
from bitbucket_cloud_emulator.oauth import routes as oauth
from bitbucket_cloud_emulator.pipelines import caches as pipeline_caches
from bitbucket_cloud_emulator.pipelines import config as pipelines_config
from bitbucket_cloud_emulator.pipelines import control as pipelines_control
from bitbucket_cloud_emulator.pipelines import routes as pipelines
from bitbucket_cloud_emulator.pipelines import schedules as pipeline_schedules
from bitbucket_cloud_emulator.pipelines import steps as pipeline_steps
from bitbucket_cloud_emulator.pipelines import variables as pipeline_variables
from bitbucket_cloud_emulator.pull_requests import comments as pull_request_comments
from bitbucket_cloud_emulator.pull_requests import control as pull_requests_control
from bitbucket_cloud_emulator.pull_requests import default_reviewers
from bitbucket_cloud_emulator.pull_requests import diffs as pull_request_diffs
from bitbucket_cloud_emulator.pull_requests import routes as pull_requests
from bitbucket_cloud_emulator.pull_requests import writes as pull_request_writes
from bitbucket_cloud_emulator.refs import routes as refs
from bitbucket_cloud_emulator.reports import routes as reports
from bitbucket_cloud_emulator.repositories import branch_restrictions, branching_model, forks
from bitbucket_cloud_emulator.repositories import control as repositories_control
from bitbucket_cloud_emulator.repositories import routes as repositories
from bitbucket_cloud_emulator.source import routes as source
from bitbucket_cloud_emulator.users import control as credentials_control
from bitbucket_cloud_emulator.users import routes as users
from bitbucket_cloud_emulator.webhooks import routes as webhooks
from bitbucket_cloud_emulator.workspaces import projects
from bitbucket_cloud_emulator.workspaces import routes as workspaces

#: Routes with fixed words come before those with a parameter in the same place.
ROUTERS: tuple[APIRouter, ...] = (
    control.router,
    pipelines_control.scripts_router,
    pipelines_control.schedules_router,
    pipelines_control.router,
    pull_requests_control.router,
    repositories_control.router,
    credentials_control.router,
    oauth_control.router,
    oauth.router,
    oauth_consent.router,
    removed.router,
    users.router,
    workspaces.router,
    projects.router,
    pipelines_config.router,
    pipeline_variables.router,
    pipeline_schedules.router,
    pipeline_caches.router,
    pipeline_steps.router,
    pipeline_steps.storage_router,
    pipelines.router,
    deployments.router,
    environments.router,
    webhooks.router,
    pull_requests.router,
    pull_request_writes.router,
    pull_request_comments.router,
    pull_request_diffs.router,
    default_reviewers.router,
    refs.router,
    commit_statuses.router,
    commit_comments.router,
    reports.router,
    commits.router,
    source.router,
    source.history_router,
    downloads.router,
    downloads.storage_router,
    forks.router,
    branch_restrictions.router,
    branching_model.router,
    repositories.router,
    git.router,
    web.router,
    web_pull_requests.router,
)

_NO_API = "There is no API hosted at this URL.\n\nFor information about our API's, please refer to the documentation."


def create_app(state: State) -> Middleware:
    """Return the application that serves a state, in its middleware.

    The FastAPI application inside is its ``app``; ``app.state`` has ``bitbucket`` (the :class:`State`), ``traffic``
    and ``faults``.
    """
    app = FastAPI(title="bitbucket-cloud-emulator", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.bitbucket = state
    app.state.traffic = Traffic()
    app.state.faults = []
    for router in ROUTERS:
        # Not include_router: it would make every route anew, which takes longer than all else that starting does.
        app.router.routes.extend(map(_with_optional_slash, router.routes))
    app.exception_handler(ApiError)(_api_error)
    app.exception_handler(Moved)(_moved)
    app.exception_handler(HTTPException)(_no_route)
    app.exception_handler(RequestValidationError)(_bad_parameters)
    return Middleware(app)


def _with_optional_slash(route: BaseRoute) -> BaseRoute:
    """Accept a trailing slash on a route; a parameter that takes the rest of the path does not take the slash."""
    if isinstance(route, APIRoute):
        pattern = route.path_regex.pattern.removesuffix("$").removesuffix("/?")
        route.path_regex = re.compile(pattern.removesuffix(".*)") + (".*?)/?$" if pattern.endswith(".*)") else "/?$"))
    return route


async def _api_error(_: Request, error: ApiError) -> Response:
    return error.response()


async def _moved(_: Request, error: Moved) -> Response:
    return Response(status_code=301, headers={"Location": error.location})


async def _no_route(request: Request, error: HTTPException) -> Response:
    if error.status_code != 404:
        return ApiError(error.status_code, error.detail).response()
    if not request.url.path.startswith(API):
        # A path without /2.0 is refused, not missed. A browser gets a page.
        if "text/html" in request.headers.get("Accept", ""):
            return web_page("Forbidden", f"<p>No page has this address. Paths of the API begin with <code>{API}</code>.</p>", 403)
        return ApiError(403, "Forbidden").response()
    return ApiError(404, "Resource not found", detail=_NO_API).response()


async def _bad_parameters(_: Request, error: RequestValidationError) -> Response:
    problem = error.errors()[0]
    return ApiError(400, f"{problem['loc'][-1]}: {problem['msg']}").response()
