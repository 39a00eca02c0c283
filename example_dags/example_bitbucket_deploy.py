"""Deploy the newest open pull request: its build status shows the deployment, and a failed one is a comment on it.

Set ``deploy`` to a custom pipeline that does not exist to see the status and the comment of a failure.
"""

from __future__ import annotations

from airflow.sdk import Param, dag, task

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.notifications.build_statuses import BitbucketBuildStatusNotifier
from airflow_provider_bitbucket.notifications.pull_requests import BitbucketPullRequestCommentNotifier
from airflow_provider_bitbucket.operators.pipelines import BitbucketTriggerPipelineOperator

REPOSITORY = {"bitbucket_conn_id": "{{ params.bitbucket_conn_id }}", "repository": "{{ params.repository }}"}


@dag(
    schedule=None,
    tags=["bitbucket", "example"],
    params={
        "bitbucket_conn_id": Param("bitbucket_default", title="Connection", description="Connection of type bitbucket."),
        "repository": Param("api", title="Repository", description="Slug of the repository."),
        "deploy": Param("deploy-staging", title="Pipeline", description="Custom pipeline that deploys."),
    },
    doc_md=__doc__,
)
def example_bitbucket_deploy() -> None:
    @task
    def newest_pull_request(params: dict | None = None) -> dict:
        """Return number, branch and newest commit of the newest open pull request."""
        client = BitbucketHook(params["bitbucket_conn_id"]).get_conn()
        newest = max(client.pull_requests.list(params["repository"], states=["OPEN"]), key=lambda one: one["id"])
        source = newest["source"]
        return {"number": newest["id"], "branch": source["branch"]["name"], "commit": source["commit"]["hash"]}

    chosen = newest_pull_request()
    status = BitbucketBuildStatusNotifier(commit="{{ ti.xcom_pull('newest_pull_request')['commit'] }}", **REPOSITORY)
    comment = BitbucketPullRequestCommentNotifier(
        pull_request="{{ ti.xcom_pull('newest_pull_request')['number'] }}", **REPOSITORY
    )
    BitbucketTriggerPipelineOperator(
        task_id="deploy",
        branch=chosen["branch"],
        custom_pipeline="{{ params.deploy }}",
        deferrable=True,
        poll_interval=5,
        timeout=30 * 60,
        on_execute_callback=status,
        on_success_callback=status,
        on_failure_callback=[status, comment],
        **REPOSITORY,
    )


example_bitbucket_deploy()
