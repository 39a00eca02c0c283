"""Repositories."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bitbucket_cloud_emulator.commits.models import BuildStatus, Commit
from bitbucket_cloud_emulator.deployments.models import Deployment, Environment
from bitbucket_cloud_emulator.downloads.models import Download
from bitbucket_cloud_emulator.pipelines.models import Pipeline, PipelineScript, Schedule, Variable
from bitbucket_cloud_emulator.pull_requests.models import PullRequest
from bitbucket_cloud_emulator.refs.models import Tag
from bitbucket_cloud_emulator.reports.models import Report
from bitbucket_cloud_emulator.users.models import User
from bitbucket_cloud_emulator.webhooks.models import Webhook
from bitbucket_cloud_emulator.workspaces.models import BranchingModel, Project, Workspace


@dataclass(eq=False)
class Repository:
    workspace: Workspace
    slug: str
    name: str
    uuid: str
    project: Project
    created_on: datetime
    updated_on: datetime
    description: str = ""
    language: str = "python"
    is_private: bool = True
    fork_policy: str = "no_public_forks"
    parent: Repository | None = None  # what it is a fork of
    size: int = 0
    mainbranch: str | None = "main"
    commits: dict[str, Commit] = field(default_factory=dict)  # by full hash
    branches: dict[str, str] = field(default_factory=dict)  # name -> full hash
    tags: dict[str, Tag] = field(default_factory=dict)
    statuses: dict[tuple[str, str], BuildStatus] = field(default_factory=dict)  # (hash, key)
    reports: dict[str, dict[str, Report]] = field(default_factory=dict)  # full hash -> external id -> report
    pull_requests: dict[int, PullRequest] = field(default_factory=dict)
    feed_version: int = 0  # counts changes of the timelines, so that the feed of them all is sorted once
    default_reviewers: list[User] = field(default_factory=list)
    branch_restrictions: dict[int, dict[str, Any]] = field(default_factory=dict)  # by id, as they are answered without links
    branching_model: BranchingModel = field(default_factory=BranchingModel)
    overrides: dict[str, bool] = field(  # what it has of its own instead of its project's
        default_factory=lambda: {"default_merge_strategy": False, "branching_model": False}
    )
    downloads: dict[str, Download] = field(default_factory=dict)  # by file name
    merge_strategies: tuple[str, ...] = ("merge_commit", "squash", "fast_forward")  # allowed; the first is the default
    pipelines_enabled: bool | None = True  # None: never configured
    pipelines: list[Pipeline] = field(default_factory=list)  # by build number, oldest first
    scripts: list[PipelineScript] = field(default_factory=list)
    environments: list[Environment] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    git_directory: str | None = None  # a git repository on disk, served over HTTP
    variables: list[Variable] = field(default_factory=list)
    schedules: list[Schedule] = field(default_factory=list)
    deleted_caches: set[str] = field(default_factory=set)  # uuids
    webhooks: list[Webhook] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        return f"{self.workspace.slug}/{self.slug}"
