"""What tasks of this provider fail with; what Bitbucket itself answers is in :mod:`airflow_provider_bitbucket.client`."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException


class BitbucketConfigurationError(AirflowException):
    """An Airflow connection of type ``bitbucket`` lacks a field or has a wrong one; the message names both."""


class BitbucketUserError(BitbucketConfigurationError):
    """A connection has credentials for each user, and there is no user to act for, or the user has none."""


class BitbucketPipelineFailedError(AirflowException):
    """The pipeline ended and was not successful; the message names the result, the failed step and shows its log."""


class BitbucketPipelineTimeoutError(AirflowException):
    """The pipeline did not end in time; the message says whether it was stopped."""


class BitbucketLostError(AirflowException):
    """Bitbucket no longer reports the subject of a sensor (gone, or the credentials lost access)."""


class BitbucketPipelineLostError(BitbucketLostError):
    """Bitbucket no longer reports the pipeline (gone, or the credentials lost access)."""


class BitbucketPipelinePausedError(AirflowException):
    """The pipeline is paused and ``on_paused`` is ``fail``; the message links to the pipeline."""


class BitbucketPipelineNotStoppedError(AirflowException):
    """Bitbucket took the request to stop a pipeline, and the pipeline is not over nevertheless."""


class BitbucketAmbiguousStartError(AirflowFailException):
    """The pipeline that the task started cannot be identified; the message lists the candidates. Not retried."""
