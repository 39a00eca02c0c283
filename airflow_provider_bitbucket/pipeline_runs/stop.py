"""Stop a pipeline and report the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_bitbucket.pipeline_runs.policies import StopPolicy

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient, Clock, PipelineOutcome

_DEFAULT = StopPolicy()


def stop_pipeline(
    client: BitbucketClient, repository: str, pipeline: str, policy: StopPolicy = _DEFAULT, *, clock: Clock | None = None
) -> str:
    """Stop a pipeline and return the result as a sentence. Never raises.

    :param client: makes one attempt per request; the policy decides about retries
    :param repository: slug, or ``workspace/slug``
    :param pipeline: uuid or build number
    """
    from airflow_provider_bitbucket.client import BitbucketError

    try:
        if not _request_stop(client, repository, pipeline, policy, clock):
            return "It had already finished."
    except BitbucketError as error:
        return f"It could not be stopped and may still be running: {error}"
    try:
        outcome = follow_stop(client, repository, pipeline, policy, clock=clock)
    except Exception:  # Bitbucket has accepted the request to stop, whatever this error is
        return "Bitbucket was asked to stop it."
    if outcome.is_terminal:
        return "Bitbucket was asked to stop it, and it has finished."
    return f"Bitbucket was asked to stop it. {why_not_stopped(outcome)}"


def _request_stop(client: BitbucketClient, repository: str, pipeline: str, policy: StopPolicy, clock: Clock | None) -> bool:
    """Request a stop until Bitbucket accepts it; False if the pipeline has finished. No later task stops this pipeline."""
    from airflow_provider_bitbucket.client import BitbucketError
    from airflow_provider_bitbucket.client.transport.clock import SYSTEM_CLOCK
    from airflow_provider_bitbucket.client.transport.retry import is_transient

    clock = clock or SYSTEM_CLOCK
    deadline = clock.monotonic() + policy.request_seconds
    while True:
        try:
            return client.pipelines.stop(repository, pipeline)
        except BitbucketError as error:
            if not is_transient(error) or clock.monotonic() + policy.retry_seconds > deadline:
                raise
        clock.sleep(policy.retry_seconds)


def follow_stop(
    client: BitbucketClient, repository: str, pipeline: str, policy: StopPolicy = _DEFAULT, *, clock: Clock | None = None
) -> PipelineOutcome:
    """Poll a pipeline until it has stopped or the policy's wait has passed, and return its last state.

    A pipeline that is paused at a manual step never stops; the first poll returns it.
    """
    from airflow_provider_bitbucket.client import BitbucketError, PipelineStatus
    from airflow_provider_bitbucket.client.transport.clock import SYSTEM_CLOCK
    from airflow_provider_bitbucket.client.transport.malformed import is_malformed

    clock = clock or SYSTEM_CLOCK
    deadline = clock.monotonic() + policy.wait_seconds
    while True:
        clock.sleep(min(policy.poll_seconds, policy.wait_seconds))
        is_last = clock.monotonic() + policy.poll_seconds > deadline
        try:
            outcome = client.pipelines.outcome(repository, pipeline)
        except BitbucketError as error:
            if is_last or not is_malformed(error):
                raise
            continue
        if is_last or outcome.is_terminal or outcome.status is PipelineStatus.PAUSED:
            return outcome


def why_not_stopped(outcome: PipelineOutcome) -> str:
    """Return why a pipeline that was asked to stop has not finished, as a sentence."""
    from airflow_provider_bitbucket.client import PipelineStatus

    if outcome.status is PipelineStatus.PAUSED:
        return (
            f"Bitbucket does not stop a pipeline that is paused at a manual step: #{outcome.build_number} is still paused. "
            f"Manual action required: {outcome.url}"
        )
    return f"It has not stopped yet. {outcome.reason} {outcome.url}"
