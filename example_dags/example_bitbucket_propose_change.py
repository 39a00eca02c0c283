"""Propose a change of a file, wait until a person has approved it, and merge it.

The file is committed to a branch without a clone. The same run twice gives one commit, one pull request and one merge. While it
waits for the approval it holds no worker. Needs credentials that may write the repository and its pull requests.
"""

from __future__ import annotations

from airflow.sdk import Param, chain, dag

from airflow_provider_bitbucket.operators.files import BitbucketCommitFilesOperator
from airflow_provider_bitbucket.operators.pull_requests import (
    BitbucketCreatePullRequestOperator,
    BitbucketMergePullRequestOperator,
)
from airflow_provider_bitbucket.sensors.pull_requests import BitbucketPullRequestSensor


@dag(
    schedule=None,
    tags=["bitbucket", "example"],
    params={
        "repository": Param("api", type="string", title="Repository", description="Slug of the repository."),
        "branch": Param("config/limits", type="string", title="Branch", description="Created if it is missing."),
        "limit": Param(100, type="integer", minimum=1, title="Limit", description="The new value in config/limits.yml."),
    },
    doc_md=__doc__,
)
def example_bitbucket_propose_change() -> None:
    repository = "{{ params.repository }}"
    committed = BitbucketCommitFilesOperator(
        task_id="committed",
        repository=repository,
        branch="{{ params.branch }}",
        create_branch=True,
        message="Set the limit to {{ params.limit }}",
        files={"config/limits.yml": "limit: {{ params.limit }}\n"},
    )
    opened = BitbucketCreatePullRequestOperator(
        task_id="opened",
        repository=repository,
        source="{{ params.branch }}",
        title="Set the limit to {{ params.limit }}",
        description="Proposed by `{{ dag.dag_id }}`, run `{{ run_id }}`.",
        reviewers="default",
        close_source_branch=True,
    )
    number = opened.output["id"]
    approved = BitbucketPullRequestSensor(
        task_id="approved", repository=repository, pull_request=number, approvals=1, poke_interval=60, deferrable=True
    )
    merged = BitbucketMergePullRequestOperator(task_id="merged", repository=repository, pull_request=number)
    chain(committed, opened, approved, merged)


example_bitbucket_propose_change()
