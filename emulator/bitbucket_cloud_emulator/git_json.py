"""Commits, branches and tags as they stand on the wire, and how names lead to commits."""

from __future__ import annotations

import html
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from bitbucket_cloud_emulator.errors import ApiError
from bitbucket_cloud_emulator.http import API, account_json, iso_commit, repository_json
from bitbucket_cloud_emulator.state import Commit, Repository, Tag


def resolve(repository: Repository, name: str) -> Commit:
    """Return the commit behind a branch, tag, full or short hash.

    :raises ApiError: 404 with the name under ``data.shas``
    """
    full = repository.branches.get(name) or (repository.tags[name].hash if name in repository.tags else name)
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


def commit_json(repository: Repository, commit: Commit, base: str, *, single: bool = False) -> dict[str, Any]:
    """A commit; ``participants`` come only with a single one."""
    api = f"{base}{API}/repositories/{repository.full_name}"
    own = f"{api}/commit/{commit.hash}"
    author: dict[str, Any] = {"type": "author", "raw": commit.author_raw}
    if commit.author:  # absent when no account has this e-mail
        author["user"] = account_json(commit.author, base)
    text = {
        "type": "rendered",
        "raw": commit.message,
        "markup": "markdown",
        "html": f"<p>{html.escape(commit.message, quote=False)}</p>",
    }
    shown = {
        "type": "commit",
        "hash": commit.hash,
        "date": iso_commit(commit.date),
        "author": author,
        "message": commit.message,
        "summary": text,
        "links": {
            "self": {"href": own},
            "html": {"href": f"{base}/{repository.full_name}/commits/{commit.hash}"},
            "diff": {"href": f"{api}/diff/{commit.hash}"},
            "approve": {"href": f"{own}/approve"},
            "comments": {"href": f"{own}/comments"},
            "statuses": {"href": f"{own}/statuses"},
            "patch": {"href": f"{api}/patch/{commit.hash}"},
        },
        "parents": [
            {"type": "commit", "hash": parent, "links": {"self": {"href": f"{api}/commit/{parent}"}}} for parent in commit.parents
        ],
        "rendered": {"message": text},
        "repository": repository_json(repository, base),
    }
    return {**shown, "participants": []} if single else shown


def branch_json(repository: Repository, name: str, base: str) -> dict[str, Any]:
    """A branch with its head."""
    api = f"{base}{API}/repositories/{repository.full_name}"
    return {
        "name": name,
        "target": commit_json(repository, repository.commits[repository.branches[name]], base),
        "links": {
            "self": {"href": f"{api}/refs/branches/{name}"},
            "commits": {"href": f"{api}/commits/{name}"},
            "html": {"href": f"{base}/{repository.full_name}/branch/{name}"},
        },
        "type": "branch",
        "merge_strategies": list(repository.merge_strategies),
        "default_merge_strategy": repository.merge_strategies[0],
        "sync_strategies": ["merge_commit", "rebase"],
    }


def tag_json(repository: Repository, tag: Tag, base: str) -> dict[str, Any]:
    """A tag; a lightweight one has no message, date and tagger."""
    api = f"{base}{API}/repositories/{repository.full_name}"
    tagger = {"type": "author", "raw": tag.tagger.display_name, "user": account_json(tag.tagger, base)} if tag.tagger else None
    return {
        "name": tag.name,
        "target": commit_json(repository, repository.commits[tag.hash], base),
        "links": {
            "self": {"href": f"{api}/refs/tags/{tag.name}"},
            "commits": {"href": f"{api}/commits/{tag.name}"},
            "html": {"href": f"{base}/{repository.full_name}/commits/tag/{tag.name}"},
        },
        "type": "tag",
        "message": tag.message,
        "date": iso_commit(tag.date) if tag.date else None,
        "tagger": tagger,
    }
