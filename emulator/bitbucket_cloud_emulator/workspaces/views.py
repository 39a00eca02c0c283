"""Workspaces and memberships as JSON."""

from __future__ import annotations

from typing import Any

from bitbucket_cloud_emulator.core.http import API
from bitbucket_cloud_emulator.core.wire import braces
from bitbucket_cloud_emulator.users.models import User
from bitbucket_cloud_emulator.users.views import account_json
from bitbucket_cloud_emulator.workspaces.models import Project, Workspace


def membership_json(workspace: Workspace, user: User, base: str) -> dict[str, Any]:
    return {
        "type": "workspace_membership",
        "user": account_json(user, base),
        "workspace": workspace_json(workspace, base),
        "links": {"self": {"href": f"{base}{API}/workspaces/{workspace.slug}/members/{braces(user.uuid)}"}},
    }


def workspace_json(workspace: Workspace, base: str) -> dict[str, Any]:
    return {
        "type": "workspace",
        "uuid": workspace.uuid,
        "name": workspace.name,
        "slug": workspace.slug,
        "links": {
            "self": {"href": f"{base}{API}/workspaces/{workspace.slug}"},
            "html": {"href": f"{base}/{workspace.slug}/"},
            "avatar": {"href": f"{base}/workspaces/{workspace.slug}/avatar/"},
        },
    }


def owner_json(workspace: Workspace, base: str) -> dict[str, Any]:
    """The account of a workspace, as the owner of its repositories and projects."""
    encoded = braces(workspace.uuid)
    return {
        "display_name": workspace.name,
        "links": {
            "self": {"href": f"{base}{API}/workspaces/{encoded}"},
            "avatar": {"href": f"{base}/account/{encoded}/avatar/32/"},
            "html": {"href": f"{base}/{encoded}/"},
        },
        "type": "team",
        "uuid": workspace.uuid,
        "username": f"{workspace.slug}-team",  # differs from the slug, as recorded
    }


def project_json(workspace: Workspace, project: Project, base: str) -> dict[str, Any]:
    """A project as part of another object."""
    page = f"{base}/{workspace.slug}/workspace/projects/{project.key}"
    return {
        "type": "project",
        "key": project.key,
        "uuid": project.uuid,
        "name": project.name,
        "links": {
            "self": {"href": f"{base}{API}/workspaces/{workspace.slug}/projects/{project.key}"},
            "html": {"href": page},
            "avatar": {"href": f"{page}/avatar/32"},
        },
    }
