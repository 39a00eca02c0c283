"""Wait for a Bitbucket pipeline that was started elsewhere."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from airflow_provider_bitbucket.exceptions import BitbucketPipelineLostError
from airflow_provider_bitbucket.hooks.pipelines import named_pipeline
from airflow_provider_bitbucket.parameters import Templated
from airflow_provider_bitbucket.sensors.base import BitbucketSensor

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_provider_bitbucket.sensors.base import SensorParameters
    from airflow_provider_bitbucket.triggers.base import WaitParameters
    from airflow_provider_bitbucket.triggers.pipelines import BitbucketPipelineTrigger
    from airflow_provider_bitbucket.triggers.wait_condition import WaitEvent

__all__ = ["BitbucketPipelineSensor"]


class BitbucketPipelineSensor(BitbucketSensor):
    """Wait until a pipeline has finished; it is successful, or the sensor fails (``soft_fail``: is skipped).

    A failed pipeline fails the sensor without retries, which would find the same failed pipeline. The pipeline is never stopped,
    because this task did not start it. Returns a small dictionary about the pipeline.

    :param pipeline: uuid or build number of the pipeline
    :param sensor: ``repository`` and the parameters of all sensors; see
        :class:`~airflow_provider_bitbucket.sensors.base.BitbucketSensor`
    """

    template_fields = (*BitbucketSensor.template_fields, "pipeline")
    pipeline = Templated()
    parameter_kinds = {**BitbucketSensor.parameter_kinds, "pipeline": named_pipeline}
    unmet = "The pipeline had not finished"
    lost_error = BitbucketPipelineLostError

    def __init__(self, *, pipeline: str | int, **sensor: Unpack[SensorParameters]) -> None:
        super().__init__(**sensor)
        self.pipeline = pipeline

    def trigger(self, **common: Unpack[WaitParameters]) -> BitbucketPipelineTrigger:
        """Return the trigger that waits."""
        from airflow_provider_bitbucket.triggers.pipelines import BitbucketPipelineTrigger

        return BitbucketPipelineTrigger(pipeline=str(self.pipeline), **common)

    def _failure(self, event: WaitEvent) -> str:
        from airflow_provider_bitbucket.pipeline_runs.failure import explain_failure

        why = explain_failure(partial(self.hook.get_conn, "brief"), self.repository, event["found"]["uuid"])
        return f"{event['message']}\n{why}"
