"""Explain why a pipeline failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient


def explain_failure(connect: Callable[[], BitbucketClient], repository: str, pipeline: str, *, logs: bool = True) -> str:
    """Return why a pipeline failed: failed steps, the end of their logs, failed test cases. Never raises.

    :param connect: returns a client that does not wait for the request budget
    :param repository: slug, or ``workspace/slug``
    :param pipeline: uuid or build number
    :param logs: whether to include the end of the logs
    """
    try:
        client = connect()
        outcome = client.pipelines.outcome(repository, pipeline)
        return client.pipelines.failure_details(repository, outcome, **({} if logs else {"log_lines": 0}))
    except Exception as error:  # the failure of the pipeline must be reported, whatever this error is
        return f"Its steps could not be read: {error}"
