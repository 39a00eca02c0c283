"""Triggers, and sensors that use them, which poll and fire without the delays of a real triggerer."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitbucket.sensors.base import BitbucketSensor
from airflow_provider_bitbucket.triggers.base import BitbucketWaitTrigger
from airflow_provider_bitbucket.triggers.build_statuses import BitbucketBuildStatusTrigger
from airflow_provider_bitbucket.triggers.deployments import BitbucketDeploymentTrigger
from airflow_provider_bitbucket.triggers.pipelines import BitbucketPipelineTrigger
from airflow_provider_bitbucket.triggers.poll_policy import PollPolicy
from airflow_provider_bitbucket.triggers.pull_requests import BitbucketPullRequestTrigger
from airflow_provider_bitbucket.triggers.refs import BitbucketRefTrigger
from airflow_provider_bitbucket.triggers.reviews import BitbucketReviewTrigger

QUICK = PollPolicy(minimum_first_poll_seconds=0, connection_retry_seconds=(0.01,))


class QuickPipelineTrigger(BitbucketPipelineTrigger):
    policy = QUICK


class QuickPullRequestTrigger(BitbucketPullRequestTrigger):
    policy = QUICK


class QuickRefTrigger(BitbucketRefTrigger):
    policy = QUICK


class QuickBuildStatusTrigger(BitbucketBuildStatusTrigger):
    policy = QUICK


class QuickDeploymentTrigger(BitbucketDeploymentTrigger):
    policy = QUICK


class QuickReviewTrigger(BitbucketReviewTrigger):
    policy = QUICK


# The classes have names, because the triggerer creates a trigger from the path of its class.
_QUICK = {
    kind.__base__: kind
    for kind in (
        QuickPipelineTrigger,
        QuickPullRequestTrigger,
        QuickRefTrigger,
        QuickBuildStatusTrigger,
        QuickDeploymentTrigger,
        QuickReviewTrigger,
    )
}


def quick(trigger: BitbucketWaitTrigger) -> Any:
    """Return the same trigger without delays."""
    return _QUICK[type(trigger)](**trigger.serialize()[1])


def quick_sensor(sensor: type[BitbucketSensor]) -> type[BitbucketSensor]:
    """Return a sensor whose triggers have no delays."""

    class Quick(sensor):  # type: ignore[misc, valid-type]  # of any kind
        def trigger(self, **common: Any) -> Any:
            return quick(super().trigger(**common))

    return Quick
