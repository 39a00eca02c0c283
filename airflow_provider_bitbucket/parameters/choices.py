"""Parameters whose value is one of a few words; :func:`~airflow_provider_bitbucket.parameters.one_of` checks them.

The names of datasets and metrics are here, and not beside their declarations, because DAG files need them and must not import
the modules of all datasets.
"""

from __future__ import annotations

from typing import Literal

DatasetName = Literal[
    "pull_requests",
    "pull_request_activity",
    "pull_request_commits",
    "diffstats",
    "commits",
    "branches",
    "repositories",
    "members",
    "environments",
    "deployments",
    "reviews",
    "comments",
    "pipelines",
    "pipeline_steps",
    "test_reports",
    "build_statuses",
]
MetricName = Literal[
    "cycle_time",
    "pull_request_times",
    "throughput",
    "review_load",
    "pipeline_health",
    "flakiness",
    "time_to_fix",
    "test_health",
    "dora",
    "deployment_frequency",
    "repository_health",
    "stale_pull_requests",
    "stale_branches",
]
#: When a repository cannot be read: fail, or leave it out and name it in the result.
OnRepositoryError = Literal["fail", "skip"]
#: What a row replaces in a table: the row with the same key, or all rows of the same repositories are replaced together.
WriteMode = Literal["upsert", "replace"]
