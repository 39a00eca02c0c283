"""Wait for a deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_bitbucket.parameters import Templated, name_if_given, required_name
from airflow_provider_bitbucket.sensors.base import BitbucketSensor
from airflow_provider_bitbucket.sensors.parameters import hash_of, one_given

if TYPE_CHECKING:
    from typing import Unpack

    from airflow_provider_bitbucket.sensors.base import SensorParameters
    from airflow_provider_bitbucket.triggers.base import WaitParameters
    from airflow_provider_bitbucket.triggers.deployments import BitbucketDeploymentTrigger

__all__ = ["BitbucketDeploymentSensor"]


class BitbucketDeploymentSensor(BitbucketSensor):
    """Wait until a commit, or the build of a pipeline, is deployed to an environment.

    FAILED or STOPPED fails the sensor without retries (``soft_fail``: skips it). A deployment that has not begun is waited for
    until the timeout, also if its pipeline will never deploy (it failed before, or a manual step is not started). Of several
    deployments the one that began last counts. Returns ``uuid``, ``environment``, ``state``, ``status``, ``commit``,
    ``pipeline``, ``build_number``, ``started_on``, ``completed_on`` and ``url``.

    :param environment: name, slug or uuid of the environment
    :param commit: hash of the commit, at least 7 characters of it; exactly one of commit and pipeline is given
    :param pipeline: uuid or build number of the pipeline
    :param sensor: ``repository`` and the parameters of all sensors; see
        :class:`~airflow_provider_bitbucket.sensors.base.BitbucketSensor`
    :raises ValueError: not exactly one of commit and pipeline
    """

    template_fields = (*BitbucketSensor.template_fields, "environment", "commit", "pipeline")
    environment = Templated()
    commit = Templated()
    pipeline = Templated()
    parameter_kinds = {
        **BitbucketSensor.parameter_kinds,
        "environment": required_name,
        "commit": hash_of,
        "pipeline": name_if_given,
    }
    unmet = "The deployment had not finished"

    def __init__(
        self,
        *,
        environment: str,
        commit: str | None = None,
        pipeline: str | int | None = None,
        **sensor: Unpack[SensorParameters],
    ) -> None:
        super().__init__(**sensor)
        one_given(commit=commit, pipeline=pipeline)
        self.environment = environment
        self.commit = commit
        self.pipeline = pipeline

    def trigger(self, **common: Unpack[WaitParameters]) -> BitbucketDeploymentTrigger:
        """Return the trigger that waits."""
        from airflow_provider_bitbucket.triggers.deployments import BitbucketDeploymentTrigger

        one_given(commit=self.commit, pipeline=self.pipeline)
        pipeline = None if self.pipeline is None else str(self.pipeline)
        return BitbucketDeploymentTrigger(environment=self.environment, commit=self.commit, pipeline=pipeline, **common)
