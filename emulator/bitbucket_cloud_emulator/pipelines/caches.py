"""Caches that steps have filled. Source: developer.atlassian.com/cloud/bitbucket/rest/api-group-pipelines.

A cache follows from the first successful step that names it under ``caches``, until it is deleted.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.errors import json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.core.wire import iso_pipelines
from bitbucket_cloud_emulator.pipelines.plan import SUCCESSFUL, pipeline_at
from bitbucket_cloud_emulator.pipelines.request import refuse
from bitbucket_cloud_emulator.pipelines.routes import READ
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository

CACHES = "/repositories/{workspace}/{repo_slug}/pipelines-config/caches"  # with a hyphen
DELETE = [Depends(requires("write:pipeline"))]
_DIRECTORIES = {"node": "node_modules", "pip": "~/.cache/pip", "maven": "~/.m2/repository", "docker": "docker"}

router = APIRouter(prefix=API)


@dataclass(frozen=True)
class Cache:
    """A cache and the step that has filled it."""

    uuid: str
    name: str
    pipeline_uuid: str
    step_uuid: str
    created_on: datetime


@router.get(CACHES, dependencies=READ)
async def list_caches(request: Request) -> Response:
    """The caches of a repository."""
    return page(request, [*_caches(*_now(request)).values()], _cache_json, compact=True)


@router.delete(CACHES, dependencies=DELETE)
async def delete_named_caches(request: Request) -> Response:
    """Delete all versions of the cache ``name``."""
    repository, now = _now(request)
    wanted = request.query_params.get("name")
    if not wanted:
        raise refuse(404, "Cache name is required")
    repository.deleted_caches |= {one.uuid for one in _caches(repository, now).values() if one.name == wanted}
    return Response(status_code=204)


@router.delete(CACHES + "/{cache_uuid}", dependencies=DELETE)
async def delete_cache(request: Request) -> Response:
    """Delete a cache."""
    repository, _ = _now(request)
    repository.deleted_caches.add(_find(request).uuid)
    return Response(status_code=204)


@router.get(CACHES + "/{cache_uuid}/content-uri", dependencies=READ)
async def get_content_uri(request: Request) -> Response:
    """Where the content can be downloaded without credentials."""
    found = _find(request)
    return json_response({"type": "pipeline_cache_content_uri", "uri": f"{origin(request)}/caches/{found.uuid[1:-1]}"})


def _now(request: Request) -> tuple[Repository, datetime]:
    names = request.path_params
    return find_repository(request, names["workspace"], names["repo_slug"]), current_state(request).clock.now()


def _find(request: Request) -> Cache:
    wanted = request.path_params["cache_uuid"]
    found = _caches(*_now(request)).get(wanted)
    if found is None:
        raise refuse(404, f"Cache {wanted} not found")
    return found


def _caches(repository: Repository, now: datetime) -> dict[str, Cache]:
    """Return the caches at a point in time, by uuid."""
    found: dict[str, Cache] = {}
    for cache in _filled(repository, now):
        if cache.uuid not in repository.deleted_caches and cache.name not in {one.name for one in found.values()}:
            found[cache.uuid] = cache
    return found


def _filled(repository: Repository, now: datetime) -> Iterator[Cache]:
    for pipeline in repository.pipelines:
        for view in pipeline_at(pipeline, now).steps:
            if view.result != SUCCESSFUL or view.completed_on is None:
                continue
            for name in view.step.caches:
                identifier = "{" + str(uuid.uuid5(uuid.UUID(view.step.uuid), name)) + "}"
                yield Cache(identifier, name, pipeline.uuid, view.step.uuid, view.completed_on)


def _cache_json(cache: Cache) -> dict[str, Any]:
    return {
        "type": "pipeline_cache",
        "uuid": cache.uuid,
        "pipeline_uuid": cache.pipeline_uuid,
        "step_uuid": cache.step_uuid,
        "name": cache.name,
        "key_hash": hashlib.sha256(cache.name.encode()).hexdigest(),
        "path": _DIRECTORIES.get(cache.name, cache.name),
        "file_size_bytes": 1024,
        "created_on": iso_pipelines(cache.created_on),
    }
