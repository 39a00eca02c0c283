"""Actions of reviewers: approve, request changes, comment, add tasks. Each writes everything that Bitbucket writes with it.

``at`` is the time of the action, by default now. Refusals are raised as :class:`ApiError` with Bitbucket's message.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.pull_requests.models import Activity, Comment, PullRequest, Task
from bitbucket_cloud_emulator.pull_requests.timeline import closed, log, refusal, take_part, touch
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.users.models import Participant, User

#: An unedited comment has an ``updated_on`` that differs by microseconds (recorded on the live API, 2024-09).
COMMENT_WRITTEN = timedelta(microseconds=82)
_FIRST_COMMENT = 538_893_000


def approve(state: State, repository: Repository, pr: PullRequest, user: User, at: datetime | None = None) -> Participant:
    """Approve, also one's own or a merged pull request. It replaces a request for changes of the same person."""
    return _review(state, repository, pr, user, "approved", at)


def request_changes(state: State, repository: Repository, pr: PullRequest, user: User, at: datetime | None = None) -> Participant:
    """Request changes. It replaces an approval of the same person."""
    if pr.state != "OPEN":
        raise closed()
    return _review(state, repository, pr, user, "changes_requested", at)


def unapprove(state: State, repository: Repository, pr: PullRequest, user: User, at: datetime | None = None) -> None:
    """Withdraw an approval: its timeline entry is removed."""
    if pr.state == "MERGED":
        raise ApiError(
            400, "You can't remove your approval from a merged pull request.", data={"key": "CANNOT_UNAPPROVED_MERGED_PR"}
        )
    _withdraw(state, repository, pr, user, "approved", "You haven't approved this pull request.", at)


def withdraw_request(state: State, repository: Repository, pr: PullRequest, user: User, at: datetime | None = None) -> None:
    """Withdraw a request for changes."""
    if pr.state != "OPEN":
        raise closed()
    _withdraw(state, repository, pr, user, "changes_requested", "You haven't requested changes on this pull request.", at)


def comment(
    state: State,
    repository: Repository,
    pr: PullRequest,
    user: User | None,
    text: str,
    *,
    inline: dict[str, Any] | None = None,
    parent: int | None = None,
    pending: bool = False,
    at: datetime | None = None,
) -> Comment:
    """Comment, also after the end.

    :param inline: ``{"path": "a.py", "to": 10}``; positions are not checked
    :param parent: id of the comment it answers
    :param pending: not published yet, so only its author sees it
    """
    if parent is not None and (parent not in pr.comments or pr.comments[parent].deleted):
        raise refusal("parent", "Invalid parent ID", prefix=False)
    now = at or state.clock.now()
    made = Comment(
        _FIRST_COMMENT + state.number("comment"), user, text, now, now + COMMENT_WRITTEN, False, pending, parent, inline
    )
    pr.comments[made.id] = made
    if not pending:
        publish(repository, pr, made, now)
    return made


def publish(repository: Repository, pr: PullRequest, made: Comment, at: datetime) -> None:
    """Publish a comment: it enters the timeline and makes its author a participant."""
    made.pending = False
    if made.user:
        take_part(pr, made.user).participated_on = at
    log(repository, pr, Activity("comment", made.created_on, made.user, {"id": made.id}))
    touch(pr, at)


def edit_comment(pr: PullRequest, made: Comment, text: str, at: datetime) -> None:
    """Change the text of a comment."""
    made.raw, made.updated_on = text, at
    touch(pr, at)


def delete_comment(state: State, pr: PullRequest, made: Comment, at: datetime | None = None) -> None:
    """Delete a comment: it stays where it is, empty."""
    made.deleted, made.raw = True, ""
    made.updated_on = at or state.clock.now()
    touch(pr, made.updated_on)


def add_task(
    state: State,
    pr: PullRequest,
    user: User | None,
    text: str,
    *,
    comment: int | None = None,
    pending: bool = False,
    at: datetime | None = None,
) -> Task:
    """Add a task, maybe to a comment."""
    now = at or state.clock.now()
    task = Task(state.number("task"), text, user, now, now, comment, pending)
    pr.tasks[task.id] = task
    touch(pr, now)
    return task


def settle_task(
    state: State, pr: PullRequest, task: Task, user: User | None, *, done: bool = True, at: datetime | None = None
) -> None:
    """Resolve or reopen a task."""
    task.updated_on = at or state.clock.now()
    task.resolved_on, task.resolved_by = (task.updated_on, user) if done else (None, None)
    touch(pr, task.updated_on)


_ENTRY = {"approved": "approval", "changes_requested": "changes_requested"}


def _review(state: State, repository: Repository, pr: PullRequest, user: User, verdict: str, at: datetime | None) -> Participant:
    now = at or state.clock.now()
    participant = take_part(pr, user)
    if participant.state != verdict:
        _forget_review(repository, pr, user)
        log(repository, pr, Activity(_ENTRY[verdict], now, user))
    participant.state, participant.approved, participant.participated_on = verdict, verdict == "approved", now
    if state.settings.approvals_move_updated_on:
        touch(pr, now)
    return participant


def _withdraw(
    state: State, repository: Repository, pr: PullRequest, user: User, verdict: str, otherwise: str, at: datetime | None
) -> None:
    participant = pr.participants.get(user.uuid)
    if participant is None or participant.state != verdict:
        raise ApiError(404, otherwise)
    _forget_review(repository, pr, user)
    participant.state, participant.approved = None, False
    if state.settings.approvals_move_updated_on:
        touch(pr, at or state.clock.now())


def _forget_review(repository: Repository, pr: PullRequest, user: User) -> None:
    """Only the current verdict of a person is in the timeline."""
    pr.activity = [one for one in pr.activity if not (one.kind in _ENTRY.values() and one.user is user)]
    repository.feed_version += 1
