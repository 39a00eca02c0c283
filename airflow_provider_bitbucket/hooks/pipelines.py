"""Shared by operators and sensors of pipelines: the name of a pipeline, and the hook that explains a failure."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.parameters import is_blank, refused, required_name


def named_pipeline(parameter: str, value: Any) -> str:
    """Return the uuid or build number of a pipeline that was passed to a task.

    :raises ValueError: it is blank, as a template that finds no XCom is, or neither text nor an int
    """
    if is_blank(value):
        expected = "the uuid or build number of a pipeline; did the task that starts it push no XCom?"
        raise refused(parameter, value, expected)
    return required_name(parameter, value)


def explaining_hook(bitbucket_conn_id: str, workspace: str | None, run_as: str | None) -> BitbucketHook:
    """Return a hook whose client does not wait for the request budget: an explanation does not justify a worker slot."""
    from airflow_provider_bitbucket.client.transport.retry import BRIEF

    return BitbucketHook(bitbucket_conn_id, workspace, run_as, retries=BRIEF)
