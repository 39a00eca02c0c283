"""Dependencies of pull-request routes: the authenticated user, the repository and the pull request."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.errors import ApiError, json_response
from bitbucket_cloud_emulator.core.fields import Fields
from bitbucket_cloud_emulator.core.http import API, current_state, origin, requires
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.core.wire import number
from bitbucket_cloud_emulator.pull_requests.merge import settle_queue
from bitbucket_cloud_emulator.pull_requests.models import PullRequest
from bitbucket_cloud_emulator.pull_requests.views import extras, full_json
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.repositories.service import find_repository
from bitbucket_cloud_emulator.users.models import User

REPOSITORY = f"{API}/repositories/{{workspace}}/{{repo_slug}}"
ONE = "/pullrequests/{pull_request_id}"


@dataclass(frozen=True)
class InRepository:
    """A request about a repository; ``base`` is where the links of the answer lead."""

    request: Request
    state: State
    user: User
    repository: Repository
    base: str

    def answer(
        self, pr: PullRequest, *, status: int = 200, ended: bool = False, headers: dict[str, str] | None = None
    ) -> Response:
        """Answer with one pull request.

        :param ended: it is the answer to its merge or decline
        """
        fields = Fields(self.request.query_params.get("fields"))
        shows = extras(fields, listed=False, closed_on=self.state.settings.closed_on_in_list)
        shown = full_json(self.repository, pr, self.base, shows, ended=ended)
        return json_response(fields.apply(shown), status, headers)


@dataclass(frozen=True)
class OnPullRequest(InRepository):
    """A request about a pull request."""

    pr: PullRequest


def in_repository(*scopes: str, html_404: bool = False) -> Callable[..., Coroutine[Any, Any, InRepository]]:
    """Make a dependency: credentials first, then the repository.

    :param scopes: needed API-token scopes
    :param html_404: a missing repository is answered with a big HTML page
    """
    check = requires(*scopes)

    async def find(request: Request, workspace: str, repo_slug: str) -> InRepository:
        credential = await check(request)
        repository = find_repository(request, workspace, repo_slug, html_404=html_404)
        return InRepository(request, current_state(request), credential.user, repository, origin(request))

    return find


def on_pull_request(*scopes: str, html_404: bool = False) -> Callable[..., Coroutine[Any, Any, OnPullRequest]]:
    """Make a dependency: credentials, repository, pull request. One that does not exist is answered with nine bytes of text."""
    find_place = in_repository(*scopes, html_404=html_404)

    async def find(request: Request, workspace: str, repo_slug: str, pull_request_id: str) -> OnPullRequest:
        place = await find_place(request, workspace, repo_slug)
        known = place.repository.pull_requests.get(number(pull_request_id) or 0)
        if known is None:
            raise ApiError(404, "Not Found", style="text")
        settle_queue(place.state, place.repository, known)
        return OnPullRequest(place.request, place.state, place.user, place.repository, place.base, known)

    return find


#: Reading, and, as the published specification has it, writing comments and tasks.
Reading = Annotated[OnPullRequest, Depends(on_pull_request("read:pullrequest"))]
Writing = Annotated[OnPullRequest, Depends(on_pull_request("read:pullrequest", "write:pullrequest"))]
Undoing = Annotated[OnPullRequest, Depends(on_pull_request("write:pullrequest"))]


def deleted() -> Response:
    """Return an empty 204."""
    return Response(status_code=204, media_type="text/html")
