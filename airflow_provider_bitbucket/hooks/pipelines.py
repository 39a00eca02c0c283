"""Stop and explain a pipeline the way a task needs it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.parameters import is_blank, refused, required_name

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient, PipelineOutcome

# Bitbucket stops a pipeline some seconds after it was asked to. Who is killed in a worker has 5 seconds until Airflow kills
# harder; everybody else waits until the pipeline has stopped, so that a retry does not find it still running.
STOP_SECONDS_WHEN_KILLED = 3.0
STOP_SECONDS = 20.0
STOP_LOOK_SECONDS = 1.0
# Airflow gives a trigger 30 seconds to do what is due when its task is ended.
ASK_SECONDS = 8.0
ASK_SECONDS_WHEN_KILLED = 2.0
ASK_AGAIN_SECONDS = 0.5


def named_pipeline(parameter: str, value: Any) -> str:
    """Return the uuid or build number of a pipeline that a task was given.

    :raises ValueError: it is blank, as a template that finds no XCom is, or neither text nor an int
    """
    if is_blank(value):
        expected = "the uuid or build number of a pipeline; has the task that starts it left none?"
        raise refused(parameter, value, expected)
    return required_name(parameter, value)


def stop_pipeline(
    client: BitbucketClient,
    repository: str,
    pipeline: str,
    *,
    ask_seconds: float = ASK_SECONDS,
    killed: bool = False,
) -> str:
    """Stop a pipeline and return what came of it as a sentence; nothing is raised.

    :param client: makes one try per request: how often it is worth another one is decided here
    :param ask_seconds: how long it is asked for while Bitbucket does not take it
    :param killed: whether the task is being killed in a worker, so that there is little time to see it stop
    """
    from airflow_provider_bitbucket.client import BitbucketError

    try:
        if not _ask_to_stop(client, repository, pipeline, ASK_SECONDS_WHEN_KILLED if killed else ask_seconds):
            return "It was over already."
    except BitbucketError as error:
        return f"It could not be stopped and may still be running: {error}"
    try:
        outcome = follow_stop(client, repository, pipeline, STOP_SECONDS_WHEN_KILLED if killed else STOP_SECONDS)
    except Exception:  # whatever it is: the request to stop was accepted
        return "Bitbucket was asked to stop it."
    if outcome.is_terminal:
        return "Bitbucket was asked to stop it, and it is over."
    return f"Bitbucket was asked to stop it. {why_not_stopped(outcome)}"


def _ask_to_stop(client: BitbucketClient, repository: str, pipeline: str, seconds: float) -> bool:
    """Ask until Bitbucket takes it: nobody comes back to a pipeline whose task has ended."""
    from airflow_provider_bitbucket.client import BitbucketError
    from airflow_provider_bitbucket.client.transport.retry import is_transient

    give_up = time.monotonic() + seconds
    while True:
        try:
            return client.pipelines.stop(repository, pipeline)
        except BitbucketError as error:
            if not is_transient(error) or time.monotonic() + ASK_AGAIN_SECONDS > give_up:
                raise
        time.sleep(ASK_AGAIN_SECONDS)


def follow_stop(client: BitbucketClient, repository: str, pipeline: str, seconds: float) -> PipelineOutcome:
    """Look until a pipeline that was asked to stop is over, and return how it stands then, or after so many seconds.

    One that is paused at a manual step never stops; that is known after a look.
    """
    from airflow_provider_bitbucket.client import BitbucketError, PipelineStatus
    from airflow_provider_bitbucket.client.transport.malformed import is_malformed

    give_up = time.monotonic() + seconds
    while True:
        time.sleep(min(STOP_LOOK_SECONDS, seconds))
        is_last = time.monotonic() + STOP_LOOK_SECONDS > give_up
        try:
            outcome = client.pipelines.outcome(repository, pipeline)
        except BitbucketError as error:
            if is_last or not is_malformed(error):
                raise
            continue
        if is_last or outcome.is_terminal or outcome.status is PipelineStatus.PAUSED:
            return outcome


def why_not_stopped(outcome: PipelineOutcome) -> str:
    """Say how a pipeline that was asked to stop stands."""
    from airflow_provider_bitbucket.client import PipelineStatus

    if outcome.status is PipelineStatus.PAUSED:
        return (
            f"Bitbucket does not stop a pipeline that waits at a manual step: #{outcome.build_number} is still paused. "
            f"Somebody must stop it there: {outcome.url}"
        )
    return f"It has not stopped yet. {outcome.reason} {outcome.url}"


def explaining_hook(bitbucket_conn_id: str, workspace: str | None, run_as: str | None) -> BitbucketHook:
    """Return a hook whose client does not wait for the request budget: why a pipeline failed is not worth a worker's slot."""
    from airflow_provider_bitbucket.client.transport.retry import BRIEF

    return BitbucketHook(bitbucket_conn_id, workspace, run_as, retries=BRIEF)


def explain_failure(hook: BitbucketHook, repository: str, pipeline: str, *, logs: bool = True) -> str:
    """Return why a pipeline failed: step, end of its log (``logs``), failed test cases; nothing is raised.

    :param hook: as :func:`explaining_hook` makes it
    """
    try:
        client = hook.get_conn()
        outcome = client.pipelines.outcome(repository, pipeline)
        return client.pipelines.failure_details(repository, outcome, **({} if logs else {"log_lines": 0}))
    except Exception as error:  # whatever it is: the pipeline's failure is what has to be reported
        return f"Its steps could not be read: {error}"
