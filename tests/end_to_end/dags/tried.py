"""DAGs that start one pipeline with a secured variable through the connection that the run names, in one or two attempts."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_provider_bitbucket.operators.pipelines import BitbucketTriggerPipelineOperator

PARAMS = {"bitbucket_conn_id": "bitbucket_default", "repository": "api", "custom_pipeline": "deploy-staging", "note": ""}

for name, attempts in {"tried_once": 1, "tried_twice": 2}.items():
    with DAG(name, schedule=None, params=PARAMS) as dag:
        BitbucketTriggerPipelineOperator(
            task_id="run",
            bitbucket_conn_id="{{ params.bitbucket_conn_id }}",
            repository="{{ params.repository }}",
            branch="main",
            custom_pipeline="{{ params.custom_pipeline }}",
            variables=[
                {"key": "PASSWORD", "value": "{{ var.value.deploy_phrase }}", "secured": True},
                {"key": "NOTE", "value": "{{ params.note }}"},
            ],
            deferrable=attempts > 1,
            poll_interval=2,
            timeout=600,
            retries=attempts - 1,
            retry_delay=timedelta(seconds=1),
        )
    globals()[name] = dag
