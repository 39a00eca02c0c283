"""What Bitbucket returns, as types. Any key can be absent and nearly any value null, so read them with ``.get()``.

Field names come from Atlassian's published OpenAPI (2026-08). Fields that the document lacks but recorded responses have are
marked "recorded" (2020 to 2026).
"""

from airflow_provider_bitbucket.client.types.accounts import Account, Author
from airflow_provider_bitbucket.client.types.commits import BuildState, BuildStatus, CommitFile, FileChange, FileStatus
from airflow_provider_bitbucket.client.types.common import HtmlLinks, Link, Text
from airflow_provider_bitbucket.client.types.deployments import Deployment, Environment, Release
from airflow_provider_bitbucket.client.types.pipelines import Pipeline, PipelineTarget, Step
from airflow_provider_bitbucket.client.types.pull_requests import (
    ActivityEntry,
    Comment,
    Endpoint,
    Inline,
    MergeFields,
    MergeStatus,
    MergeStrategy,
    Participant,
    PullRequest,
    PullRequestFields,
    PullRequestState,
    Resolution,
    Task,
)
from airflow_provider_bitbucket.client.types.repositories import (
    Branch,
    BranchingModelSettings,
    BranchKind,
    BranchRestriction,
    BranchType,
    Commit,
    DefaultReviewer,
    Download,
    EffectiveBranchingModel,
    ForkPolicy,
    Group,
    Inheritance,
    ModelBranch,
    Repository,
    Tag,
)
from airflow_provider_bitbucket.client.types.workspaces import Membership, Project, Workspace

__all__ = [
    "Account",
    "ActivityEntry",
    "Author",
    "Branch",
    "BranchKind",
    "BranchRestriction",
    "BranchType",
    "BranchingModelSettings",
    "BuildState",
    "BuildStatus",
    "Comment",
    "Commit",
    "CommitFile",
    "DefaultReviewer",
    "Deployment",
    "Download",
    "EffectiveBranchingModel",
    "Endpoint",
    "Environment",
    "FileChange",
    "FileStatus",
    "ForkPolicy",
    "Group",
    "HtmlLinks",
    "Inheritance",
    "Inline",
    "Link",
    "Membership",
    "MergeFields",
    "MergeStatus",
    "MergeStrategy",
    "ModelBranch",
    "Participant",
    "Pipeline",
    "PipelineTarget",
    "Project",
    "PullRequest",
    "PullRequestFields",
    "PullRequestState",
    "Release",
    "Repository",
    "Resolution",
    "Step",
    "Tag",
    "Task",
    "Text",
    "Workspace",
]
