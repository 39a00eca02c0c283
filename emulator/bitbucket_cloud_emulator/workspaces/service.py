"""Find workspaces."""

from __future__ import annotations

from fastapi import Request

from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.http import current_state
from bitbucket_cloud_emulator.users.models import Credential
from bitbucket_cloud_emulator.workspaces.models import Workspace


def find_workspace(request: Request, slug: str, *, by_uuid: bool = False) -> Workspace:
    """Return a workspace; one without access is refused with 403, not 404.

    :param by_uuid: accept the uuid too
    """
    state = current_state(request)
    found = state.workspaces.get(slug.lower())
    if found is None and by_uuid:
        found = next((each for each in state.workspaces.values() if each.uuid == slug), None)
    credential: Credential | None = getattr(request.state, "credential", None)
    if found is None or (credential and credential.workspace not in (None, found.slug)):
        if slug.startswith("{"):
            raise ApiError(404, f"No workspace with identifier '{slug}'.")
        raise ApiError(403, "You do not have access to this workspace.")
    return found
