"""All routes, those with fixed words before those with a name in the same place."""

from fastapi import APIRouter

from airflow_provider_bitbucket.emulator.routes import (
    commits,
    deployments,
    oauth,
    pipeline_steps,
    pipelines,
    pipelines_config,
    pipelines_control,
    projects,
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
    refs.router,
    commits.router,
    source.router,
    repositories.router,
    web.router,
)
