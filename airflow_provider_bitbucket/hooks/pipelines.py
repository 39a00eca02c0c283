"""Start, stop and explain a pipeline the way a task needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient, PipelineOutcome


def start_pipeline(client: BitbucketClient, repository: str, **what: Any) -> PipelineOutcome:
    """Start a pipeline.

    :param what: as for ``client.pipelines.trigger``
    :raises AirflowFailException: the answer was lost, so a pipeline may or may not have been started; not retried,
        because the next try could start a second one
    :raises BitbucketError: Bitbucket refused
    :raises ValueError: what is to run is not said, or said twice
    """
    from airflow_provider_bitbucket.client import BitbucketAmbiguousError

    try:
        return client.pipelines.evaluate(repository, client.pipelines.trigger(repository, **what))
    except BitbucketAmbiguousError as error:
        name = client.full_name(repository)
        raise AirflowFailException(
            f"A pipeline may have been started in {name}, or not: {error} This is not tried again by itself, because that "
            f"could start it twice. Look at {client.web_url}/{name}/pipelines for it; if it is not there, clear this task."
        ) from error


def stop_pipeline(client: BitbucketClient, repository: str, pipeline: str) -> str:
    """Ask Bitbucket to stop a pipeline and return what came of it as a sentence; nothing is raised."""
    from airflow_provider_bitbucket.client import BitbucketError

    try:
        stopping = client.pipelines.stop(repository, pipeline)
    except BitbucketError as error:
        return f"It could not be stopped and may still be running: {error}"
    return "Bitbucket was asked to stop it." if stopping else "It was over already."


def explain_failure(client: BitbucketClient, repository: str, pipeline: str) -> str:
    """Return why a pipeline failed: step, end of its log, failed test cases; nothing is raised."""
    from airflow_provider_bitbucket.client import BitbucketError

    try:
        return client.pipelines.failure_details(repository, client.pipelines.outcome(repository, pipeline))
    except BitbucketError as error:
        return f"Its steps could not be read: {error}"
