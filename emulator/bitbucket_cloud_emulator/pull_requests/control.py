"""``/_emulator/pullrequests/``: create pull requests with past events, and states that the API cannot create.

Users are named by nickname. An *event* is ``{"do": "approve", "user": "robin.reviewer", "at": "2026-10-01T09:00:00+00:00"}``
with further keys where the action takes them; without ``at`` it happens now, without ``user`` its author does it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request

from bitbucket_cloud_emulator.commits.graph import add_commit
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.http import current_state, json_body
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.pull_requests import merge as ends
from bitbucket_cloud_emulator.pull_requests import reviews
from bitbucket_cloud_emulator.pull_requests import service as actions
from bitbucket_cloud_emulator.pull_requests.models import Activity, PullRequest
from bitbucket_cloud_emulator.pull_requests.timeline import log
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import named_repository
from bitbucket_cloud_emulator.users.models import User

router = APIRouter(prefix="/_emulator/pullrequests/{workspace}/{repo_slug}")


@router.post("")
async def create(request: Request, workspace: str, repo_slug: str) -> dict[str, Any]:
    """Open a pull request on a new branch and apply its ``events``.

    The body has the keyword arguments of :func:`pull_request_actions.create` (``at`` is when it is opened), of which only
    ``title`` is needed, ``files`` for its commit (path -> text), and ``events``.
    """
    state, body = current_state(request), await json_body(request, "title")
    repository = named_repository(state, f"{workspace}/{repo_slug}")
    events, at = body.pop("events", []), _timestamp(body.pop("at", None))
    author = _user(state, body.pop("author", _first_member(state, repository).nickname))
    branch = body.pop("source_branch", None) or f"feature/{len(repository.pull_requests) + 1}"
    files = body.pop("files", None) or {f"{branch}.txt": body["title"]}
    if branch not in repository.branches:
        destination = repository.branches[body.get("destination_branch") or repository.mainbranch or "main"]
        repository.branches[branch] = destination
        _commit(state, repository, branch, author, body["title"], files, at)
    reviewers = [_user(state, name) for name in body.pop("reviewers", [])]
    options = {"author": author, "source_branch": branch, "reviewers": reviewers, "at": at, **body}
    pr: PullRequest = _called(actions.create, state, repository, **options)
    for event in events:
        _happen(state, repository, pr, event)
    return _shown(pr)


@router.post("/touch")
async def touch(request: Request, workspace: str, repo_slug: str) -> dict[str, Any]:
    """Comment on ``count`` random pull requests, as happens while a client reads pages."""
    state, body = current_state(request), await json_body(request, "count")
    repository = named_repository(state, f"{workspace}/{repo_slug}")
    members = [state.users[uuid] for uuid in repository.workspace.members]
    everything = list(repository.pull_requests.values())
    touched = state.random.sample(everything, min(body["count"], len(everything)))
    for pr in touched:
        reviews.comment(state, repository, pr, state.random.choice(members), "Any news?")
    return {"touched": sorted(pr.id for pr in touched)}


@router.post("/{number}/events")
async def happen(request: Request, workspace: str, repo_slug: str, number: int) -> dict[str, Any]:
    """Apply ``events`` to a pull request."""
    state, body = current_state(request), await json_body(request, "events")
    repository, pr = _find(state, workspace, repo_slug, number)
    for event in body["events"]:
        _happen(state, repository, pr, event)
    return _shown(pr)


@router.post("/{number}/activity")
async def add_activity(request: Request, workspace: str, repo_slug: str, number: int) -> dict[str, Any]:
    """Add an unknown timeline entry: ``kind`` with its ``payload`` verbatim, or neither.

    The known kinds are made by events; only they have what the API shows of them.
    """
    state, body = current_state(request), await json_body(request)
    repository, pr = _find(state, workspace, repo_slug, number)
    kind = body.get("kind", "")
    if kind in ("update", "comment"):
        raise ApiError(400, f"Entries of kind {kind!r} come from what happens; use events")
    user = _user(state, body["user"]) if body.get("user") else None
    log(repository, pr, Activity(kind, _timestamp(body.get("date")) or state.clock.now(), user, body.get("payload", {})))
    return _shown(pr)


@router.patch("/{number}")
async def change(request: Request, workspace: str, repo_slug: str, number: int) -> dict[str, Any]:
    """Set fields that the API cannot set.

    ``author`` and ``closed_by`` (null: the account was deleted), ``state`` (``SUPERSEDED``), ``queued``, ``draft``,
    ``source_deleted`` (the fork is gone), ``source_branch`` (null), the times, ``title``, ``description``,
    ``merge_error`` (``[status, message]`` of every try to merge), ``unrelated_histories``.
    """
    state, body = current_state(request), await json_body(request)
    repository, pr = _find(state, workspace, repo_slug, number)
    for name, value in body.items():
        if name in ("author", "closed_by"):
            setattr(pr, name, _user(state, value) if value else None)
        elif name in ("created_on", "updated_on", "closed_on"):
            setattr(pr, name, _timestamp(value))
        elif name in ("state", "queued", "draft", "source_deleted", "title", "description"):
            setattr(pr, name, value)
        elif name == "source_branch":
            pr.source_branch = value or ""
        elif name == "merge_error":
            pr.merge_error = (value[0], value[1]) if value else None
        elif name == "unrelated_histories":
            for sha in pr.commits:
                kept = tuple(parent for parent in repository.commits[sha].parents if parent in pr.commits)
                repository.commits[sha].parents = kept
        else:
            raise ApiError(400, f"Cannot set {name!r}")
    return _shown(pr)


def _push(
    state: State,
    repository: Repository,
    pr: PullRequest,
    user: User,
    *,
    message: str = "More",
    files: dict[str, str] | None = None,
    at: datetime | None = None,
) -> None:
    _commit(state, repository, pr.source_branch, user, message, files or {f"{pr.source_branch}.txt": message}, at)
    actions.branch_moved(state, repository, pr.source_branch, user, at)


_ACTIONS: dict[str, Callable[..., Any]] = {
    "approve": reviews.approve,
    "unapprove": reviews.unapprove,
    "request_changes": reviews.request_changes,
    "withdraw_request": reviews.withdraw_request,
    "comment": reviews.comment,
    "push": _push,
    "edit": actions.edit,
    "merge": ends.merge,
    "decline": ends.decline,
}


def _happen(state: State, repository: Repository, pr: PullRequest, event: dict[str, Any]) -> None:
    event = dict(event)
    name = event.pop("do", None)
    if name not in _ACTIONS:
        raise ApiError(400, f"Event does {name!r}; expected one of {', '.join(_ACTIONS)}")
    user, at = event.pop("user", None), _timestamp(event.pop("at", None))
    if name == "edit" and "reviewers" in event:
        event["reviewers"] = [_user(state, one) for one in event["reviewers"]]
    _called(_ACTIONS[name], state, repository, pr, _user(state, user) if user else pr.author, at=at, **event)


def _called(action: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    try:
        return action(*arguments, **options)
    except TypeError as error:
        raise ApiError(400, str(error)) from error


def _commit(
    state: State,
    repository: Repository,
    branch: str,
    user: User,
    message: str,
    files: dict[str, str],
    at: datetime | None,
) -> None:
    tree = {path: text.encode() for path, text in files.items()}
    add_commit(state, repository, author=user, message=message, branch=branch, files=tree, at=at)


def _find(state: State, workspace: str, repo_slug: str, number: int) -> tuple[Repository, PullRequest]:
    repository = named_repository(state, f"{workspace}/{repo_slug}")
    if number not in repository.pull_requests:
        raise ApiError(404, f"{repository.full_name} has no pull request {number}")
    return repository, repository.pull_requests[number]


def _first_member(state: State, repository: Repository) -> User:
    return state.users[next(iter(repository.workspace.members))]


def _user(state: State, name: str) -> User:
    for user in state.users.values():
        if name in (user.nickname, user.uuid):
            return user
    raise ApiError(400, f"No user {name!r}; expected one of {', '.join(user.nickname for user in state.users.values())}")


def _timestamp(text: str | None) -> datetime | None:
    timestamp = datetime.fromisoformat(text) if text else None
    if timestamp and not timestamp.tzinfo:
        raise ApiError(400, f"{text} has no time zone; add +00:00")
    return timestamp


def _shown(pr: PullRequest) -> dict[str, Any]:
    return {"id": pr.id, "state": pr.state, "source_branch": pr.source_branch, "updated_on": pr.updated_on.isoformat()}
