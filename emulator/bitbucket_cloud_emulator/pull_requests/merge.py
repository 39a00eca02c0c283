"""Merge pull requests, with one of six strategies, or decline them."""

from __future__ import annotations

from datetime import datetime, timedelta

from bitbucket_cloud_emulator.commits.diffs import conflicts, replay
from bitbucket_cloud_emulator.commits.graph import add_commit, is_ancestor, parting
from bitbucket_cloud_emulator.commits.models import Commit
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.pull_requests.models import PullRequest, QueueEntry
from bitbucket_cloud_emulator.pull_requests.timeline import closed, log_update, refusal
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.users.models import User

STRATEGIES = ("merge_commit", "squash", "fast_forward", "squash_fast_forward", "rebase_fast_forward", "rebase_merge")
CONFLICTS = "You can't merge until you resolve all merge conflicts."
DRAFT = "You can't merge a draft pull request."  # refused by Bitbucket; its words are not recorded
NO_FAST_FORWARD = "Unable to fast forward due to changes in the destination branch."
_LONGEST_MESSAGE = 128 * 1024


def merge(
    state: State,
    repository: Repository,
    pr: PullRequest,
    user: User | None,
    *,
    strategy: str | None = None,
    message: str | None = None,
    close_source_branch: bool | None = None,
    at: datetime | None = None,
) -> PullRequest:
    """Merge.

    :param strategy: one of :data:`STRATEGIES`; by default the repository's first
    :param message: of the new commit; by default Bitbucket's own
    :param close_source_branch: delete the source branch; by default the pull request's setting
    """
    if pr.state != "OPEN":
        raise closed()
    strategy = strategy or repository.merge_strategies[0]
    if strategy not in repository.merge_strategies:
        raise refusal("merge_strategy", f"Merge strategy '{strategy}' is not allowed for the destination branch.")
    if message and len(message.encode()) > _LONGEST_MESSAGE:
        raise refusal("message", "The commit message is larger than 128 KiB.")
    if problem := obstacle(repository, pr):
        raise problem
    now = at or state.clock.now()
    pr.destination_hash = repository.branches[pr.destination_branch]
    pr.merge_hash = _join(state, repository, pr, user, strategy, message or _message(pr), now)
    repository.branches[pr.destination_branch] = pr.merge_hash
    repository.updated_on = max(repository.updated_on, now)
    _end(repository, pr, user, "MERGED", now)
    if close_source_branch if close_source_branch is not None else pr.close_source_branch:
        (pr.source_repository or repository).branches.pop(pr.source_branch, None)
    return pr


def enqueue(
    state: State,
    repository: Repository,
    pr: PullRequest,
    user: User | None,
    *,
    strategy: str | None = None,
    message: str | None = None,
    close_source_branch: bool | None = None,
) -> PullRequest:
    """Put an open pull request into the merge queue of its destination, or leave it there."""
    if pr.state != "OPEN":
        raise closed()
    if problem := obstacle(repository, pr):
        raise problem
    if pr.queue_entry is None:
        due = state.clock.now() + timedelta(seconds=state.settings.merge_queue_seconds)
        pr.queued, pr.queue_entry = True, QueueEntry(due, user, strategy, message, close_source_branch)
    return pr


def settle_queue(state: State, repository: Repository, pr: PullRequest) -> None:
    """Merge a pull request whose build in the merge queue has ended, or remove it from the queue."""
    entry = pr.queue_entry
    if entry is None or state.clock.now() < entry.due:
        return
    pr.queued, pr.queue_entry = False, None
    if pr.state == "OPEN" and not state.settings.merge_queue_fails and not obstacle(repository, pr):
        merge(
            state,
            repository,
            pr,
            entry.user,
            strategy=entry.strategy,
            message=entry.message,
            close_source_branch=entry.close_source_branch,
            at=entry.due,
        )


def decline(
    state: State, repository: Repository, pr: PullRequest, user: User | None, *, reason: str = "", at: datetime | None = None
) -> PullRequest:
    """Decline; it cannot be reopened."""
    if pr.state != "OPEN":
        raise closed()
    pr.reason = reason
    _end(repository, pr, user, "DECLINED", at or state.clock.now())
    return pr


def obstacle(repository: Repository, pr: PullRequest) -> ApiError | None:
    """Return what blocks the merge of an open pull request with any strategy, None if nothing does."""
    if pr.merge_error:
        return ApiError(*pr.merge_error)
    if pr.destination_branch not in repository.branches:
        return refusal("destination", f"branch not found: {pr.destination_branch}")
    if pr.draft:
        return ApiError(400, DRAFT)
    if collisions(repository, pr):
        return ApiError(400, CONFLICTS)
    return None


def collisions(repository: Repository, pr: PullRequest) -> list[str]:
    """Return the paths with merge conflicts."""
    head = repository.branches.get(pr.destination_branch, pr.destination_hash)
    base = _base(repository, pr)
    return conflicts(base.files if base else {}, repository.commits[head].files, repository.commits[pr.source_hash].files)


def _end(repository: Repository, pr: PullRequest, user: User | None, state: str, at: datetime) -> None:
    # The timeline has open, fulfilled and rejected for OPEN, MERGED and DECLINED.
    pr.state, pr.closed_on, pr.closed_by, pr.queued = state, at, user, False
    new = "fulfilled" if state == "MERGED" else "rejected"
    log_update(repository, pr, user, at, {"status": {"old": "open", "new": new}})


def _message(pr: PullRequest) -> str:
    return f"Merged in {pr.source_branch} (pull request #{pr.id})\n\n{pr.title}"


def _base(repository: Repository, pr: PullRequest) -> Commit | None:
    return parting(repository, [repository.commits[sha] for sha in pr.commits])


def _join(
    state: State, repository: Repository, pr: PullRequest, user: User | None, strategy: str, message: str, at: datetime
) -> str:
    """Merge the source into the destination and return the destination's new hash."""
    there, source = repository.commits[pr.destination_hash], repository.commits[pr.source_hash]
    base = _base(repository, pr)
    if strategy in ("fast_forward", "squash_fast_forward") and not is_ancestor(repository, there.hash, source.hash):
        raise ApiError(400, NO_FAST_FORWARD)
    if strategy == "fast_forward":
        return source.hash
    tip = there
    if strategy.startswith("rebase"):
        before = base
        for sha in reversed(pr.commits):
            commit = repository.commits[sha]
            tip = _copy(state, repository, commit, before, tip, at)
            before = commit
        if strategy == "rebase_fast_forward":
            return tip.hash
        source = tip
    tree = replay(base.files if base else {}, repository.commits[pr.source_hash].files, there.files)
    parents = (there.hash,) if strategy.startswith("squash") else (there.hash, source.hash)
    merged = add_commit(state, repository, author=user, message=message, at=at, parents=parents)
    merged.files = tree
    return merged.hash


def _copy(state: State, repository: Repository, commit: Commit, before: Commit | None, onto: Commit, at: datetime) -> Commit:
    """Make the change of a commit again on top of another."""
    made = add_commit(state, repository, author=commit.author, message=commit.message, at=at, parents=(onto.hash,))
    made.author_raw, made.files = commit.author_raw, replay(before.files if before else {}, commit.files, onto.files)
    return made
