"""Every operator and sensor with parameters that make it valid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bitbucket.operators.api import BitbucketApiOperator
from airflow_provider_bitbucket.operators.approval import BitbucketApprovalOperator
from airflow_provider_bitbucket.operators.build_statuses import BitbucketBuildStatusOperator
from airflow_provider_bitbucket.operators.code_insights import BitbucketCodeInsightsOperator
from airflow_provider_bitbucket.operators.downloads import BitbucketUploadDownloadOperator
from airflow_provider_bitbucket.operators.environments import BitbucketEnsureEnvironmentsOperator
from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator
from airflow_provider_bitbucket.operators.files import BitbucketCommitFilesOperator, BitbucketProposeChangeOperator
from airflow_provider_bitbucket.operators.metrics import BitbucketMetricsOperator
from airflow_provider_bitbucket.operators.pipeline_schedules import BitbucketEnsurePipelineSchedulesOperator
from airflow_provider_bitbucket.operators.pipeline_stop import BitbucketStopPipelineOperator
from airflow_provider_bitbucket.operators.pipeline_variables import BitbucketSetPipelineVariablesOperator
from airflow_provider_bitbucket.operators.pipelines import BitbucketTriggerPipelineOperator
from airflow_provider_bitbucket.operators.pull_request_comments import (
    BitbucketPullRequestCommentOperator,
    BitbucketPullRequestTaskOperator,
)
from airflow_provider_bitbucket.operators.pull_requests import (
    BitbucketCreatePullRequestOperator,
    BitbucketDeclinePullRequestOperator,
    BitbucketMergePullRequestOperator,
    BitbucketReviewPullRequestOperator,
    BitbucketUpdatePullRequestOperator,
)
from airflow_provider_bitbucket.operators.refs import (
    BitbucketCreateBranchOperator,
    BitbucketCreateTagOperator,
    BitbucketDeleteBranchOperator,
    BitbucketDeleteTagOperator,
)
from airflow_provider_bitbucket.operators.report import BitbucketReportOperator
from airflow_provider_bitbucket.operators.repositories import BitbucketListRepositoriesOperator
from airflow_provider_bitbucket.operators.repository_changes import (
    BitbucketCreateRepositoryOperator,
    BitbucketDeleteRepositoryOperator,
    BitbucketForkRepositoryOperator,
)
from airflow_provider_bitbucket.operators.sql import BitbucketToSqlOperator
from airflow_provider_bitbucket.operators.webhooks import BitbucketEnsureWebhookOperator
from airflow_provider_bitbucket.sensors.build_statuses import BitbucketBuildStatusSensor
from airflow_provider_bitbucket.sensors.deployments import BitbucketDeploymentSensor
from airflow_provider_bitbucket.sensors.pipelines import BitbucketPipelineSensor
from airflow_provider_bitbucket.sensors.pull_requests import BitbucketPullRequestSensor
from airflow_provider_bitbucket.sensors.refs import BitbucketRefSensor

#: Parameters that are valid together; several where some exclude each other.
CLASSES: list[tuple[type[Any], Mapping[str, Any]]] = [
    (BitbucketExtractOperator, {"repositories": "api", "bots": ["x"], "output_path": "file:///nowhere/x.parquet"}),
    (
        BitbucketMetricsOperator,
        {"metric": "dora", "group_by": "week", "incidents": [], "output_path": "file:///nowhere/x.parquet"},
    ),
    (
        BitbucketCommitFilesOperator,
        {"repository": "api", "files": {"a": "b"}, "delete": "c", "message": "x", "author": "x", "branch": "x", "base": "x"},
    ),
    (
        BitbucketProposeChangeOperator,
        {
            "repository": "api",
            "files": {"a": "b"},
            "delete": "c",
            "message": "x",
            "author": "x",
            "branch": "x",
            "destination": "x",
            "title": "x",
            "description": "x",
            "reviewers": "x",
        },
    ),
    (BitbucketCreateBranchOperator, {"repository": "api", "branch": "x", "target": "main"}),
    (BitbucketCreateTagOperator, {"repository": "api", "tag": "x", "target": "main", "message": "x"}),
    (BitbucketDeleteBranchOperator, {"repository": "api", "branch": "x"}),
    (BitbucketDeleteTagOperator, {"repository": "api", "tag": "x"}),
    (BitbucketCreateRepositoryOperator, {"repository": "api", "project": "X", "description": "x"}),
    (BitbucketForkRepositoryOperator, {"repository": "api", "name": "x", "to_workspace": "x"}),
    (BitbucketDeleteRepositoryOperator, {"repository": "api", "allow_delete": True}),
    (BitbucketUploadDownloadOperator, {"repository": "api", "files": {"a": "b"}}),
    (
        BitbucketReportOperator,
        {
            "output_path": "file:///nowhere/x.html",
            "title": "x",
            "incidents": [],
            "page_url": "https://x.example/",
            "exclude_people": "x",
        },
    ),
    (BitbucketToSqlOperator, {"sql_conn_id": "x", "table": "x"}),
    (BitbucketToSqlOperator, {"sql_conn_id": "x", "table": "x", "metric": "dora", "group_by": ["week"], "incidents": []}),
    (BitbucketListRepositoriesOperator, {"project": "X", "name": "x"}),
    (
        BitbucketTriggerPipelineOperator,
        {"repository": "api", "branch": "main", "custom_pipeline": "x", "variables": {}, "pipeline_yaml": "x"},
    ),
    (BitbucketTriggerPipelineOperator, {"repository": "api", "tag": "x", "selector": {"type": "custom", "pattern": "x"}}),
    (BitbucketTriggerPipelineOperator, {"repository": "api", "commit": "abcdef1", "custom_pipeline": "x"}),
    (BitbucketTriggerPipelineOperator, {"repository": "api", "pull_request": 1}),
    (BitbucketStopPipelineOperator, {"repository": "api", "pipeline": 1}),
    (BitbucketSetPipelineVariablesOperator, {"variables": {"A": "b"}, "repository": "api", "environment": "test"}),
    (BitbucketEnsureEnvironmentsOperator, {"repository": "api", "environments": {"QA": "Test"}}),
    (
        BitbucketEnsurePipelineSchedulesOperator,
        {"repository": "api", "branch": "main", "cron_patterns": "0 0 2 * * ? *", "custom_pipeline": "x"},
    ),
    (
        BitbucketEnsurePipelineSchedulesOperator,
        {"repository": "api", "branch": "main", "cron_patterns": [], "selector": {"type": "custom", "pattern": "x"}},
    ),
    (
        BitbucketEnsureWebhookOperator,
        {"url": "https://x.example", "events": "repo:push", "repository": "api", "description": "x", "secret_conn_id": "x"},
    ),
    (BitbucketApiOperator, {"path": "/x", "path_parameters": {"a": "b"}, "query": {}, "body": {}, "headers": {"a": "b"}}),
    (
        BitbucketCreatePullRequestOperator,
        {"repository": "api", "source": "x", "destination": "main", "title": "x", "description": "x", "reviewers": ["x"]},
    ),
    (
        BitbucketUpdatePullRequestOperator,
        {
            "repository": "api",
            "pull_request": 1,
            "title": "x",
            "description": "x",
            "destination": "main",
            "reviewers": ["x"],
        },
    ),
    (BitbucketMergePullRequestOperator, {"repository": "api", "pull_request": 1, "message": "x"}),
    (BitbucketApprovalOperator, {"repository": "api", "pull_request": 1}),
    (
        BitbucketApprovalOperator,
        {"repository": "api", "source": "x", "title": "x", "destination": "main", "description": "x", "reviewers": ["x"]},
    ),
    (BitbucketDeclinePullRequestOperator, {"repository": "api", "pull_request": 1, "message": "x"}),
    (BitbucketReviewPullRequestOperator, {"repository": "api", "pull_request": 1, "review": "approve"}),
    (
        BitbucketPullRequestCommentOperator,
        {"repository": "api", "pull_request": 1, "text": "x", "key": "x", "path": "x", "line": 1},
    ),
    (BitbucketPullRequestTaskOperator, {"repository": "api", "pull_request": 1, "text": "x"}),
    (
        BitbucketBuildStatusOperator,
        {
            "repository": "api",
            "commit": "abcdef1",
            "state": "FAILED",
            "key": "x",
            "name": "x",
            "description": "x",
            "url": "https://x",
            "refname": "x",
        },
    ),
    (
        BitbucketCodeInsightsOperator,
        {"repository": "api", "commit": "abcdef1", "results": "x", "manifest": "x"}
        | dict.fromkeys(("path", "destination", "report", "title", "link"), "x"),
    ),
    (BitbucketBuildStatusSensor, {"repository": "api", "commit": "abcdef1", "keys": ["x"]}),
    (BitbucketBuildStatusSensor, {"repository": "api", "branch": "main"}),
    (BitbucketDeploymentSensor, {"repository": "api", "environment": "test", "commit": "abcdef1"}),
    (BitbucketDeploymentSensor, {"repository": "api", "environment": "test", "pipeline": 1}),
    (BitbucketPipelineSensor, {"repository": "api", "pipeline": 1}),
    (BitbucketPullRequestSensor, {"repository": "api", "pull_request": 1}),
    (BitbucketPullRequestSensor, {"repository": "api", "pull_request": 1, "approvals": 1, "at_commit": "abcdef1"}),
    (BitbucketRefSensor, {"repository": "api", "branch": "main", "commit": "abcdef1"}),
    (BitbucketRefSensor, {"repository": "api", "tag": "x", "moved_from": "abcdef1"}),
]
IDS = [f"{cls.__name__}-{number}" for number, (cls, _) in enumerate(CLASSES)]
_SHARED = (
    "repositories",
    "since",
    "until",
    "bots",
    "project",
    "name",
    "updated_since",
    "bitbucket_conn_id",
    "workspace",
    "run_as",
)


def fields(cls: type[Any], valid: Mapping[str, Any]) -> list[str]:
    """Return the template fields that may be set beside these parameters."""
    return [name for name in cls.template_fields if name in valid or name in _SHARED]
