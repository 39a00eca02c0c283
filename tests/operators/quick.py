"""The pipeline operators with durations of milliseconds."""

from __future__ import annotations

from typing import ClassVar

from airflow_provider_bitbucket.operators.pipelines import BitbucketStopPipelineOperator, BitbucketTriggerPipelineOperator
from airflow_provider_bitbucket.pipeline_runs.policies import SearchPolicy, StopPolicy


class QuickPipelineOperator(BitbucketTriggerPipelineOperator):
    """Start a pipeline, with short pauses and waits."""

    search_policy: ClassVar[SearchPolicy] = SearchPolicy(pause_seconds=0.01, retry_seconds=0.1)
    timeout_stop_policy: ClassVar[StopPolicy] = StopPolicy(request_seconds=60, wait_seconds=0.2, poll_seconds=0.05)
    kill_stop_policy: ClassVar[StopPolicy] = StopPolicy(request_seconds=2, wait_seconds=0.05, poll_seconds=0.05)


class QuickStopOperator(BitbucketStopPipelineOperator):
    """Stop a pipeline, with short pauses between two polls."""

    stop_policy: ClassVar[StopPolicy] = StopPolicy(poll_seconds=0.05)
