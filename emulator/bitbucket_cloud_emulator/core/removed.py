"""Routes that Atlassian removed: 410 with the announcement (CHANGE-2770 of 2026-04-14, CHANGE-3071 of 2026-08-20)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.http import API

router = APIRouter(prefix=API)

_CHANGELOG = "https://developer.atlassian.com/cloud/bitbucket/changelog#"


def _gone(change: str) -> ApiError:
    return ApiError(
        410,
        f"{change} - Functionality has been deprecated",
        detail="Please read the changelog entry for more details.",
        data={"announcement_url": f"{_CHANGELOG}{change}"},
    )


@router.get("/repositories")
@router.get("/workspaces")
@router.get("/snippets")
@router.get("/user/permissions/workspaces")
@router.get("/user/permissions/repositories")
async def across_workspaces() -> Response:
    """Lists across workspaces."""
    raise _gone("CHANGE-2770")


@router.get("/repositories/{workspace}/{repo_slug}/issues")
@router.get("/repositories/{workspace}/{repo_slug}/issues/{rest:path}")
async def issues() -> Response:
    """The issue tracker."""
    raise _gone("CHANGE-3071")
