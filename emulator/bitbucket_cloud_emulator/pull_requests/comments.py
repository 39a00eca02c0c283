"""Comments and tasks of pull requests."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.http import json_body
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.pull_requests import reviews
from bitbucket_cloud_emulator.pull_requests.models import Comment, Task
from bitbucket_cloud_emulator.pull_requests.target import (
    ONE,
    REPOSITORY,
    OnPullRequest,
    Reading,
    deleted,
)
from bitbucket_cloud_emulator.pull_requests.views import comment_json, resolution_json, task_json

router = APIRouter(prefix=REPOSITORY)

_COMMENTS = f"{ONE}/comments"
_COMMENT = f"{_COMMENTS}/{{comment_id}}"
_TASKS = f"{ONE}/tasks"
_TASK = f"{_TASKS}/{{task_id}}"


@router.get(_COMMENTS)
async def comments(on: Reading) -> Response:
    """Comments, oldest first: deleted ones empty, pending ones for their author only."""
    visible = [one for one in on.pr.comments.values() if not one.pending or one.user is on.user]
    return page(on.request, visible, lambda one: _shown(on, one), q_fields=None, sort_fields=None)


@router.post(_COMMENTS)
async def add_comment(on: Reading) -> Response:
    """Comment."""
    body = await _checked(on, "content", "inline", "parent", "pending")
    made = reviews.comment(
        on.state,
        on.repository,
        on.pr,
        on.user,
        _text(body),
        inline=body.get("inline"),
        parent=(body.get("parent") or {}).get("id"),
        pending=body.get("pending", False),
    )
    shown = _shown(on, made)
    return json_response(shown, 201, {"Location": shown["links"]["self"]["href"]})


@router.get(_COMMENT)
async def comment(on: Reading, comment_id: str) -> Response:
    """A comment."""
    return json_response(_shown(on, _comment(on, comment_id)))


@router.put(_COMMENT)
async def edit_comment(on: Reading, comment_id: str) -> Response:
    """Change the text, or publish a pending comment."""
    body = await _checked(on, "content", "inline", "parent", "pending")
    found, now = _comment(on, comment_id), on.state.clock.now()
    if "content" in body:
        reviews.edit_comment(on.pr, found, _text(body), now)
    if found.pending and body.get("pending") is False:
        reviews.publish(on.repository, on.pr, found, now)
    return json_response(_shown(on, found))


@router.delete(_COMMENT)
async def delete_comment(on: Reading, comment_id: str) -> Response:
    """Delete a comment: it stays in lists, empty."""
    reviews.delete_comment(on.state, on.pr, _comment(on, comment_id))
    return deleted()


@router.post(f"{_COMMENT}/resolve")
async def resolve(on: Reading, comment_id: str) -> Response:
    """Close the discussion under a comment."""
    found = _comment(on, comment_id)
    if found.resolved_on:
        raise ApiError(409, "This comment is already resolved.")
    found.resolved_by, found.resolved_on = on.user, on.state.clock.now()
    return json_response(resolution_json(found, on.base))


@router.delete(f"{_COMMENT}/resolve")
async def reopen(on: Reading, comment_id: str) -> Response:
    """Open the discussion again."""
    found = _comment(on, comment_id)
    found.resolved_by = found.resolved_on = None
    return deleted()


@router.get(_TASKS)
async def tasks(on: Reading) -> Response:
    """Tasks, oldest first."""
    return page(on.request, list(on.pr.tasks.values()), lambda one: _shown_task(on, one), q_fields=None, sort_fields=None)


@router.post(_TASKS)
async def add_task(on: Reading) -> Response:
    """Add a task, maybe to a comment."""
    body = await _checked(on, "content", "comment", "pending")
    below = (body.get("comment") or {}).get("id")
    if below is not None:
        _comment(on, str(below))
    made = reviews.add_task(on.state, on.pr, on.user, _text(body), comment=below, pending=body.get("pending", False))
    shown = _shown_task(on, made)
    return json_response(shown, 201, {"Location": shown["links"]["self"]["href"]})


@router.get(_TASK)
async def task(on: Reading, task_id: str) -> Response:
    """A task."""
    return json_response(_shown_task(on, _task(on, task_id)))


@router.put(_TASK)
async def update_task(on: Reading, task_id: str) -> Response:
    """Change the text, or say that it is done, or not yet."""
    body = await _checked(on, "content", "state")
    found = _task(on, task_id)
    if "content" in body:
        found.raw = _text(body)
    if body.get("state") in ("RESOLVED", "UNRESOLVED"):
        reviews.settle_task(on.state, on.pr, found, on.user, done=body["state"] == "RESOLVED")
    return json_response(_shown_task(on, found))


@router.delete(_TASK)
async def delete_task(on: Reading, task_id: str) -> Response:
    """Delete a task."""
    del on.pr.tasks[_task(on, task_id).id]
    return deleted()


def _shown(on: OnPullRequest, comment: Comment) -> dict[str, Any]:
    return comment_json(on.repository, on.pr, comment, on.base)


def _shown_task(on: OnPullRequest, task: Task) -> dict[str, Any]:
    return task_json(on.repository, on.pr, task, on.base)


async def _checked(on: OnPullRequest, *known: str) -> dict[str, Any]:
    """Return the body. Keys that do not belong there are refused, even ``type``."""
    body = await json_body(on.request)
    if extra := sorted(set(body) - set(known)):
        raise ApiError(400, "Bad request", fields=dict.fromkeys(extra, "extra keys not allowed"))
    return body


def _text(body: dict[str, Any]) -> str:
    text = (body.get("content") or {}).get("raw")
    if not isinstance(text, str) or not text:
        raise ApiError(400, "Bad request", fields={"content": "required key not provided"})
    return text


def _comment(on: OnPullRequest, comment_id: str) -> Comment:
    found = on.pr.comments.get(int(comment_id)) if comment_id.isdecimal() else None
    if found is None or (found.pending and found.user is not on.user):
        raise ApiError(404, comment_id)  # no more is said
    return found


def _task(on: OnPullRequest, task_id: str) -> Task:
    found = on.pr.tasks.get(int(task_id)) if task_id.isdecimal() else None
    if found is None:
        raise ApiError(404, f"Task {task_id} not found")
    return found
