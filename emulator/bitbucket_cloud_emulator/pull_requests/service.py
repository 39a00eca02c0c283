"""Actions of authors: open, push to and edit pull requests.

Reviewing is in ``reviews``, merging and declining in ``merge``. Each action writes all that
Bitbucket writes with it: participants, ``updated_on``, commits, diffstat and the timeline. The routes and the seeds both
come through here, so a seeded pull request has everything that a real one has. ``at`` is the time of the action, by default now.
Refusals are raised as :class:`ApiError` with Bitbucket's message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bitbucket_cloud_emulator.commits.diffs import diffstat as tree_diffstat
from bitbucket_cloud_emulator.commits.graph import Divergence, divergence
from bitbucket_cloud_emulator.commits.models import Commit
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.pull_requests.models import PullRequest
from bitbucket_cloud_emulator.pull_requests.timeline import log_update, refusal, take_part
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.users.models import Participant, User

#: Opening writes two ``update`` entries this far apart (recorded on the live API, 2024-09).
OPENING_TAKES = timedelta(milliseconds=100)
Rows = Sequence[Mapping[str, Any]]


def create(
    state: State,
    repository: Repository,
    *,
    author: User | None,
    title: str,
    source_branch: str,
    destination_branch: str | None = None,
    description: str = "",
    reviewers: Iterable[User] = (),
    draft: bool = False,
    close_source_branch: bool = False,
    source_repository: Repository | None = None,
    commits: Sequence[Commit] | None = None,
    diffstat: Rows | None = None,
    at: datetime | None = None,
) -> PullRequest:
    """Open a pull request; an open one with the same source and destination is overwritten, as Bitbucket does.

    :param destination_branch: by default the main branch
    :param source_repository: the fork, when it comes from one
    :param commits: its commits, newest first; by default found in the graph. If given, there must be no other
        open pull request between the same branches
    :param diffstat: rows of :func:`diffs.diffstat`; by default counted from the trees
    :param at: when; by default such that its second update is now
    """
    fork = source_repository or repository
    destination_branch = destination_branch or repository.mainbranch or ""
    for field, branch, where in (("source", source_branch, fork), ("destination", destination_branch, repository)):
        if branch not in where.branches:
            raise refusal(field, f"branch not found: {branch}")
    wanted = _reviewers(repository, author, reviewers)
    repository.commits.update(fork.commits if fork is not repository else {})  # git fetches them
    source, destination = fork.branches[source_branch], repository.branches[destination_branch]
    known = None if commits is not None else _open_between(repository, fork, source_branch, destination_branch)
    if known:
        return edit(state, repository, known, author, title=title, description=description, reviewers=wanted, draft=draft, at=at)
    if commits is None:
        apart = divergence(repository, source, destination)
        if not apart.own:
            raise ApiError(400, "There are no changes to be pulled")
        commits, rows = apart.own, _rows(repository, apart, source)
    else:
        rows = []
    opened = at or state.clock.now() - OPENING_TAKES
    pr = PullRequest(
        id=next(reversed(repository.pull_requests), 0) + 1,
        title=title,
        description=description,
        author=author,
        source_branch=source_branch,
        source_hash=source,
        destination_branch=destination_branch,
        destination_hash=destination,
        created_on=opened,
        updated_on=opened,
        draft=draft,
        source_repository=fork if fork is not repository else None,
        close_source_branch=close_source_branch,
        reviewers=wanted,
        participants={user.uuid: Participant(user, "REVIEWER") for user in wanted},
        commits=[commit.hash for commit in commits],
        diffstat=[dict(row) for row in (rows if diffstat is None else diffstat)],
    )
    repository.pull_requests[pr.id] = pr
    log_update(repository, pr, author, opened)
    log_update(repository, pr, author, opened + OPENING_TAKES)
    return pr


def branch_moved(state: State, repository: Repository, branch: str, author: User | None, at: datetime | None = None) -> None:
    """Bring the open pull requests of a branch up to its new head."""
    for fork, pr in [(one, pr) for one in state.repositories() for pr in one.pull_requests.values()]:
        if pr.state == "OPEN" and pr.source_branch == branch and (pr.source_repository or fork) is repository:
            fork.commits.update(repository.commits if fork is not repository else {})
            head, there = repository.branches[branch], fork.branches.get(pr.destination_branch, pr.destination_hash)
            if head != pr.source_hash:
                apart = divergence(fork, head, there)
                pr.destination_hash = there
                _pushed(state, fork, pr, author, apart.own, _rows(fork, apart, head), at)


def push(
    state: State,
    repository: Repository,
    pr: PullRequest,
    *,
    author: User | None,
    commits: Sequence[Commit],
    diffstat: Rows | None = None,
    at: datetime | None = None,
) -> None:
    """Push commits (already in the repository, newest first) to an open pull request and move its branch.

    :param diffstat: the rows of the whole pull request from now on; None leaves them
    """
    (pr.source_repository or repository).branches[pr.source_branch] = commits[0].hash
    own = [*commits, *(repository.commits[sha] for sha in pr.commits)]
    _pushed(state, repository, pr, author, own, pr.diffstat if diffstat is None else diffstat, at)


def edit(
    state: State,
    repository: Repository,
    pr: PullRequest,
    user: User | None,
    *,
    title: str | None = None,
    description: str | None = None,
    reviewers: Iterable[User] | None = None,
    destination_branch: str | None = None,
    draft: bool | None = None,
    close_source_branch: bool | None = None,
    at: datetime | None = None,
) -> PullRequest:
    """Change an open pull request; None leaves a field as it is. The changes are added to the timeline."""
    if pr.state != "OPEN":
        raise ApiError(400, "Can only update an open pull request.")
    wanted = None if reviewers is None else _reviewers(repository, pr.author, reviewers)
    changes: dict[str, Any] = {}
    if destination_branch is not None and destination_branch != pr.destination_branch:
        if destination_branch not in repository.branches:
            raise refusal("destination", f"branch not found: {destination_branch}")
        changes["destination"] = {"old": pr.destination_branch, "new": destination_branch}
        pr.destination_branch, pr.destination_hash = destination_branch, repository.branches[destination_branch]
        apart = divergence(repository, pr.source_hash, pr.destination_hash)
        pr.commits, pr.diffstat = [one.hash for one in apart.own], _rows(repository, apart, pr.source_hash)
    for name, value in (("title", title), ("description", description), ("draft", draft)):
        if value is not None and value != getattr(pr, name):
            changes[name] = {"old": getattr(pr, name), "new": value}
            setattr(pr, name, value)
    if wanted is not None and {one.uuid for one in wanted} != {one.uuid for one in pr.reviewers}:
        changes["reviewers"] = _change_reviewers(pr, wanted)
    if close_source_branch is not None:
        pr.close_source_branch = close_source_branch
    if changes:
        log_update(repository, pr, user, at or state.clock.now(), changes)
    return pr


def set_draft(
    state: State, repository: Repository, pr: PullRequest, user: User | None, draft: bool, at: datetime | None = None
) -> None:
    """Make it a draft, or mark it as ready."""
    edit(state, repository, pr, user, draft=draft, at=at)


def _reviewers(repository: Repository, author: User | None, users: Iterable[User]) -> list[User]:
    wanted = list({user.uuid: user for user in users}.values())
    for user in wanted:
        if user is author:
            problem = f"{user.display_name} is the author and cannot be included as a reviewer."
        elif user.uuid not in repository.workspace.members:
            problem = f"{user.display_name} is not a member of this workspace and cannot be added to this pull request"
        else:
            continue
        raise refusal("reviewers", problem)
    return wanted


def _open_between(repository: Repository, fork: Repository, source: str, destination: str) -> PullRequest | None:
    wanted = ("OPEN", source, destination, fork)
    for pr in reversed(repository.pull_requests.values()):
        if (pr.state, pr.source_branch, pr.destination_branch, pr.source_repository or repository) == wanted:
            return pr
    return None


def _rows(repository: Repository, apart: Divergence, head: str) -> list[dict[str, Any]]:
    return tree_diffstat(apart.base.files if apart.base else {}, repository.commits[head].files)


def _pushed(
    state: State,
    repository: Repository,
    pr: PullRequest,
    author: User | None,
    own: Sequence[Commit],
    rows: Rows,
    at: datetime | None,
) -> None:
    pr.source_hash = (pr.source_repository or repository).branches[pr.source_branch]
    pr.commits = [commit.hash for commit in own]
    pr.diffstat = [dict(row) for row in rows]
    log_update(repository, pr, author, at or state.clock.now())


def _change_reviewers(pr: PullRequest, wanted: list[User]) -> dict[str, list[User]]:
    before, after = {one.uuid: one for one in pr.reviewers}, {one.uuid: one for one in wanted}
    for uuid in before.keys() - after.keys():
        gone = pr.participants[uuid]
        if gone.participated_on is None:
            del pr.participants[uuid]
        else:
            gone.role = "PARTICIPANT"
    for user in wanted:
        take_part(pr, user).role = "REVIEWER"
    pr.reviewers = wanted
    return {
        "added": [user for uuid, user in after.items() if uuid not in before],
        "removed": [user for uuid, user in before.items() if uuid not in after],
    }
