"""Start Bitbucket pipelines and wait for them: in the triggerer, in the worker, and with a sensor.

Trigger it with other parameters to run it on a repository of your own; ``custom_pipeline`` is a name under ``custom:`` in
its ``bitbucket-pipelines.yml``.
"""

from __future__ import annotations

from airflow.sdk import Param, dag

from airflow_provider_bitbucket.operators.pipelines import BitbucketTriggerPipelineOperator
from airflow_provider_bitbucket.sensors.pipelines import BitbucketPipelineSensor


@dag(
    schedule=None,
    tags=["bitbucket", "example"],
    params={
        "bitbucket_conn_id": Param(
            "bitbucket_default", type="string", title="Connection", description="Id of a connection of type Bitbucket Cloud."
        ),
        "repository": Param("api", type="string", title="Repository", description="Slug of the repository, or workspace/slug."),
        "branch": Param("main", type="string", title="Branch", description="Branch whose pipeline is started."),
        "custom_pipeline": Param(
            "deploy-staging", type="string", title="Custom pipeline", description="Name under custom: in bitbucket-pipelines.yml."
        ),
    },
    default_args={"bitbucket_conn_id": "{{ params.bitbucket_conn_id }}"},
    doc_md=__doc__,
)
def example_bitbucket_trigger_pipeline() -> None:
    repository, branch = "{{ params.repository }}", "{{ params.branch }}"

    # Waits in the triggerer: no worker slot is held while the pipeline runs.
    BitbucketTriggerPipelineOperator(
        task_id="deploy",
        repository=repository,
        branch=branch,
        custom_pipeline="{{ params.custom_pipeline }}",
        variables={"RELEASE": "{{ run_id }}"},
        deferrable=True,
        poll_interval=5,
        timeout=30 * 60,
    )

    # Waits in the worker.
    BitbucketTriggerPipelineOperator(
        task_id="build", repository=repository, branch=branch, deferrable=False, poll_interval=5, timeout=30 * 60
    )

    # Starts one and lets a sensor wait for it, so that other tasks can run in between.
    start = BitbucketTriggerPipelineOperator(task_id="start", repository=repository, branch=branch, wait_for_completion=False)
    wait = BitbucketPipelineSensor(
        task_id="wait",
        repository=repository,
        pipeline="{{ ti.xcom_pull(task_ids='start', key='pipeline_uuid') }}",
        deferrable=True,
        poke_interval=5,
        timeout=30 * 60,
    )

    start >> wait


example_bitbucket_trigger_pipeline()
