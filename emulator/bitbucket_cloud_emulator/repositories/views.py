"""Repositories as JSON."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from bitbucket_cloud_emulator.core.http import API
from bitbucket_cloud_emulator.core.wire import iso_main
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.workspaces.views import owner_json, project_json, workspace_json


def repository_json(repository: Repository, base: str) -> dict[str, Any]:
    """A repository as part of other objects (cached, read-only)."""
    return _repository(repository.full_name, repository.name, repository.uuid, base)


@lru_cache(maxsize=1024)
def _repository(path: str, name: str, uuid: str, base: str) -> dict[str, Any]:
    return {
        "type": "repository",
        "full_name": path,
        "links": {
            "self": {"href": f"{base}{API}/repositories/{path}"},
            "html": {"href": f"{base}/{path}"},
            "avatar": {"href": f"{base}/{path}/avatar/32/"},
        },
        "name": name,
        "uuid": uuid,
    }


_LINKS = ("pullrequests", "commits", "forks", "watchers", "downloads", "hooks")


def full_json(repository: Repository, base: str) -> dict[str, Any]:
    """A repository with all its fields."""
    short = repository_json(repository, base)
    api = short["links"]["self"]["href"]
    workspace = repository.workspace
    links = {
        **short["links"],
        **{name: {"href": f"{api}/{name}"} for name in _LINKS},
        "branches": {"href": f"{api}/refs/branches"},
        "tags": {"href": f"{api}/refs/tags"},
        "source": {"href": f"{api}/src"},
        "clone": [
            {"name": "https", "href": f"https://bitbucket.org/{repository.full_name}.git"},
            {"name": "ssh", "href": f"git@bitbucket.org:{repository.full_name}.git"},
        ],
    }
    main = repository.mainbranch
    return {
        **short,
        "links": links,
        "slug": repository.slug,
        "description": repository.description,
        "scm": "git",
        "website": None,
        "owner": owner_json(workspace, base),
        "workspace": workspace_json(workspace, base),
        "is_private": repository.is_private,
        "project": project_json(workspace, repository.project, base),
        "fork_policy": repository.fork_policy,
        "created_on": iso_main(repository.created_on),
        "updated_on": iso_main(repository.updated_on),
        "size": repository.size,
        "language": repository.language,
        "mainbranch": {"name": main, "type": "branch"} if main else None,
        "override_settings": dict(repository.overrides),
        "parent": repository_json(repository.parent, base) if repository.parent else None,
        "enforced_signed_commits": None,
    }
