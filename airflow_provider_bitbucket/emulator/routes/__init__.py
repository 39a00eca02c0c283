"""All routes, those with fixed words before those with a name in the same place."""

from fastapi import APIRouter

from airflow_provider_bitbucket.emulator.routes import (
    commits,
    default_reviewers,
    deployments,
    oauth,
    pipeline_steps,
    pipelines,
    pipelines_config,
    pipelines_control,
    projects,
    pull_request_comments,
    pull_request_diffs,
    pull_request_writes,
    pull_requests,
    refs,
    removed,
    repositories,
    source,
    users,
    web,
)

ROUTERS: tuple[APIRouter, ...] = (
    oauth.router,
    removed.router,
    users.router,
    pipelines_config.router,
    pipeline_steps.router,
    pipeline_steps.storage_router,
    pipelines.router,
    pipelines_control.router,
    deployments.router,
    projects.router,
    pull_requests.router,
    pull_request_writes.router,
    pull_request_comments.router,
    pull_request_diffs.router,
    default_reviewers.router,
    refs.router,
    commits.router,
    source.router,
    repositories.router,
    web.router,
)
