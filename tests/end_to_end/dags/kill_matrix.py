"""DAGs of the kill matrix, which start one pipeline in the repository that the run names."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import dag

from airflow_provider_bitbucket.operators.pipelines import BitbucketTriggerPipelineOperator


def start_pipeline(deferrable: bool) -> None:
    BitbucketTriggerPipelineOperator(
        task_id="run",
        repository="{{ params.repository }}",
        branch="main",
        deferrable=deferrable,
        poll_interval=2,
        timeout=1800,
        retries=99,
        retry_delay=timedelta(0),
    )


@dag(schedule=None, params={"repository": "api"})
def once_blocking() -> None:
    start_pipeline(deferrable=False)


@dag(schedule=None, params={"repository": "api"})
def once_deferrable() -> None:
    start_pipeline(deferrable=True)


once_blocking()
once_deferrable()
