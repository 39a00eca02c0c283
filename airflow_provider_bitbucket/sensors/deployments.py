"""Wait for a deployment."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitbucket.parameters import Templated, name_if_given, required_name
from airflow_provider_bitbucket.sensors.parameters import hash_of, one_given
from airflow_provider_bitbucket.sensors.waiting import BitbucketSensor
from airflow_provider_bitbucket.triggers.deployments import BitbucketDeploymentTrigger


class BitbucketDeploymentSensor(BitbucketSensor):
    """Wait until a commit, or what a pipeline built, is deployed to an environment.

    FAILED or STOPPED fails the sensor for good (``soft_fail``: skips it). A deployment that has not begun is waited for until
    the timeout, also when its pipeline will never get there (it failed before, or nobody starts a manual step). Of several
    deployments the one that began last counts. Returns ``uuid``, ``environment``, ``state``, ``status``, ``commit``,
    ``pipeline``, ``build_number``, ``started_on``, ``completed_on`` and ``url``.

    :param environment: name, slug or uuid of the environment
    :param commit: hash of the commit, of which 7 characters are enough; exactly one of commit and pipeline is given
    :param pipeline: uuid or build number of the pipeline
    :param sensor: ``repository`` and what all sensors have; see
        :class:`~airflow_provider_bitbucket.sensors.waiting.BitbucketSensor`
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
    what = "The deployment was not over"

    def __init__(self, *, environment: str, commit: str | None = None, pipeline: str | int | None = None, **sensor: Any) -> None:
        super().__init__(**sensor)
        one_given(commit=commit, pipeline=pipeline)
        self.environment = environment
        self.commit = commit
        self.pipeline = pipeline

    def trigger(self, **common: Any) -> BitbucketDeploymentTrigger:
        """Return what waits."""
        kind, name = one_given(commit=self.commit, pipeline=self.pipeline)
        return BitbucketDeploymentTrigger(environment=self.environment, **{kind: name}, **common)
