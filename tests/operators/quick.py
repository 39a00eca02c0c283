"""The pipeline operators with durations of milliseconds."""

from __future__ import annotations

from typing import ClassVar

from airflow_provider_bitbucket.operators.pipeline_stop import BitbucketStopPipelineOperator
from airflow_provider_bitbucket.operators.pipelines import BitbucketTriggerPipelineOperator
from airflow_provider_bitbucket.pipeline_runs.policies import SearchPolicy, StopPolicy
from airflow_provider_bitbucket.triggers.pipelines import BitbucketPipelineTrigger
from tests.triggers.quick import quick


class QuickPipelineOperator(BitbucketTriggerPipelineOperator):
    """Start a pipeline, with short pauses and waits."""

    search_policy: ClassVar[SearchPolicy] = SearchPolicy(pause_seconds=0.01, retry_seconds=0.1)
    timeout_stop_policy: ClassVar[StopPolicy] = StopPolicy(request_seconds=60, wait_seconds=0.2, poll_seconds=0.05)
    kill_stop_policy: ClassVar[StopPolicy] = StopPolicy(request_seconds=2, wait_seconds=0.05, poll_seconds=0.05)

    def trigger(self, pipeline: str) -> BitbucketPipelineTrigger:
        waits: BitbucketPipelineTrigger = quick(super().trigger(pipeline))
        return waits


class QuickStopOperator(BitbucketStopPipelineOperator):
    """Stop a pipeline, with short pauses between two polls."""

    stop_policy: ClassVar[StopPolicy] = StopPolicy(poll_seconds=0.05)
