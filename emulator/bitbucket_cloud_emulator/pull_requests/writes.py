"""Opening, changing, reviewing and ending pull requests."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Depends
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.bodies import read_body
from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.fields import Fields
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.core.wire import braces
from bitbucket_cloud_emulator.pull_requests import bodies, reviews
from bitbucket_cloud_emulator.pull_requests import service as actions
from bitbucket_cloud_emulator.pull_requests.merge import decline, enqueue, merge
from bitbucket_cloud_emulator.pull_requests.models import MergeTask
from bitbucket_cloud_emulator.pull_requests.target import (
    ONE,
    REPOSITORY,
    InRepository,
    Reading,
    Undoing,
    Writing,
    deleted,
    in_repository,
)
from bitbucket_cloud_emulator.pull_requests.timeline import refusal
from bitbucket_cloud_emulator.pull_requests.views import extras, full_json
from bitbucket_cloud_emulator.refs.pushes import branch_pushed, pull_request_opened
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.users.models import User
from bitbucket_cloud_emulator.users.views import participant_json

#: How long an asynchronous merge stays PENDING.
MERGE_TAKES = timedelta(seconds=1)

router = APIRouter(prefix=REPOSITORY)


@router.post("/pullrequests")
async def create(
    here: Annotated[InRepository, Depends(in_repository("read:pullrequest", "write:pullrequest"))],
) -> Response:
    """Open a pull request. Default reviewers are not added; an open one between the same branches is overwritten."""
    body = await read_body(here.request, bodies.Create)
    fork = body.source.repository
    made = actions.create(
        here.state,
        here.repository,
        author=here.user,
        title=body.title,
        description=body.description or "",
        source_branch=body.source.branch.name,
        destination_branch=_branch(body.destination),
        source_repository=find_repository(here.request, *fork.full_name.split("/")) if fork else None,
        reviewers=_reviewers(here.state, body.reviewers or []),
        draft=bool(body.draft),
        close_source_branch=bool(body.close_source_branch),
    )
    pull_request_opened(here.state, here.repository, made, here.user)
    location = f"{here.base}{here.request.url.path}/{made.id}"
    return here.answer(made, status=201, headers={"Location": location})


@router.put(ONE)
async def update(on: Writing) -> Response:
    """Change what is sent and leave the rest; an empty list of reviewers takes them away."""
    body = await read_body(on.request, bodies.Update)
    if on.state.settings.put_clears_what_is_not_sent:
        body = body.model_copy(update={"description": body.description or "", "reviewers": body.reviewers or []})
    actions.edit(
        on.state,
        on.repository,
        on.pr,
        on.user,
        title=body.title,
        description=body.description,
        reviewers=None if body.reviewers is None else _reviewers(on.state, body.reviewers),
        destination_branch=_branch(body.destination),
        draft=body.draft,
        close_source_branch=body.close_source_branch,
    )
    return on.answer(on.pr)


@router.post(f"{ONE}/merge")
async def merge_it(on: Writing) -> Response:
    """Merge, or put it into the merge queue; the answer to ``async=true`` has the address of the task."""
    body = await read_body(on.request, bodies.Merge)
    queue = on.state.settings.merge_queue
    later = queue == "202" if queue else on.request.query_params.get("async") == "true"
    task_id, task = on.state.uuid(), MergeTask(on.pr, on.state.clock.now() + MERGE_TAKES)
    try:
        (enqueue if queue else merge)(
            on.state,
            on.repository,
            on.pr,
            on.user,
            strategy=body.merge_strategy,
            message=body.message,
            close_source_branch=body.close_source_branch,
        )
        if not queue:
            branch_pushed(on.state, on.repository, on.pr.destination_branch, on.user)
    except ApiError as error:
        if not later:
            raise
        task.error = error
    if not later:
        return on.answer(on.pr, ended=not queue)
    on.state.merge_tasks[task_id] = task
    location = f"{on.base}{on.request.url.path}/task-status/{braces(task_id)}"
    return Response(status_code=202, headers={"Location": location})


@router.get(f"{ONE}/merge/task-status/{{task_id}}")
async def task_status(on: Reading, task_id: str) -> Response:
    """The state of an asynchronous merge. A task that does not exist stays PENDING."""
    task = on.state.merge_tasks.get(unquote(task_id))
    if task is None or task.pull_request is not on.pr or on.state.clock.now() < task.due:
        return json_response({"task_status": "PENDING"})
    if task.error:
        raise task.error
    shows = extras(Fields(None), listed=False, closed_on=True)
    result = full_json(on.repository, on.pr, on.base, shows, ended=True)
    return json_response({"task_status": "SUCCESS", "merge_result": result})


@router.post(f"{ONE}/decline")
async def decline_it(on: Writing) -> Response:
    """Decline, maybe with a reason."""
    reason = (await read_body(on.request, bodies.Decline)).message or ""
    return on.answer(decline(on.state, on.repository, on.pr, on.user, reason=reason), ended=True)


@router.post(f"{ONE}/approve")
async def approve(on: Writing) -> Response:
    """Approve, also one's own and a merged one."""
    if on.user.type == "app_user" and not on.state.settings.access_tokens_approve:
        raise ApiError(403, "Access tokens may not approve pull requests.")
    return json_response(participant_json(reviews.approve(on.state, on.repository, on.pr, on.user), on.base))


@router.delete(f"{ONE}/approve")
async def unapprove(on: Undoing) -> Response:
    """Withdraw an approval."""
    reviews.unapprove(on.state, on.repository, on.pr, on.user)
    return deleted()


@router.post(f"{ONE}/request-changes")
async def request_changes(on: Writing) -> Response:
    """Request changes; it replaces an approval."""
    return json_response(participant_json(reviews.request_changes(on.state, on.repository, on.pr, on.user), on.base))


@router.delete(f"{ONE}/request-changes")
async def withdraw_request(on: Undoing) -> Response:
    """Withdraw a request for changes."""
    reviews.withdraw_request(on.state, on.repository, on.pr, on.user)
    return deleted()


def _branch(destination: bodies.Destination | None) -> str | None:
    return destination.branch.name if destination and destination.branch else None


def _reviewers(state: State, wanted: list[bodies.Reviewer]) -> list[User]:
    """Find reviewers by uuid or account id. One that is unknown, or named by nickname only, refuses the whole list."""
    by_account = {user.account_id: user for user in state.users.values() if user.account_id}
    found = [state.users.get(one.uuid) or by_account.get(one.account_id) for one in wanted]
    if None in found:
        raise refusal("reviewers", "Malformed reviewers list")
    return [user for user in found if user]
