"""Reading pull requests: lists, timelines, commits, statuses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.commits.graph import resolve
from bitbucket_cloud_emulator.commits.statuses import status_page
from bitbucket_cloud_emulator.commits.views import commit_json
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.fields import Fields
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.paging import page
from bitbucket_cloud_emulator.pipelines.plan import settle_statuses
from bitbucket_cloud_emulator.pull_requests.merge import collisions
from bitbucket_cloud_emulator.pull_requests.models import PullRequest
from bitbucket_cloud_emulator.pull_requests.target import (
    ONE,
    REPOSITORY,
    InRepository,
    OnPullRequest,
    Reading,
    in_repository,
    on_pull_request,
)
from bitbucket_cloud_emulator.pull_requests.timeline import Feed, feed, timeline
from bitbucket_cloud_emulator.pull_requests.views import LOOKUPS, activity_json, extras, full_json
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.users.models import Credential
from bitbucket_cloud_emulator.workspaces.service import find_workspace

#: Larger pages of pull requests and of timelines are refused; the documentation says 100 (recorded 2026-10).
LARGEST_PULL_REQUEST_PAGE = 50
READ = "read:pullrequest"

router = APIRouter()

Entry = tuple[Repository, PullRequest]


@router.get(f"{REPOSITORY}/pullrequests")
async def pull_requests(here: Annotated[InRepository, Depends(in_repository(READ))]) -> Response:
    """Pull requests, newest first; only open ones unless ``state`` or ``q`` is given."""
    return _list(here.request, [(here.repository, pr) for pr in reversed(here.repository.pull_requests.values())])


@router.get(f"{API}/workspaces/{{workspace}}/pullrequests/{{selected_user}}")
async def authored(
    request: Request, workspace: str, selected_user: str, credential: Annotated[Credential, Depends(requires(READ))]
) -> Response:
    """A user's pull requests in all repositories of a workspace."""
    found = find_workspace(request, workspace)
    users = current_state(request).users.values()
    author = next((one for one in users if selected_user in (one.uuid, one.account_id, one.nickname)), None)
    if author is None:
        raise ApiError(404, f"{selected_user} is not a known user")
    visible = [one for one in found.repositories.values() if credential.repository in (None, one.slug)]
    mine = [(one, pr) for one in visible for pr in one.pull_requests.values() if pr.author is author]
    return _list(request, sorted(mine, key=lambda entry: entry[1].created_on, reverse=True))


@router.get(f"{REPOSITORY}/commit/{{commit}}/pullrequests")
async def of_commit(here: Annotated[InRepository, Depends(in_repository(READ))], commit: str) -> Response:
    """The pull requests that a commit is part of; needs an app in the workspace, which a setting takes away."""
    if not here.state.settings.commit_links_app:
        raise ApiError(404, "The Pull Request Commit Links app is not installed")
    sha = resolve(here.repository, commit).hash
    found = [pr for pr in here.repository.pull_requests.values() if sha == pr.merge_hash or sha in pr.commits]
    return page(here.request, [(here.repository, pr) for pr in found], _renderer(here.request), default=30)


@router.get(f"{REPOSITORY}/pullrequests/activity")
async def repository_activity(here: Annotated[InRepository, Depends(in_repository(READ, html_404=True))]) -> Response:
    """The timelines of all pull requests together, newest first."""
    return _timeline(here, feed(here.repository)[: here.state.settings.activity_feed_ends_early])


@router.get(REPOSITORY + ONE)
async def pull_request(on: Reading) -> Response:
    """A pull request with reviewers, participants and rendered texts."""
    return on.answer(on.pr)


@router.get(f"{REPOSITORY}{ONE}/activity")
async def activity(on: Annotated[OnPullRequest, Depends(on_pull_request(READ, html_404=True))]) -> Response:
    """Its timeline, newest first; ``q`` and ``sort`` are ignored."""
    return _timeline(on, timeline(on.pr))


@router.get(f"{REPOSITORY}{ONE}/commits")
async def commits(on: Reading) -> Response:
    """Its commits, newest first, as they were before a squash."""
    own = [on.repository.commits[sha] for sha in on.pr.commits]
    return page(on.request, own, lambda one: commit_json(on.repository, one, on.base), style="opaque", with_size=False)


@router.get(f"{REPOSITORY}{ONE}/statuses")
async def statuses(on: Reading) -> Response:
    """The build statuses of its commits, those that a later push made old included."""
    settle_statuses(on.repository, on.state.clock.now())
    own = {on.pr.source_hash, *on.pr.commits}
    return status_page(on.request, on.repository, [one for (sha, _), one in on.repository.statuses.items() if sha in own])


@router.get(f"{REPOSITORY}{ONE}/mergeability/checks")
async def mergeability_checks(on: Reading) -> Response:
    """Checks that could block a merge."""
    pr = on.pr
    checks = {
        "pull_request_state_check": None if pr.state == "OPEN" and not pr.draft else "The pull request is not open for merging",
        "current_user_permission_check": None,
        "git_mergeability_check": "There are merge conflicts" if collisions(on.repository, pr) else None,
        "standard_merge_check": pr.merge_error[1] if pr.merge_error else None,
    }
    return page(
        on.request,
        list(checks.items()),
        lambda check: {
            "type": check[0],
            "result": "FAILED" if check[1] else "PASSED",
            "required": True,
            "blocking": bool(check[1]),
            "reason": check[1],
        },
    )


def _renderer(request: Request) -> Callable[[Entry], dict[str, Any]]:
    base, fields = origin(request), Fields(request.query_params.get("fields"))
    shows = extras(fields, listed=True, closed_on=current_state(request).settings.closed_on_in_list)
    return lambda entry: full_json(*entry, base, shows)


def _list(request: Request, entries: Iterable[Entry]) -> Response:
    params = request.query_params
    wanted = {state.upper() for state in params.getlist("state")} or {"OPEN"}
    if "q" in params:  # switches ``state`` off, even its default
        wanted = {"ALL"}
    if current_state(request).settings.sorted_states_fail and "sort" in params and _several_states(request):
        raise ApiError(500, "Something went wrong")
    return page(
        request,
        [entry for entry in entries if "ALL" in wanted or entry[1].state in wanted],
        _renderer(request),
        maximum=LARGEST_PULL_REQUEST_PAGE,
        refuse_larger=True,
        q_fields=LOOKUPS.keys(),
        sort_fields=LOOKUPS.keys(),
        lookup=lambda entry, path: LOOKUPS[path](*entry),
    )


def _several_states(request: Request) -> bool:
    params = request.query_params
    return len(params.getlist("state")) > 1 or params.get("q", "").count("state") > 1


def _timeline(here: InRepository, entries: Feed) -> Response:
    return page(
        here.request,
        entries,
        lambda entry: activity_json(here.repository, *entry, here.base),
        maximum=LARGEST_PULL_REQUEST_PAGE,
        refuse_larger=True,
        style="ctx",
        with_size=False,
    )
