"""``/_emulator/repositories``: rename a repository, enable or disable Pipelines, serve a git directory."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from bitbucket_cloud_emulator.core.http import current_state, json_body
from bitbucket_cloud_emulator.repositories.service import named_repository, rename

router = APIRouter(prefix="/_emulator/repositories")


@router.post("")
async def change_repository(request: Request) -> dict[str, Any]:
    """Change a repository: ``repository`` and ``rename`` (the old name redirects), ``pipelines_enabled`` or ``git_directory``."""
    state, body = current_state(request), await json_body(request, "repository")
    repository = named_repository(state, body["repository"])
    if new := body.get("rename"):
        rename(repository, new)
    if "pipelines_enabled" in body:
        repository.pipelines_enabled = body["pipelines_enabled"]
    if "git_directory" in body:
        repository.git_directory = body["git_directory"]
    return {"repository": repository.full_name}
