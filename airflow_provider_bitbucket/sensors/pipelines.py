"""Wait for a Bitbucket pipeline that something else started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_bitbucket.exceptions import BitbucketPipelineLostError
from airflow_provider_bitbucket.hooks.pipelines import explaining_hook, named_pipeline
from airflow_provider_bitbucket.parameters import Templated
from airflow_provider_bitbucket.pipeline_runs.explain import explain_failure
from airflow_provider_bitbucket.sensors.waiting import BitbucketSensor
from airflow_provider_bitbucket.triggers.pipelines import BitbucketPipelineTrigger


class BitbucketPipelineSensor(BitbucketSensor):
    """Wait until a pipeline is done; it is successful, or the sensor fails (``soft_fail``: is skipped).

    A failed pipeline fails the sensor for good: another try would find the same pipeline failed. The pipeline is never
    stopped, because somebody else started it. Returns a small dictionary about the pipeline.

    :param pipeline: uuid or build number of the pipeline
    :param sensor: ``repository`` and what all sensors have; see
        :class:`~airflow_provider_bitbucket.sensors.waiting.BitbucketSensor`
    """

    template_fields = (*BitbucketSensor.template_fields, "pipeline")
    pipeline = Templated()
    parameter_kinds = {**BitbucketSensor.parameter_kinds, "pipeline": named_pipeline}
    what = "The pipeline was not over"
    lost_error = BitbucketPipelineLostError

    def __init__(self, *, pipeline: str | int, **sensor: Any) -> None:
        super().__init__(**sensor)
        self.pipeline = pipeline

    def trigger(self, **common: Any) -> BitbucketPipelineTrigger:
        """Return what waits."""
        return BitbucketPipelineTrigger(pipeline=self.pipeline, **common)

    def _found(self, event: Mapping[str, Any]) -> dict[str, Any]:
        pipeline: dict[str, Any] = event["pipeline"]
        return pipeline

    def _why(self, event: Mapping[str, Any]) -> str:
        pipeline = event["pipeline"]
        explaining = explaining_hook(self.bitbucket_conn_id, self.workspace, self.run_as)
        why = explain_failure(explaining.get_conn, self.repository, pipeline["uuid"])
        return f"{event['message']} {pipeline['url']}\n{why}"
