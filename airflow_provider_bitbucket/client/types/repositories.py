"""Repositories, and the commits and refs in them."""

from __future__ import annotations

from typing import Literal, TypedDict

from airflow_provider_bitbucket.client.types.accounts import Account, Author
from airflow_provider_bitbucket.client.types.common import HtmlLinks
from airflow_provider_bitbucket.client.types.workspaces import Project

ForkPolicy = Literal["allow_forks", "no_public_forks", "no_forks"]
BranchKind = Literal["feature", "bugfix", "release", "hotfix"]


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
    fork_policy: ForkPolicy
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


class DefaultReviewer(TypedDict, total=False):
    """A default reviewer and where it is set: in the repository or in its project."""

    type: str
    reviewer_type: str
    user: Account


class Group(TypedDict, total=False):
    """A group of a workspace."""

    type: str
    slug: str
    name: str
    full_slug: str


class BranchRestriction(TypedDict, total=False):
    """A rule for the branches of a repository."""

    type: str
    id: int
    kind: str
    branch_match_kind: Literal["branching_model", "glob"]
    branch_type: str
    pattern: str
    value: int | None
    users: list[Account]
    groups: list[Group]


class ModelBranch(TypedDict, total=False):
    """The development or production branch of a branching model; ``name`` is null where the main branch is used."""

    name: str | None
    use_mainbranch: bool
    branch: Branch
    enabled: bool
    is_valid: bool


class BranchType(TypedDict, total=False):
    """A kind of branch and the prefix of its names; ``enabled`` is only in settings."""

    kind: BranchKind
    prefix: str
    enabled: bool


class EffectiveBranchingModel(TypedDict, total=False):
    """The branches and the enabled prefixes of a branching model; ``production`` is absent where it is disabled."""

    type: str
    development: ModelBranch
    production: ModelBranch
    branch_types: list[BranchType]


class BranchingModelSettings(TypedDict, total=False):
    """All settings of a branching model."""

    type: str
    development: ModelBranch
    production: ModelBranch
    branch_types: list[BranchType]


class Download(TypedDict, total=False):
    """A file that is kept beside a repository."""

    type: str
    name: str
    size: int
    downloads: int
    created_on: str
    user: Account | None
    links: HtmlLinks


class Inheritance(TypedDict, total=False):
    """Which settings a repository has of its own instead of its project's."""

    type: str
    override_settings: dict[str, bool]
