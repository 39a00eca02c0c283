"""Find, rename and change repositories."""

from __future__ import annotations

import re
from datetime import datetime

from fastapi import Request
from starlette.datastructures import URL

from bitbucket_cloud_emulator.core import auth
from bitbucket_cloud_emulator.core.errors import ApiError, Moved
from bitbucket_cloud_emulator.core.http import current_state, origin
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.repositories.bodies import RepositoryBody
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.users.models import Credential
from bitbucket_cloud_emulator.workspaces.models import Project, Workspace


def find_repository(request: Request, workspace: str, slug: str, *, html_404: bool = False) -> Repository:
    """Return a repository by slug or uuid, as far as the credentials reach.

    :param html_404: this endpoint answers a missing repository with a big HTML page
    """
    state = current_state(request)
    owner = state.workspaces.get(workspace.lower()) or next(
        (candidate for candidate in state.workspaces.values() if candidate.uuid == workspace), None
    )
    credential: Credential | None = getattr(request.state, "credential", None)
    if owner and slug in owner.moved:
        new = request.url.path.replace(f"/{slug}", f"/{owner.moved[slug]}", 1)
        raise Moved(str(URL(f"{origin(request)}{new}").replace(query=request.url.query)))
    found = owner and (
        owner.repositories.get(slug.lower())
        or next((candidate for candidate in owner.repositories.values() if candidate.uuid == slug), None)
    )
    if not found or (credential and not auth.reaches(credential, found)):
        if html_404:
            raise ApiError(404, "Page not found", style="html")
        raise ApiError(404, _NO_REPOSITORY)
    return found


def rename(repository: Repository, slug: str) -> None:
    """Give a repository another slug; requests for the old one are redirected."""
    workspace = repository.workspace
    if slug in workspace.repositories:
        raise ApiError(400, "Repository with this Slug and Owner already exists.", fields=NAME_TAKEN)
    workspace.moved[repository.slug] = slug
    workspace.moved.pop(slug, None)
    workspace.repositories[slug] = workspace.repositories.pop(repository.slug)
    repository.slug = slug


def slug_of(name: str) -> str:
    """Return the slug that Bitbucket makes of a name."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower())


def check_slug(slug: str) -> None:
    """Refuse a slug that Bitbucket does not accept in an address.

    :raises ApiError: 400
    """
    if slug != slug_of(slug):
        raise ApiError(
            400,
            "Invalid slug. Slugs must be lowercase, alphanumerical, and may also contain underscores, dashes, or dots.",
        )


def chosen_project(workspace: Workspace, body: RepositoryBody, now: datetime, current: Repository | None = None) -> Project:
    """Return the requested project; by default the current one, or the workspace's oldest.

    :raises ApiError: 400, there is no such project
    """
    if "project" not in body.model_fields_set:
        if current:
            return current.project
        if workspace.projects:
            return next(iter(workspace.projects.values()))
        return workspace.projects.setdefault("PROJ", Project("PROJ", "Untitled project", workspace.uuid, now, now))
    key = body.project.key
    for project in workspace.projects.values():
        if key in (project.key, project.uuid):
            return project
    raise ApiError(400, f"project: Project {key} not found", fields={"project": [f"Project {key} not found"]})


def apply_changes(repository: Repository, body: RepositoryBody) -> None:
    """Give a repository the fields of a body, but its project."""
    for name in ("name", "description", "language", "is_private", "fork_policy"):
        if name in (sent := body.sent()):
            setattr(repository, name, sent[name])


NAME_TAKEN = {"name": ["You already have a repository with this name."]}

_NO_REPOSITORY = (
    "The requested repository either does not exist or you do not have access. "
    "If you believe this repository exists and you have access, make sure you're authenticated."
)


def named_repository(state: State, name: str) -> Repository:
    """Return a repository by ``slug`` or ``workspace/slug``, for the control interface."""
    for repository in state.repositories():
        if name in (repository.slug, repository.full_name):
            return repository
    raise ApiError(404, f"The emulator has no repository {name!r}; it has {', '.join(r.full_name for r in state.repositories())}")
