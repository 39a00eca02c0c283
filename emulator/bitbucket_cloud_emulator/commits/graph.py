"""The commit graph: add commits, resolve names, compare branches.

A commit carries its whole tree (path -> content). A commit made without files has the tree of its parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from bitbucket_cloud_emulator.commits.models import Commit
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.users.models import User


def add_commit(
    state: State,
    repository: Repository,
    *,
    author: User | None,
    message: str,
    at: datetime | None = None,
    branch: str | None = None,
    parents: tuple[str, ...] | None = None,
    files: Mapping[str, bytes | None] | None = None,
) -> Commit:
    """Make a commit.

    :param at: by default now
    :param branch: moved to the new commit, and made when it is new; None moves nothing
    :param parents: full hashes; by default the head of the branch
    :param files: what changes against the tree of the first parent: path -> content, None takes the file away
    """
    if parents is None:
        head = repository.branches.get(branch or "")
        parents = (head,) if head else ()
    tree = repository.commits[parents[0]].files if parents else {}
    if files:
        tree = {path: content for path, content in {**tree, **files}.items() if content is not None}
    raw = f"{author.display_name} <{author.nickname}@example.com>" if author else "Unknown <unknown@example.com>"
    # git keeps whole seconds.
    date = (at or state.clock.now()).replace(microsecond=0)
    commit = Commit(state.hash(), parents, author, raw, date, message, tree)
    repository.commits[commit.hash] = commit
    if branch:
        repository.branches[branch] = commit.hash
    return commit


@dataclass(frozen=True)
class Divergence:
    """The commits of a source that a destination lacks, newest first, and their merge base (None: unrelated histories)."""

    own: list[Commit]
    base: Commit | None


def divergence(repository: Repository, source: str, destination: str) -> Divergence:
    """Compare two commits by their full hashes."""
    there = ancestors(repository, [destination])
    if source in there:
        return Divergence([], repository.commits[source])
    own = newest_first(repository, ancestors(repository, [source]) - there)
    return Divergence(own, parting(repository, own))


def parting(repository: Repository, own: list[Commit]) -> Commit | None:
    """Return the merge base of a branch that consists of these commits (newest first)."""
    mine = {commit.hash for commit in own}
    outside = (parent for commit in own for parent in commit.parents if parent not in mine)
    return next((repository.commits[parent] for parent in outside if parent in repository.commits), None)


def is_ancestor(repository: Repository, older: str, newer: str) -> bool:
    """Return whether a commit is an ancestor of another."""
    return older in ancestors(repository, [newer])


def resolve(repository: Repository, name: str) -> Commit:
    """Return the commit of a branch, a tag, ``HEAD`` (the main branch), a full or a short hash.

    :raises ApiError: 404 with the name under ``data.shas``
    """
    full = repository.branches.get(name) or (repository.tags[name].hash if name in repository.tags else name)
    if full == "HEAD":
        full = repository.branches.get(repository.mainbranch or "", full)
    if full in repository.commits:
        return repository.commits[full]
    if len(name) >= 7:
        for candidate, commit in repository.commits.items():
            if candidate.startswith(name.lower()):
                return commit
    raise ApiError(404, "Commit not found", data={"shas": [name]})


def ancestors(repository: Repository, starts: Iterable[str]) -> set[str]:
    """Return the hashes that can be reached from these, themselves included."""
    seen: set[str] = set()
    pending = list(starts)
    while pending:
        current = pending.pop()
        if current in repository.commits and current not in seen:
            seen.add(current)
            pending += repository.commits[current].parents
    return seen


def newest_first(repository: Repository, hashes: set[str]) -> list[Commit]:
    """Return commits, children before their parents (facts 7.3), in the order in which they can have been committed.

    ``date`` is the author's, and stays when a commit is rebased on to a newer one.
    """
    committed: dict[str, tuple[datetime, int]] = {}
    for at, one in enumerate(repository.commits.values()):
        committed[one.hash] = max([one.date, *(committed[parent][0] for parent in one.parents if parent in committed)]), at
    return sorted((repository.commits[name] for name in hashes), key=lambda one: committed[one.hash], reverse=True)
