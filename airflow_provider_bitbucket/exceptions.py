"""Errors of tasks and connections; those of requests are in :mod:`airflow_provider_bitbucket.client`."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

__all__ = [
    "BitbucketAmbiguousStartError",
    "BitbucketApprovalTimeoutError",
    "BitbucketConfigurationError",
    "BitbucketLostAnswerError",
    "BitbucketLostError",
    "BitbucketMergeError",
    "BitbucketMissingPipelineError",
    "BitbucketPipelineFailedError",
    "BitbucketPipelineLostError",
    "BitbucketPipelineNotStoppedError",
    "BitbucketPipelinePausedError",
    "BitbucketPipelineTimeoutError",
    "BitbucketPullRequestClosedError",
    "BitbucketRefExistsError",
    "BitbucketRejectedError",
    "BitbucketUserError",
]


class BitbucketConfigurationError(AirflowException):
    """A field of an Airflow connection of type ``bitbucket`` is missing or wrong; the message names both."""


class BitbucketUserError(BitbucketConfigurationError):
    """A connection has credentials for each user, and there is no acting user, or the acting user has none."""


class BitbucketPipelineFailedError(AirflowException):
    """The pipeline completed without success; the message has the result, the failed step and its log."""


class BitbucketPipelineTimeoutError(AirflowException):
    """The pipeline did not complete before the deadline; the message says whether it was stopped."""


class BitbucketLostError(AirflowException):
    """Bitbucket no longer reports the subject of a sensor (gone, or the credentials lost access)."""


class BitbucketPipelineLostError(BitbucketLostError):
    """Bitbucket no longer reports the pipeline (gone, or the credentials lost access)."""


class BitbucketPipelinePausedError(AirflowException):
    """The pipeline is paused and ``on_paused`` is ``fail``; the message links to the pipeline."""


class BitbucketPipelineNotStoppedError(AirflowException):
    """Bitbucket accepted the request to stop a pipeline, but the pipeline has not completed."""


class BitbucketAmbiguousStartError(AirflowFailException):
    """The pipeline that the task started cannot be identified; the message lists the candidates. Not retried."""


class BitbucketPullRequestClosedError(AirflowFailException):
    """The pull request is closed, for good, and the task needs an open one; the message names its state. Not retried."""


class BitbucketMergeError(AirflowException):
    """The pull request was not merged in time, left the merge queue, or a check of it failed; the message states which."""


class BitbucketRefExistsError(AirflowFailException):
    """The tag exists on another commit; the message names both commits. Not retried."""


class BitbucketRejectedError(AirflowFailException):
    """A reviewer requested changes or declined the pull request, and ``fail_on_reject`` is set. Not retried."""


class BitbucketApprovalTimeoutError(AirflowException):
    """There was no decision about the pull request in time; the message states what is missing."""


class BitbucketLostAnswerError(AirflowFailException):
    """The answer to a request that is not repeatable was lost: it may have taken effect. Not retried."""


class BitbucketMissingPipelineError(AirflowException):
    """The definition has no such custom pipeline; the message names those that it has."""
