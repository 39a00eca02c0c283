"""Branch restrictions. They are kept and answered; the emulator does not enforce them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import Field

from bitbucket_cloud_emulator.core.bodies import Body, json_object, validate
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.core.wire import number
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.users.views import account_json

router = APIRouter(
    prefix=f"{API}/repositories/{{workspace}}/{{repo_slug}}/branch-restrictions",
    dependencies=[Depends(requires("admin:repository"))],
)

_Kind = Literal[
    "push",
    "delete",
    "force",
    "restrict_merges",
    "require_tasks_to_be_completed",
    "require_approvals_to_merge",
    "require_review_group_approvals_to_merge",
    "require_default_reviewer_approvals_to_merge",
    "require_no_changes_requested",
    "require_passing_builds_to_merge",
    "require_commits_behind",
    "reset_pullrequest_approvals_on_change",
    "smart_reset_pullrequest_approvals",
    "reset_pullrequest_changes_requested_on_change",
    "require_all_dependencies_merged",
    "enforce_merge_checks",
    "allow_auto_merge_when_builds_pass",
    "require_all_comments_resolved",
]
_LISTS = ("users", "groups")


class _User(Body):
    uuid: str


class _Group(Body):
    slug: str


class _Restriction(Body):
    kind: _Kind
    branch_match_kind: Literal["branching_model", "glob"] = "glob"
    branch_type: Literal["feature", "bugfix", "release", "hotfix", "development", "production"] | None = None
    pattern: str = ""
    value: Annotated[int, Field(ge=0)] | None = None
    users: list[_User] | None = None
    groups: list[_Group] | None = None


@router.get("")
async def restrictions(request: Request, workspace: str, repo_slug: str) -> Response:
    """All restrictions, or those of a kind or pattern."""
    repository, params = find_repository(request, workspace, repo_slug), request.query_params
    found = [
        one
        for one in repository.branch_restrictions.values()
        if all(one[name] == params[name] for name in ("kind", "pattern") if name in params)
    ]
    return page(request, found, lambda one: _json(request, repository, one))


@router.post("")
async def create(request: Request, workspace: str, repo_slug: str) -> Response:
    """Create a restriction; kind and match are unique together."""
    repository, state = find_repository(request, workspace, repo_slug), current_state(request)
    made = _checked(repository, await json_object(request), state)
    made["id"] = state.number("branch restriction")
    repository.branch_restrictions[made["id"]] = made
    return json_response(_json(request, repository, made), 201)


@router.get("/{id}")
async def restriction(request: Request, workspace: str, repo_slug: str, id: str) -> Response:
    """A restriction."""
    repository = find_repository(request, workspace, repo_slug)
    return json_response(_json(request, repository, _find(repository, id)))


@router.put("/{id}")
async def change(request: Request, workspace: str, repo_slug: str, id: str) -> Response:
    """Change a restriction; what is not sent is left as it is."""
    repository = find_repository(request, workspace, repo_slug)
    found = _find(repository, id)
    sent = await json_object(request)
    made = _checked(repository, {**found, **sent}, current_state(request), found)
    found.update(made)
    return json_response(_json(request, repository, found))


@router.delete("/{id}")
async def delete(request: Request, workspace: str, repo_slug: str, id: str) -> Response:
    """Delete a restriction."""
    repository = find_repository(request, workspace, repo_slug)
    del repository.branch_restrictions[_find(repository, id)["id"]]
    return Response(status_code=204, media_type="text/html")


def _find(repository: Repository, name: str) -> dict[str, Any]:
    found = repository.branch_restrictions.get(number(name) or 0)
    if found is None:
        raise ApiError(404, f"Branch restriction {name} not found")
    return found


def _checked(repository: Repository, sent: dict[str, Any], state: State, current: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a restriction as it is kept.

    :param current: the one that changes
    :raises ApiError: 400, it is incomplete, names an unknown account, or there is one for the same
    """
    body = validate(sent, _Restriction)
    matched_by = "pattern" if body.branch_match_kind == "glob" else "branch_type"
    if not getattr(body, matched_by):
        raise ApiError(400, f"{matched_by}: This field is required.", fields={matched_by: ["This field is required."]})
    made: dict[str, Any] = {name: value for name, value in body.model_dump(mode="json").items() if value is not None}
    made |= {name: made.get(name, []) for name in _LISTS}
    if body.kind in ("push", "restrict_merges"):
        for name in _LISTS:
            if sent.get(name) is None:
                raise ApiError(400, f"{name}: This field is required.", fields={name: ["This field is required."]})
    for user in made["users"]:
        if user["uuid"] not in state.users:
            raise ApiError(400, f"users: {user['uuid']} is not an account")
    same = ("kind", "branch_match_kind", matched_by)
    for other in repository.branch_restrictions.values():
        if other is not current and all(other.get(name) == made[name] for name in same):
            raise ApiError(400, f"A branch restriction of kind {body.kind} for {made[matched_by]} already exists")
    return made


def _json(request: Request, repository: Repository, one: dict[str, Any]) -> dict[str, Any]:
    base = origin(request)
    users = current_state(request).users
    address = f"{base}{API}/repositories/{repository.full_name}/branch-restrictions/{one['id']}"
    return {
        **one,
        "type": "branchrestriction",
        "users": [account_json(users[user["uuid"]], base) for user in one["users"]],
        "groups": [{"type": "group", "slug": group["slug"], "name": group["slug"]} for group in one["groups"]],
        "links": {"self": {"href": address}},
    }
