"""Commits as JSON."""

from __future__ import annotations

import html
from typing import Any

from bitbucket_cloud_emulator.commits.models import Commit
from bitbucket_cloud_emulator.core.http import API
from bitbucket_cloud_emulator.core.wire import iso_commit
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.views import repository_json
from bitbucket_cloud_emulator.users.views import account_json, participant_json


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
            {
                "type": "commit",
                "hash": parent,
                "links": {
                    "self": {"href": f"{api}/commit/{parent}"},
                    "html": {"href": f"{base}/{repository.full_name}/commits/{parent}"},
                },
            }
            for parent in commit.parents
        ],
        "rendered": {"message": text},
        "repository": repository_json(repository, base),
    }
    return {**shown, "participants": [participant_json(one, base) for one in commit.participants.values()]} if single else shown
