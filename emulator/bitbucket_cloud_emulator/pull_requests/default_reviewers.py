"""Default reviewers. The API does not add them to new pull requests: clients read them here and send them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.pull_requests.target import REPOSITORY, InRepository, deleted, in_repository
from bitbucket_cloud_emulator.users.models import User
from bitbucket_cloud_emulator.users.views import account_json, default_reviewer_json

router = APIRouter(prefix=REPOSITORY)

_ONE = "/default-reviewers/{target_username}"
Reading = Annotated[InRepository, Depends(in_repository("read:pullrequest"))]
Ruling = Annotated[InRepository, Depends(in_repository("admin:repository"))]


@router.get("/default-reviewers")
async def default_reviewers(here: Reading) -> Response:
    """The accounts."""
    return page(here.request, here.repository.default_reviewers, lambda user: account_json(user, here.base) or {})


@router.get("/effective-default-reviewers")
async def effective_default_reviewers(here: Reading) -> Response:
    """The accounts of the repository and of its project, and where they come from."""
    own, inherited = here.repository.default_reviewers, here.repository.project.default_reviewers
    found = [("repository", user) for user in own] + [("project", user) for user in inherited if user not in own]
    return page(here.request, found, lambda one: default_reviewer_json(*one, here.base))


@router.get(_ONE)
async def default_reviewer(here: Reading, target_username: str) -> Response:
    """A default reviewer; 404 for an account that is none."""
    return json_response(account_json(_default_reviewer(here, target_username), here.base))


@router.put(_ONE)
async def add_default_reviewer(here: Ruling, target_username: str) -> Response:
    """Add a default reviewer."""
    user = _member(here, target_username)
    if user not in here.repository.default_reviewers:
        here.repository.default_reviewers.append(user)
    return json_response(account_json(user, here.base))


@router.delete(_ONE)
async def remove_default_reviewer(here: Ruling, target_username: str) -> Response:
    """Remove a default reviewer."""
    here.repository.default_reviewers.remove(_default_reviewer(here, target_username))
    return deleted()


def _default_reviewer(here: InRepository, name: str) -> User:
    user = _member(here, name)
    if user not in here.repository.default_reviewers:
        raise ApiError(404, f"{name} is not a default reviewer")
    return user


def _member(here: InRepository, name: str) -> User:
    for uuid in here.repository.workspace.members:
        user = here.state.users[uuid]
        if name in (uuid, user.account_id, user.nickname):
            return user
    raise ApiError(404, f"{name} is not a member of this workspace")
