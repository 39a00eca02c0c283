"""Three people and one repository with a main branch, for tests that create what they need."""

from __future__ import annotations

from datetime import timedelta

from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.seeds.common import add_repository, add_user, add_workspace, join


def plant(state: State) -> None:
    """Plant the seed."""
    since = state.clock.start - timedelta(days=90)
    owner = add_user(state, "Dana Demo", since=since)
    workspace = add_workspace(state, owner)
    join(state, workspace, [add_user(state, name, since=since) for name in ("Robin Reviewer", "Alex Author")])
    add_repository(state, workspace, "api", since=since, by=owner)
