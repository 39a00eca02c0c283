"""The demo without null authors, for clients that do not survive them.

No account is deleted, and the bot is the author of commits without a known e-mail and the creator of scheduled pipelines.
"""

from __future__ import annotations

from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.seeds.demo import plant_company


def plant(state: State) -> None:
    """Plant the seed."""
    workspace, _, bot = plant_company(state)
    for repository in workspace.repositories.values():
        for commit in repository.commits.values():
            commit.author = commit.author or bot
        for pipeline in repository.pipelines:
            pipeline.creator = pipeline.creator or bot
