"""Branches and tags as JSON."""

from __future__ import annotations

from typing import Any

from bitbucket_cloud_emulator.commits.views import commit_json
from bitbucket_cloud_emulator.core.http import API
from bitbucket_cloud_emulator.core.wire import iso_commit
from bitbucket_cloud_emulator.refs.models import Tag
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.users.views import account_json


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
