"""Many deferred waits at once; the run's configuration says for which pipelines."""

from __future__ import annotations

from airflow.sdk import dag, task

from airflow_provider_bitbucket.operators.pipelines import BitbucketTriggerPipelineOperator


@dag(schedule=None, max_active_tasks=64)
def soak() -> None:
    @task
    def which(params: dict | None = None) -> list[str]:
        return params["pipelines"]

    BitbucketTriggerPipelineOperator.partial(
        task_id="wait", repository="api", branch="main", deferrable=True, poll_interval=10, timeout=3600, retries=0
    ).expand(custom_pipeline=which())


soak()
