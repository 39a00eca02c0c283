"""Comments and tasks of pull requests."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.bodies import Model, json_object, validate
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.core.wire import number
from bitbucket_cloud_emulator.pull_requests import bodies, reviews
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
    body = await _read(on, bodies.CommentBody)
    made = reviews.comment(
        on.state,
        on.repository,
        on.pr,
        on.user,
        _text(body.content),
        inline=body.inline.record() if body.inline else None,
        parent=body.parent.id if body.parent else None,
        pending=body.pending,
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
    body = await _read(on, bodies.CommentBody)
    found, now = _comment(on, comment_id), on.state.clock.now()
    if found.user is not on.user:
        raise ApiError(403, "You do not have permission to edit this comment.")  # its words are not recorded
    text = _text(body.content) if "content" in body.model_fields_set else None
    if text is not None:
        reviews.edit_comment(on.pr, found, text, now)
    if found.pending and "pending" in body.model_fields_set and not body.pending:
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
    found = _discussion(on, comment_id)
    if found.resolved_on:
        raise ApiError(409, "This comment is already resolved.")
    found.resolved_by, found.resolved_on = on.user, on.state.clock.now()
    return json_response(resolution_json(found, on.base))


@router.delete(f"{_COMMENT}/resolve")
async def reopen(on: Reading, comment_id: str) -> Response:
    """Open the discussion again."""
    found = _discussion(on, comment_id)
    if not found.resolved_on:
        raise ApiError(404, "This comment is not resolved.")
    found.resolved_by = found.resolved_on = None
    return deleted()


@router.get(_TASKS)
async def tasks(on: Reading) -> Response:
    """Tasks, oldest first."""
    return page(on.request, list(on.pr.tasks.values()), lambda one: _shown_task(on, one), q_fields=None, sort_fields=None)


@router.post(_TASKS)
async def add_task(on: Reading) -> Response:
    """Add a task, maybe to a comment."""
    body = await _read(on, bodies.TaskBody)
    parent = body.comment.id if body.comment else None
    if parent is not None:
        _comment(on, str(parent))
    made = reviews.add_task(on.state, on.pr, on.user, _text(body.content), comment=parent, pending=body.pending)
    shown = _shown_task(on, made)
    return json_response(shown, 201, {"Location": shown["links"]["self"]["href"]})


@router.get(_TASK)
async def task(on: Reading, task_id: str) -> Response:
    """A task."""
    return json_response(_shown_task(on, _task(on, task_id)))


@router.put(_TASK)
async def update_task(on: Reading, task_id: str) -> Response:
    """Change the text, resolve or reopen a task."""
    body = await _read(on, bodies.TaskUpdate)
    found = _task(on, task_id)
    if "content" in body.model_fields_set:
        found.raw = _text(body.content)
    if body.state:
        reviews.settle_task(on.state, on.pr, found, on.user, done=body.state == "RESOLVED")
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


async def _read(on: OnPullRequest, model: type[Model]) -> Model:
    """Return the body. Unknown keys are refused, even ``type``."""
    body = await json_object(on.request)
    if extra := sorted(set(body) - set(model.model_fields)):
        raise ApiError(400, "Bad request", fields=dict.fromkeys(extra, "extra keys not allowed"))
    return validate(body, model)


def _text(content: bodies.Content | None) -> str:
    if content is None or not content.raw:
        raise ApiError(400, "Bad request", fields={"content": "required key not provided"})
    return content.raw


def _comment(on: OnPullRequest, comment_id: str) -> Comment:
    found = on.pr.comments.get(number(comment_id) or 0)
    if found is None or (found.pending and found.user is not on.user):
        raise ApiError(404, comment_id)  # the whole message
    return found


def _discussion(on: OnPullRequest, comment_id: str) -> Comment:
    """Return a comment that can be resolved: one on the diff that begins a discussion, as the specification has it."""
    found = _comment(on, comment_id)
    if found.parent is not None or found.inline is None:
        raise ApiError(403, "Only comments on the diff that begin a discussion can be resolved.")
    return found


def _task(on: OnPullRequest, task_id: str) -> Task:
    found = on.pr.tasks.get(number(task_id) or 0)
    if found is None:
        raise ApiError(404, f"Task {task_id} not found")
    return found
