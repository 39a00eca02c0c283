"""Many pull requests, all of the same measure, to see what reading them costs.

Each has 12 entries in its timeline (two of its opening, three pushes, four comments, two approvals, its end), 4 comments,
5 commits and 8 changed files. They are spread over the year before the clock's start; those that had no time to end are open.
"""

from __future__ import annotations

import heapq
from datetime import timedelta
from typing import Any

from bitbucket_cloud_emulator.commits.graph import add_commit
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.pull_requests import service as actions
from bitbucket_cloud_emulator.pull_requests.merge import decline, merge
from bitbucket_cloud_emulator.pull_requests.models import PullRequest
from bitbucket_cloud_emulator.pull_requests.reviews import approve, comment
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.seeds.common import add_repository, add_user, add_workspace, join
from bitbucket_cloud_emulator.users.models import User

_NAMES = ["Ada", "Bo", "Cleo", "Dana", "Emil", "Finn", "Gina", "Hugo", "Iris", "Jan", "Kim", "Lea"]
_SPAN = timedelta(days=365)
_DECLINED = 0.08
_WORDS = ("Add", "Fix", "Refactor", "Remove", "Speed up", "Document")
_THINGS = ("login", "checkout", "search", "invoices", "the importer", "retries", "caching", "the build")


def plant(state: State, *, pull_requests: int = 5000, repositories: int = 1) -> None:
    """Plant the seed.

    :param pull_requests: how many there are in all
    :param repositories: in how many repositories: ``api``, ``service-2``, ``service-3``, ...
    """
    since = state.clock.start - _SPAN - timedelta(days=1)
    people = [add_user(state, f"{name} Large", since=since) for name in _NAMES]
    workspace = add_workspace(state, people[0])
    join(state, workspace, people[1:])
    for number in range(repositories):
        slug = f"service-{number + 1}" if number else "api"
        repository = add_repository(state, workspace, slug, since=since, by=people[0])
        _fill(state, repository, people, pull_requests // repositories + (number < pull_requests % repositories))


def _fill(state: State, repository: Repository, people: list[User], count: int) -> None:
    """Open pull requests and end them, both in the order of time, so that the main branch grows as it would."""
    begin = state.clock.start - _SPAN
    ends: list[tuple[float, int]] = []
    for number in range(count):
        opened = begin + _SPAN * ((number + state.random.random()) / count)
        _end_until(state, repository, ends, opened.timestamp())
        lives = timedelta(hours=min(state.random.lognormvariate(3.0, 1.0), 24 * 14))
        pr = _open(state, repository, people, opened, lives)
        heapq.heappush(ends, ((opened + lives).timestamp(), pr.id))
    _end_until(state, repository, ends, state.clock.start.timestamp())
    for _, number in ends:  # still open; they have had as much attention
        pr = repository.pull_requests[number]
        actions.edit(state, repository, pr, pr.author, title=f"{pr.title}, again", at=state.clock.start)


def _open(state: State, repository: Repository, people: list[User], opened: Any, lives: timedelta) -> PullRequest:
    """Open a pull request and let all happen to it but its end."""
    chosen = state.random.sample(people, 3)
    author, reviewers = chosen[0], chosen[1:]
    title = f"{state.random.choice(_WORDS)} {state.random.choice(_THINGS)}"
    branch = f"feature/{len(repository.pull_requests) + 1}"
    left = min(lives, state.clock.start - opened)
    repository.branches[branch] = repository.branches[repository.mainbranch or "main"]

    def commit(share: float) -> Any:
        when = opened + left * share
        return add_commit(state, repository, author=author, message=title, branch=branch, at=when)

    first = [commit(0.0), commit(0.0)]
    pr = actions.create(
        state,
        repository,
        author=author,
        title=title,
        description=f"{title}, because it was time to.",
        source_branch=branch,
        reviewers=reviewers,
        close_source_branch=True,
        commits=first[::-1],
        diffstat=_diffstat(state),
        at=opened,
    )
    for part, user in enumerate((reviewers[0], author, reviewers[1], reviewers[0])):
        at = opened + left * (0.15 + 0.2 * part)
        comment(state, repository, pr, user, f"Remark {part + 1}", at=at, parent=next(iter(pr.comments), None))
        if part < 3:
            share = 0.2 + 0.2 * part
            actions.push(state, repository, pr, author=author, commits=[commit(share)], at=opened + left * share)
    for part, user in enumerate(reviewers):
        approve(state, repository, pr, user, at=opened + left * (0.8 + 0.1 * part))
    return pr


def _end_until(state: State, repository: Repository, ends: list[tuple[float, int]], until: float) -> None:
    while ends and ends[0][0] <= until:
        at, number = heapq.heappop(ends)
        pr = repository.pull_requests[number]
        user = state.random.choice([pr.author, *pr.reviewers])
        when = pr.created_on + timedelta(seconds=at - pr.created_on.timestamp())
        if state.random.random() < _DECLINED:
            decline(state, repository, pr, user, reason="Not needed any more", at=when)
        else:
            merge(state, repository, pr, user, at=when)


def _diffstat(state: State) -> list[dict[str, Any]]:
    folder = state.random.randrange(1000)
    return [
        {
            "path": f"src/part_{folder}/module_{number}.py",
            "status": ("modified", "modified", "added", "modified", "modified", "removed", "modified", "modified")[number],
            "lines_added": 0 if number == 5 else state.random.randrange(1, 60),
            "lines_removed": 0 if number == 2 else state.random.randrange(40),
            "old_path": None,
        }
        for number in range(8)
    ]
