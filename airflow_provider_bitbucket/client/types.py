"""What Bitbucket returns, as types. Any key can be absent and nearly any value null, so read them with ``.get()``.

Field names come from Atlassian's published OpenAPI (2026-08). Fields that the document lacks but recorded responses have are
marked "recorded" (2020 to 2026).
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

PullRequestState = Literal["OPEN", "MERGED", "DECLINED", "SUPERSEDED"]
BuildState = Literal["FAILED", "INPROGRESS", "STOPPED", "SUCCESSFUL"]
FileStatus = Literal["added", "removed", "modified", "renamed"]


class Link(TypedDict, total=False):
    """An address."""

    href: str
    name: str


class HtmlLinks(TypedDict, total=False):
    """The addresses of an object, as far as they are used here."""

    self: Link
    html: Link


class Text(TypedDict, total=False):
    """A text in its markup and rendered."""

    raw: str
    markup: str
    html: str


class Account(TypedDict, total=False):
    """A person, team or app. ``nickname`` and ``account_id`` are only those of people."""

    type: str
    uuid: str
    display_name: str
    nickname: str
    account_id: str
    links: HtmlLinks


class Author(TypedDict, total=False):
    """Who wrote a commit: the text in git, and the account if Bitbucket knows it."""

    type: str
    raw: str
    user: Account | None


class Project(TypedDict, total=False):
    """A project of a workspace."""

    type: str
    uuid: str
    key: str
    name: str


class Workspace(TypedDict, total=False):
    """A workspace."""

    type: str
    uuid: str
    name: str
    slug: str


class Membership(TypedDict, total=False):
    """A member of a workspace."""

    type: str
    user: Account
    workspace: Workspace


class Commit(TypedDict, total=False):
    """A commit. In pull requests and pipelines only ``hash`` is present, with 12 characters in pull requests."""

    type: str
    hash: str
    date: str
    author: Author | None
    message: str
    parents: list[Commit]
    repository: Repository


class Branch(TypedDict, total=False):
    """A branch with its head."""

    type: str
    name: str
    target: Commit | None
    links: HtmlLinks


class Tag(TypedDict, total=False):
    """A tag with its commit."""

    type: str
    name: str
    target: Commit | None
    message: str | None
    date: str | None
    tagger: Author | None
    links: HtmlLinks


class Repository(TypedDict, total=False):
    """A repository."""

    type: str
    uuid: str
    name: str
    full_name: str
    slug: str  # recorded
    is_private: bool
    description: str
    language: str
    size: int
    created_on: str
    updated_on: str
    mainbranch: Branch | None
    project: Project | None
    owner: Account | None
    parent: Repository | None
    links: HtmlLinks


class Participant(TypedDict, total=False):
    """An account's part in a pull request."""

    type: str
    user: Account | None
    role: Literal["PARTICIPANT", "REVIEWER"]
    approved: bool
    state: Literal["approved", "changes_requested"] | None
    participated_on: str | None


class Endpoint(TypedDict, total=False):
    """Source or destination of a pull request. The repository of a deleted fork is null."""

    repository: Repository | None
    branch: Branch
    commit: Commit | None


class PullRequest(TypedDict, total=False):
    """A pull request. Lists leave out ``participants`` and ``reviewers`` unless ``fields`` asks for them."""

    type: str
    id: int
    title: str
    description: str
    state: PullRequestState
    draft: bool
    queued: bool
    author: Account | None
    source: Endpoint
    destination: Endpoint
    merge_commit: Commit | None
    close_source_branch: bool
    closed_by: Account | None
    closed_on: str | None  # recorded
    reason: str
    comment_count: int
    task_count: int
    created_on: str
    updated_on: str
    reviewers: list[Account]
    participants: list[Participant]
    links: HtmlLinks


class Inline(TypedDict, total=False):
    """Where in a file a comment stands."""

    path: str
    to: int | None
    start_to: int | None
    start_from: int | None


class Comment(TypedDict, total=False):
    """A comment on a pull request."""

    type: str
    id: int
    content: Text
    user: Account | None
    created_on: str
    updated_on: str
    deleted: bool
    pending: bool
    inline: Inline
    parent: Comment | None
    links: HtmlLinks


class ActivityEntry(TypedDict, total=False):
    """An entry of a timeline (recorded): one of ``update``, ``approval``, ``changes_requested`` and ``comment``."""

    pull_request: PullRequest
    update: dict[str, Any]
    approval: dict[str, Any]
    changes_requested: dict[str, Any]
    comment: Comment


class CommitFile(TypedDict, total=False):
    """A file at a commit."""

    type: str
    path: str
    escaped_path: str
    attributes: str
    commit: Commit


class FileChange(TypedDict, total=False):
    """A changed file of a diff."""

    type: str
    status: FileStatus
    lines_added: int
    lines_removed: int
    old: CommitFile | None
    new: CommitFile | None


class BuildStatus(TypedDict, total=False):
    """A status that a build reported for a commit; it has no id, ``key`` is unique within the commit."""

    type: str
    key: str
    name: str
    state: BuildState
    description: str
    url: str
    refname: str | None
    created_on: str
    updated_on: str


class PipelineTarget(TypedDict, total=False):
    """What a pipeline runs on."""

    type: str
    ref_type: str
    ref_name: str
    commit: Commit | None
    selector: dict[str, str]


class Pipeline(TypedDict, total=False):
    """A pipeline; :func:`~airflow_provider_bitbucket.client.pipeline_state.evaluate` reads its state."""

    type: str
    uuid: str
    build_number: int
    state: dict[str, Any]
    target: PipelineTarget
    trigger: dict[str, Any]
    creator: Account | None
    repository: Repository
    created_on: str
    completed_on: str | None
    build_seconds_used: int
    duration_in_seconds: int  # recorded
    variables: list[dict[str, Any]]


class Step(TypedDict, total=False):
    """A step of a pipeline."""

    type: str
    uuid: str
    name: str  # recorded
    state: dict[str, Any]
    started_on: str | None
    completed_on: str | None
    duration_in_seconds: int  # recorded


class Environment(TypedDict, total=False):
    """A deployment environment."""

    type: str
    uuid: str
    name: str
    slug: str  # recorded
    rank: int  # recorded
    environment_type: dict[str, Any]  # recorded


class Release(TypedDict, total=False):
    """What a deployment deployed."""

    type: str
    uuid: str
    name: str
    url: str
    commit: Commit
    created_on: str


class Deployment(TypedDict, total=False):
    """A deployment."""

    type: str
    uuid: str
    state: dict[str, Any]
    environment: Environment
    release: Release
    deployable: dict[str, Any]  # recorded
    step: Step  # recorded
    number: int  # recorded
    last_update_time: str  # recorded
