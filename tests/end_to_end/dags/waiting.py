"""A DAG that starts one pipeline and waits for it in the triggerer."""

from __future__ import annotations

from airflow.sdk import dag

from airflow_provider_bitbucket.operators.pipelines import BitbucketTriggerPipelineOperator


@dag(schedule=None, params={"custom_pipeline": "deploy-staging"})
def wait_deferred() -> None:
    BitbucketTriggerPipelineOperator(
        task_id="run",
        repository="api",
        branch="main",
        custom_pipeline="{{ params.custom_pipeline }}",
        variables=[{"key": "PASSWORD", "value": "{{ var.value.deploy_phrase }}", "secured": True}],
        deferrable=True,
        poll_interval=2,
        timeout=600,
    )


wait_deferred()
