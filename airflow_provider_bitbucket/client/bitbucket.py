"""The client: one object for the whole API, one attribute for every resource."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_bitbucket.client import paging
from airflow_provider_bitbucket.client.resources.branch_restrictions import BranchRestrictions
from airflow_provider_bitbucket.client.resources.branching_model import BranchingModel
from airflow_provider_bitbucket.client.resources.build_statuses import BuildStatuses
from airflow_provider_bitbucket.client.resources.commits import Commits
from airflow_provider_bitbucket.client.resources.default_reviewers import DefaultReviewers
from airflow_provider_bitbucket.client.resources.deployments import Deployments
from airflow_provider_bitbucket.client.resources.downloads import Downloads
from airflow_provider_bitbucket.client.resources.environments import Environments
from airflow_provider_bitbucket.client.resources.pipeline_caches import PipelineCaches
from airflow_provider_bitbucket.client.resources.pipeline_config import PipelineConfig
from airflow_provider_bitbucket.client.resources.pipeline_schedules import PipelineSchedules
from airflow_provider_bitbucket.client.resources.pipeline_variables import PipelineVariables
from airflow_provider_bitbucket.client.resources.pipelines import Pipelines
from airflow_provider_bitbucket.client.resources.projects import Projects
from airflow_provider_bitbucket.client.resources.pull_request_comments import PullRequestComments
from airflow_provider_bitbucket.client.resources.pull_request_tasks import PullRequestTasks
from airflow_provider_bitbucket.client.resources.pull_requests import PullRequests
from airflow_provider_bitbucket.client.resources.refs import Refs
from airflow_provider_bitbucket.client.resources.reports import Reports
from airflow_provider_bitbucket.client.resources.repositories import Repositories
from airflow_provider_bitbucket.client.resources.source import Source
from airflow_provider_bitbucket.client.resources.users import Users
from airflow_provider_bitbucket.client.resources.webhooks import Webhooks
from airflow_provider_bitbucket.client.resources.workspaces import Workspaces
from airflow_provider_bitbucket.client.transport.clock import SYSTEM_CLOCK, Clock
from airflow_provider_bitbucket.client.transport.errors import BitbucketError, malformed_response
from airflow_provider_bitbucket.client.transport.retry import RetryPolicy
from airflow_provider_bitbucket.client.transport.session import Session
from airflow_provider_bitbucket.client.transport.urls import BASE_URL, segment

if TYPE_CHECKING:
    import requests

    from airflow_provider_bitbucket.client.transport.budget import RateBudget
    from airflow_provider_bitbucket.client.transport.signing import Auth


class BitbucketClient:
    """Thread-safe HTTP client for Bitbucket Cloud, usable without Airflow and pandas.

    :param auth: :class:`ApiToken`, :class:`AccessToken`, :class:`OAuthClientCredentials` or :class:`OAuthLogin`
    :param workspace: slug of the workspace that repositories are in unless said otherwise
    :param base_url: where the API is; the credentials are sent nowhere else
    :param timeout: seconds to connect, seconds to wait for the next byte
    :param retries: how patient a request is
    :param rate_limit: requests an hour that these credentials may make, where you know better than Bitbucket's 1,000 (or
        what it reports for access tokens). They share one budget in the process: of several clients the lowest number counts.
    :param verify: TLS verification: True, or the path of a CA bundle
    :param proxies: scheme -> proxy address; by default what the environment says
    :param clock: where time comes from and how it is waited for
    """

    def __init__(
        self,
        auth: Auth,
        workspace: str | None = None,
        base_url: str = BASE_URL,
        *,
        timeout: tuple[float, float] = (10.0, 60.0),
        retries: RetryPolicy | None = None,
        rate_limit: int | None = None,
        verify: bool | str = True,
        proxies: dict[str, str] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.workspace = workspace
        self._on_page: Callable[[int | None, int], None] | None = None
        self._use(
            Session(
                auth,
                base_url,
                timeout=timeout,
                retries=retries or RetryPolicy(),
                rate_limit=rate_limit,
                verify=verify,
                proxies=proxies,
                clock=clock,
            )
        )

    def _use(self, session: Session) -> None:
        self._session = session
        self.users = Users(self)
        self.workspaces = Workspaces(self)
        self.repositories = Repositories(self)
        self.pull_requests = PullRequests(self)
        self.pull_request_comments = PullRequestComments(self)
        self.pull_request_tasks = PullRequestTasks(self)
        self.pipelines = Pipelines(self)
        self.pipeline_variables = PipelineVariables(self)
        self.pipeline_schedules = PipelineSchedules(self)
        self.pipeline_caches = PipelineCaches(self)
        self.pipeline_config = PipelineConfig(self)
        self.deployments = Deployments(self)
        self.environments = Environments(self)
        self.webhooks = Webhooks(self)
        self.commits = Commits(self)
        self.build_statuses = BuildStatuses(self)
        self.reports = Reports(self)
        self.refs = Refs(self)
        self.source = Source(self)
        self.downloads = Downloads(self)
        self.default_reviewers = DefaultReviewers(self)
        self.branch_restrictions = BranchRestrictions(self)
        self.branching_model = BranchingModel(self)
        self.projects = Projects(self)

    def with_options(
        self,
        *,
        retries: RetryPolicy | None = None,
        timeout: tuple[float, float] | None = None,
        on_page: Callable[[int | None, int], None] | None = None,
    ) -> Self:
        """Return a client with other options that shares connections, credentials and request budget with this one.

        :param retries: how patient a request is; None: as this client
        :param timeout: seconds to connect, seconds to wait for the next byte; None: as this client
        :param on_page: called after each page of a list with the size of the list, None if Bitbucket does not report it, and
            the number of rows a page; None: as this client
        """
        other = copy.copy(self)
        other._on_page = on_page or self._on_page
        other._use(self._session.with_options(retries=retries, timeout=timeout))
        return other

    def __repr__(self) -> str:
        return f"<BitbucketClient {self.base_url} workspace={self.workspace!r} {self.auth!r}>"

    @property
    def base_url(self) -> str:
        """Base URL of the API, without a trailing slash."""
        return self._session.base_url

    @property
    def web_url(self) -> str:
        """Address of Bitbucket's web pages: https://bitbucket.org, or the host of a custom base URL."""
        return self._session.api.web_url

    @property
    def auth(self) -> Auth:
        """The credentials."""
        return self._session.auth

    @property
    def budget(self) -> RateBudget:
        """The request budget, shared by all clients of this process with the same credentials."""
        return self._session.budget

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Any = None,
        json: Any = None,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        idempotent: bool | None = None,
        object_only: bool = False,
        part: slice | None = None,
    ) -> requests.Response:
        """Send any request of the API, for operations that have no method here.

        JSON is expected, and anything else is a malformed response; for files, diffs and logs request another type:
        ``headers={"Accept": "*/*"}``.

        :param method: HTTP method
        :param path: path below the base URL, such as ``/repositories/acme/api/hooks``; names in it have to be quoted
        :param params: query parameters
        :param json: body sent as JSON
        :param data: body sent as form or bytes
        :param headers: further headers
        :param stream: leave the body to be read by the caller (``iter_content``); what breaks there is not retried
        :param idempotent: whether it may be sent again when its answer was lost; by default GET, PUT and DELETE
        :param object_only: treat anything but a JSON object (or nothing, where that is allowed) as a malformed response, also
            from another host that a redirect leads to
        :param part: the bytes that are wanted, where the server may ignore the header ``Range`` and send everything: only they
            are kept in memory
        :return: the answer, with a status below 400
        :raises BitbucketError: one of its kinds, with Bitbucket's own sentence
        """
        return self._session.request(
            method.upper(),
            path,
            params=params,
            json=json,
            data=data,
            headers=headers,
            stream=stream,
            idempotent=idempotent,
            object_only=object_only,
            part=part,
        ).response

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the JSON object at a path.

        :raises BitbucketError: one of its kinds, with Bitbucket's own sentence
        """
        document: dict[str, Any] = self._session.request("GET", path, params=params, object_only=True).document
        return document

    def get_page(self, path: str, params: Mapping[str, Any] | None = None, *, follow_next: bool = True) -> dict[str, Any]:
        """Return one page of a list: an object with ``values`` and, except on the last page, the URL ``next``.

        :param follow_next: False: ``next`` is not used, so it may be anything
        :raises BitbucketServerError: it is something else, or ``next`` leads to another host, after all retries
        :raises BitbucketError: another of its kinds
        """

        def check(document: Any) -> None:
            following = paging.Page.read(document if follow_next else {**document, "next": None}, path).next
            try:
                _ = following and self._session.url(following)
            except BitbucketError as error:
                raise malformed_response(f"The list {path} has a malformed 'next'. {error.message}") from None

        page: dict[str, Any] = self._session.request("GET", path, params=params, object_only=True, check=check).document
        if self._on_page:
            known = paging.Page.read({**page, "next": None}, path)
            self._on_page(known.size, known.pagelen or paging.LARGEST_PAGE)
        return page

    def post(self, path: str, json: Any = None, *, idempotent: bool = False) -> dict[str, Any]:
        """Send JSON with POST and return the JSON object of the response, or an empty one.

        :param idempotent: True: sending it twice does the same as once, so it is sent again when its answer was lost
        :raises BitbucketAmbiguousError: it was sent and its answer was lost
        :raises BitbucketError: another of its kinds, with Bitbucket's own sentence
        """
        return self._session.request("POST", path, json=json, object_only=True, idempotent=idempotent).document or {}

    def post_yaml(self, path: str, content: str, params: Mapping[str, str]) -> dict[str, Any]:
        """Post YAML with query parameters and return the JSON object that comes back; raises as :meth:`post`."""
        options: dict[str, Any] = {"data": content.encode(), "headers": {"Content-Type": "application/yaml"}}
        return self._session.request("POST", path, params=params, object_only=True, **options).document or {}

    def put(self, path: str, json: Any = None) -> dict[str, Any]:
        """Send JSON with PUT, retrying if the response is lost; return the JSON object of the response, or an empty one.

        :raises BitbucketError: one of its kinds, with Bitbucket's own sentence
        """
        return self._session.request("PUT", path, json=json, object_only=True).document or {}

    def delete(self, path: str, params: Mapping[str, Any] | None = None) -> None:
        """Delete the object at a path, retrying if the response is lost.

        :raises BitbucketNotFoundError: there is nothing, or an earlier attempt whose answer was lost has deleted it
        :raises BitbucketError: another of its kinds, with Bitbucket's own sentence
        """
        self._session.request("DELETE", path, params=params, headers={"Accept": "*/*"})

    def paginate(
        self,
        path: str,
        params: Mapping[str, Any] | None = None,
        *,
        pagelen: int = paging.LARGEST_PAGE,
        count_pages: bool = False,
        shrinking: bool = False,
        identity: Callable[[dict[str, Any]], Hashable | None] = paging.own_id,
    ) -> Iterator[dict[str, Any]]:
        """Yield the values of a list, requesting pages as needed; a value that moves to the next page is yielded once.

        :param path: path of the list
        :param params: query parameters; a ``fields`` parameter gets what paging needs added
        :param pagelen: values a page; 100 is the most, 50 for pull requests and their activity
        :param count_pages: count ``page=`` instead of following ``next``, for lists whose ``next`` is broken
        :param shrinking: read pages again when rows vanish while the list is read, which moves others to earlier pages
        :param identity: returns what identifies a value, None for one that cannot be identified; default: uuid, hash or id
        :raises BitbucketError: one of its kinds; a ``next`` on another host is refused
        """
        query = {"pagelen": pagelen, **(params or {})}
        if fields := paging.keep_envelope(query.get("fields")):
            query["fields"] = fields
        if count_pages:
            rows = paging.by_number(partial(self.get_page, follow_next=False), path, query)
        elif shrinking:
            return paging.deduplicate(paging.by_next_without_gaps(self.get_page, path, query), set(), identity)
        else:
            rows = paging.by_next(self.get_page, path, query)
        return paging.deduplicate(rows, identity=identity)

    def workspace_slug(self, workspace: str | None = None) -> str:
        """Return a workspace's slug: the one given, else the client's.

        :raises ValueError: there is none
        """
        if slug := workspace or self.workspace:
            return slug
        raise ValueError("No workspace: give one to the client, to the call, or write the repository as 'workspace/repository'")

    def workspace_path(self, workspace: str | None = None) -> str:
        """Return ``/workspaces/{workspace}``."""
        return f"/workspaces/{segment(self.workspace_slug(workspace))}"

    def full_name(self, repository: str) -> str:
        """Return ``workspace/repository`` for ``repository`` or ``workspace/repository``."""
        workspace, slash, slug = repository.strip().rpartition("/")
        if not slug or "/" in workspace or (slash and not workspace):
            raise ValueError(f"Repository is {repository!r}; expected 'repository' or 'workspace/repository'")
        return f"{self.workspace_slug(workspace or None)}/{slug}"

    def repository_path(self, repository: str) -> str:
        """Return ``/repositories/{workspace}/{repository}``, both quoted so that a name cannot reach another path.

        :param repository: slug or uuid, optionally behind ``workspace/``
        """
        workspace, _, slug = self.full_name(repository).partition("/")
        return f"/repositories/{segment(workspace)}/{segment(slug)}"
