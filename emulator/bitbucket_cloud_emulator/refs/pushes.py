"""Effects of a push: open pull requests get the new commits, and pipelines start."""

from __future__ import annotations

from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.pipelines.service import pull_request_pushed, pushed
from bitbucket_cloud_emulator.pull_requests.models import PullRequest
from bitbucket_cloud_emulator.pull_requests.service import branch_moved
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.users.models import User


def branch_pushed(state: State, repository: Repository, branch: str, by: User) -> None:
    """Update pull requests and start pipelines after a push or merge moved a branch.

    :param state: everything
    :param repository: where
    :param branch: which
    :param by: the user who pushed or merged
    """
    branch_moved(state, repository, branch, by)
    pushed(state, repository, branch, creator=by)
    for pull_request in repository.pull_requests.values():
        if pull_request.state == "OPEN" and pull_request.source_branch == branch:
            pull_request_opened(state, repository, pull_request, by)


def pull_request_opened(state: State, repository: Repository, pull_request: PullRequest, by: User) -> None:
    """Build the head of an open pull request, unless it was built already.

    :param state: everything
    :param repository: where
    :param pull_request: which
    :param by: the user who opened it or pushed to it
    """
    if pull_request.source_repository is not None:
        return  # pipelines of a fork run in the fork
    built = {
        (pipeline.target.get("pullrequest", {}).get("id"), pipeline.target["commit"]["hash"]) for pipeline in repository.pipelines
    }
    if (pull_request.id, pull_request.source_hash) not in built:
        pull_request_pushed(state, repository, pull_request, creator=by)
