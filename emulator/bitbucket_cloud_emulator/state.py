"""What the emulated Bitbucket knows. Plain records without behaviour; the route modules give them life.

One event loop serves all requests and every handler is ``async`` without awaiting in the middle of a change, so nothing
here needs a lock. Times are aware UTC datetimes, ids are the wire form (uuids with braces).
"""

from __future__ import annotations

import random
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bitbucket_cloud_emulator.clock import Clock

if TYPE_CHECKING:
    from bitbucket_cloud_emulator.oauth_logins import Code, Login


@dataclass(eq=False)
class User:
    """An account: a person (``user``), an OAuth consumer's or access token's bot (``app_user``) or a ``team``."""

    uuid: str
    display_name: str
    nickname: str
    account_id: str | None
    created_on: datetime
    type: str = "user"


@dataclass(eq=False)
class Commit:
    """A commit; ``files`` is the whole tree after it, path -> content."""

    hash: str
    parents: tuple[str, ...]
    author: User | None
    author_raw: str
    date: datetime
    message: str
    files: dict[str, bytes] = field(default_factory=dict)


@dataclass(eq=False)
class Tag:
    name: str
    hash: str
    message: str | None = None
    date: datetime | None = None
    tagger: User | None = None


@dataclass(eq=False)
class BuildStatus:
    key: str
    state: str
    url: str
    hash: str
    created_on: datetime
    updated_on: datetime
    name: str = ""
    description: str = ""
    refname: str | None = None
    pipeline: Pipeline | None = None  # state and updated_on follow it (pipeline_plan.settle_statuses)


@dataclass(eq=False)
class Participant:
    user: User
    role: str  # PARTICIPANT | REVIEWER
    approved: bool = False
    state: str | None = None  # approved | changes_requested | None
    participated_on: datetime | None = None


@dataclass(eq=False)
class Comment:
    id: int
    user: User | None
    raw: str
    created_on: datetime
    updated_on: datetime
    deleted: bool = False
    pending: bool = False
    parent: int | None = None
    inline: dict[str, Any] | None = None
    resolved_by: User | None = None
    resolved_on: datetime | None = None  # None: not resolved


@dataclass(eq=False)
class Task:
    """Something a reviewer asks to be done before the merge."""

    id: int
    raw: str
    creator: User | None
    created_on: datetime
    updated_on: datetime
    comment: int | None = None
    pending: bool = False
    resolved_on: datetime | None = None  # None: UNRESOLVED
    resolved_by: User | None = None


@dataclass(eq=False)
class Activity:
    """One entry of the timeline: ``kind`` is update | approval | changes_requested | comment (or anything a test adds).

    For ``comment`` the payload is ``{"id": comment id}``; for ``update`` it says how the pull request was then, and what
    changed, as stored values (see ``pull_request_actions``). An unknown kind shows its payload as it is; an empty kind
    is an entry without any.
    """

    kind: str
    date: datetime
    user: User | None
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class PullRequest:
    id: int
    title: str
    description: str
    author: User | None
    source_branch: str
    source_hash: str
    destination_branch: str
    destination_hash: str
    created_on: datetime
    updated_on: datetime
    state: str = "OPEN"
    draft: bool = False
    queued: bool = False
    source_repository: Repository | None = None  # the fork it comes from; None: the repository itself
    source_deleted: bool = False  # a deleted fork: source.repository is null
    close_source_branch: bool = False
    closed_on: datetime | None = None
    closed_by: User | None = None
    merge_hash: str | None = None
    reason: str = ""
    reviewers: list[User] = field(default_factory=list)
    participants: dict[str, Participant] = field(default_factory=dict)  # by user uuid
    comments: dict[int, Comment] = field(default_factory=dict)
    tasks: dict[int, Task] = field(default_factory=dict)
    activity: list[Activity] = field(default_factory=list)  # oldest first
    commits: list[str] = field(default_factory=list)  # newest first
    diffstat: list[dict[str, Any]] = field(default_factory=list)  # [{path, status, lines_added, lines_removed, old_path}]
    merge_error: tuple[int, str] | None = None  # status and message with which every merge fails


@dataclass(eq=False)
class MergeTask:
    """A merge that was asked for with ``async=true``: done at once, told when it is due."""

    pull_request: PullRequest
    due: datetime
    error: Exception | None = None


@dataclass(eq=False)
class Step:
    """A step as planned; what it shows at an instant follows from the pipeline's plan and the clock."""

    uuid: str
    name: str | None
    seconds: float
    result: str = "SUCCESSFUL"  # SUCCESSFUL | FAILED | ERROR | STOPPED | NOT_RUN | EXPIRED
    manual: bool = False
    environment: str | None = None  # slug of the environment it deploys to
    image: str = "atlassian/default-image:5"
    script: tuple[str, ...] = ()
    log: str = ""
    test_cases: list[dict[str, Any]] = field(default_factory=list)  # [{name, status, seconds, reason}]
    started_on: datetime | None = None  # fixed once decided (manual steps: when somebody clicks)
    completed_on: datetime | None = None


@dataclass(eq=False)
class Pipeline:
    uuid: str
    build_number: int
    creator: User | None
    target: dict[str, Any]  # wire form with ref/commit/selector, full 40-character hashes
    trigger: str  # PUSH | MANUAL | SCHEDULE | PARENT_STEP
    created_on: datetime
    steps: list[Step]
    parsing_seconds: float = 2.0
    pending_seconds: float = 8.0
    result: str | None = None  # forced result (ERROR, EXPIRED ...); None: follows from the steps
    error: dict[str, str] | None = None
    halted: bool = False  # shows HALTED instead of RUNNING until released
    state_override: dict[str, Any] | None = None  # a state nobody has seen yet, verbatim
    stopped_on: datetime | None = None
    stopped_by: User | None = None
    run_number: int = 1
    labels: dict[str, Any] = field(default_factory=dict)
    variables: list[dict[str, Any]] = field(default_factory=list)  # the API never tells them, the control does


@dataclass(eq=False)
class Environment:
    uuid: str
    name: str
    slug: str
    type: str  # Test | Staging | Production
    rank: int = 0
    locked_by: User | None = None


@dataclass(eq=False)
class Deployment:
    """A deployment of one step of one pipeline; its state follows the step's."""

    uuid: str
    environment: Environment
    pipeline: Pipeline
    step: Step
    release_uuid: str  # the same for all deployments of the pipeline


@dataclass(eq=False)
class PipelineScript:
    """What pipelines of a selector do. The first script of the repository that matches the request is used.

    ``selector`` is the custom pattern, ``"default"``, ``"branches"``, ``"pull-requests"`` or ``"*"`` for every run;
    ``steps`` are dicts of :class:`Step` fields without uuid; without them those of ``bitbucket-pipelines.yml`` are
    played. ``outcomes`` optionally gives, run after run, what differs (a flake: first fails, then passes), the last one
    staying: any of ``result``, ``error``, ``halted``, ``parsing_seconds``, ``pending_seconds``, and ``steps``: other
    steps, or name -> changes, such as ``{"steps": {"Test": {"result": "FAILED", "log": "..."}}}``.
    """

    selector: str
    steps: list[dict[str, Any]]
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    parsing_seconds: float = 2.0
    pending_seconds: float = 8.0
    result: str | None = None
    error: dict[str, str] | None = None
    halted: bool = False
    runs: int = 0


@dataclass(eq=False)
class Repository:
    workspace: Workspace
    slug: str
    name: str
    uuid: str
    project: dict[str, str]  # key, name, uuid
    created_on: datetime
    updated_on: datetime
    description: str = ""
    language: str = "python"
    is_private: bool = True
    size: int = 0
    mainbranch: str | None = "main"
    commits: dict[str, Commit] = field(default_factory=dict)  # by full hash
    branches: dict[str, str] = field(default_factory=dict)  # name -> full hash
    tags: dict[str, Tag] = field(default_factory=dict)
    statuses: dict[tuple[str, str], BuildStatus] = field(default_factory=dict)  # (hash, key)
    pull_requests: dict[int, PullRequest] = field(default_factory=dict)
    feed_version: int = 0  # counts changes of the timelines, so that the feed of them all is sorted once
    default_reviewers: list[User] = field(default_factory=list)
    merge_strategies: tuple[str, ...] = ("merge_commit", "squash", "fast_forward")  # allowed; the first is the default
    pipelines_enabled: bool | None = True  # None: never configured
    pipelines: list[Pipeline] = field(default_factory=list)  # by build number, oldest first
    scripts: list[PipelineScript] = field(default_factory=list)
    environments: list[Environment] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    variables: list[dict[str, Any]] = field(default_factory=list)  # of Pipelines: uuid, key, value, secured
    schedules: list[dict[str, Any]] = field(default_factory=list)  # of Pipelines: uuid, target, cron_pattern, enabled

    @property
    def full_name(self) -> str:
        return f"{self.workspace.slug}/{self.slug}"


@dataclass(eq=False)
class Workspace:
    slug: str
    name: str
    uuid: str
    created_on: datetime
    members: dict[str, str] = field(default_factory=dict)  # user uuid -> owner | collaborator | member
    repositories: dict[str, Repository] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)  # old slug -> new slug: answered 301

    def projects(self) -> dict[str, dict[str, str]]:
        """The projects that its repositories are in, by key."""
        return {one.project["key"]: one.project for one in self.repositories.values()}


@dataclass(eq=False)
class Credential:
    """Something that can sign requests. ``kind`` is what X-Credential-Type says."""

    kind: str  # api_token | repo_access_token | project_access_token | workspace_access_token | oauth2
    secret: str
    user: User
    scopes: frozenset[str]
    login: str | None = None  # the e-mail, for api_token
    workspace: str | None = None  # access tokens and consumers of personal workspaces reach only this one
    repository: str | None = None  # repository access tokens reach only this one
    expires_on: datetime | None = None
    revoked: bool = False
    consumer: str | None = None  # key of the OAuth consumer it was given to, which its requests count against


@dataclass(eq=False)
class Consumer:
    """An OAuth consumer with its key and secret."""

    key: str
    secret: str
    user: User  # the app_user it acts as; its display name is the consumer's
    scopes: frozenset[str]
    private: bool = True
    callback_url: str | None = None  # what every redirect_uri must start with; None: nobody can log in


@dataclass
class Settings:
    """Switches: where facts contradict each other both sides can be played, and limits can be turned on."""

    rate_limit: int | None = None  # requests per rolling emulated hour and credential; None: no limit
    retry_after: str | None = None  # None | "seconds" | "date": whether a 429 says how long; the live API has not been seen to
    pipelines_next_drops_sort: bool = True  # seen for years on the live API
    pipelines_need_trailing_slash: bool = False  # reports differ: without the slash 404, or both work
    closed_on_in_list: bool = True  # undocumented: fields=+values.closed_on works, or is ignored
    activity_feed_ends_early: int | None = None  # the repository-wide feed shows only so many entries
    approvals_move_updated_on: bool = True  # nobody has recorded whether approving moves a pull request's updated_on
    commit_links_app: bool = True  # commit/{c}/pullrequests needs an app to be installed, or answers 404
    sorted_states_fail: bool = False  # sort with several states: a lasting 500, as seen on large repositories
    access_token_seconds: int = 7200
    oauth_scope_key: str = "scope"  # "scope" since 2026-05-04, "scopes" before
    rotate_refresh_tokens: bool = True  # since 2026-05-04 each refresh gives a new refresh token and kills the old one
    strict_refresh_reuse: bool = False  # a killed refresh token that is used again revokes the whole login (RFC 9700, 4.14.2)
    refused_refresh_error: str = "invalid_request"  # as recorded; RFC 6749 says "invalid_grant"


class State:
    """Everything, made by a seed.

    :param seed: the number all ids and stories are drawn from
    :param clock: the emulator's time
    """

    def __init__(self, seed: int = 1, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.random = random.Random(seed)
        self.settings = Settings()
        self.users: dict[str, User] = {}  # by uuid
        self.workspaces: dict[str, Workspace] = {}  # by slug
        self.credentials: list[Credential] = []
        self.consumers: dict[str, Consumer] = {}  # by key
        self.codes: dict[str, Code] = {}  # OAuth authorization codes that nobody has used, by code
        self.logins: list[Login] = []
        self.merge_tasks: dict[str, MergeTask] = {}  # by task id
        self.request_times: dict[str, deque[datetime]] = {}  # by secret: requests of the last hour
        self._counters: dict[str, int] = {}

    def uuid(self) -> str:
        """A new uuid in Bitbucket's form, with braces."""
        return "{" + str(uuid.UUID(int=self.random.getrandbits(128), version=4)) + "}"

    def hash(self) -> str:
        """A new 40-character commit hash."""
        return f"{self.random.getrandbits(160):040x}"

    def number(self, of: str) -> int:
        """The next number of a sequence (comment ids, request ids, ...), starting at 1."""
        self._counters[of] = self._counters.get(of, 0) + 1
        return self._counters[of]

    def repositories(self) -> Iterator[Repository]:
        """All repositories of all workspaces."""
        for workspace in self.workspaces.values():
            yield from workspace.repositories.values()
