"""Workspaces and memberships as JSON."""

from __future__ import annotations

from typing import Any

from bitbucket_cloud_emulator.core.http import API
from bitbucket_cloud_emulator.core.wire import braces
from bitbucket_cloud_emulator.users.models import User
from bitbucket_cloud_emulator.users.views import account_json
from bitbucket_cloud_emulator.workspaces.models import Workspace


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
