"""Decide whether a killed task still needs its pipeline.

Airflow calls ``on_kill`` when a person ends a task, and also when a worker shuts down, loses the API server or has been replaced
by a later attempt. The API server has the state that distinguishes these cases.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.hooks.start_record import StartRecord

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

# A task that was cleared while running gets a new attempt at once; one whose run was deleted does not exist.
_CLEARED = frozenset({"restarting", "removed"})
_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed"})


@dataclass(frozen=True)
class KillDecision:
    """What a kill of the task means for its pipeline.

    :param stop: whether to stop the pipeline
    :param reason: why, as a sentence
    """

    stop: bool
    reason: str


def task_state(ti: Any, get_task_states: Callable[..., dict[str, Any]]) -> str | None:
    """Return the current state of a task instance, ``removed`` if it no longer exists; one request to the API server.

    :param ti: task instance, or the triggerer's copy of it
    :param get_task_states: Airflow's function of this name
    :raises Exception: Airflow did not answer
    """
    mapped = ti.map_index is not None and ti.map_index >= 0
    states = get_task_states(
        dag_id=ti.dag_id, map_index=ti.map_index if mapped else None, task_ids=[ti.task_id], run_ids=[ti.run_id]
    )
    key = f"{ti.task_id}_{ti.map_index}" if mapped else ti.task_id
    state: str | None = states.get(ti.run_id, {}).get(key, "removed")
    return state


def decide_deferred(ti: Any) -> KillDecision:
    """Decide for a trigger that Airflow cancels: a task that is still deferred waits in another triggerer.

    :param ti: as for :func:`task_state`
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    try:
        state = task_state(ti, RuntimeTaskInstance.get_task_states)
    except Exception as error:
        return _unanswered(error)
    if state == "deferred":
        return KillDecision(False, "The task is still deferred: another triggerer waits for the pipeline.")
    return KillDecision(True, f"Airflow reports the task as {state or 'cleared'}.")


class TaskAttempt:
    """The running task attempt; decides from Airflow's task state whether a kill stops the pipeline.

    :param context: of the running task
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def decide(self) -> KillDecision:
        """Decide whether a kill of this attempt stops the pipeline; at most two requests to the API server.

        Before Airflow 3.3 a retry cannot find the pipeline that an earlier attempt started, so the pipeline is always stopped.
        """
        if self._context.get("task_state_store") is None:
            return KillDecision(True, "This Airflow does not keep which pipeline an attempt started.")
        ti = self._context["ti"]
        try:
            state = task_state(ti, ti.get_task_states)
            if state in _CLEARED:
                return KillDecision(True, f"Airflow reports the task as {state}.")
            if not self.is_current():
                return KillDecision(False, "A later attempt of the task has taken over.")
        except Exception as error:
            return _unanswered(error)
        if state in _ENDED:
            return KillDecision(True, f"Airflow reports the task as {state}.")
        if state != "running":
            return KillDecision(False, f"Airflow reports the task as {state or 'reset'}: it runs elsewhere.")
        if ti.max_tries and ti.try_number <= ti.max_tries:
            return KillDecision(False, "The task has retries left, and its next attempt resumes waiting for the pipeline.")
        return KillDecision(True, "It was the last attempt: no later one resumes waiting for the pipeline.")

    def is_current(self) -> bool:
        """Return whether no later attempt has taken over; True before Airflow 3.3, which does not report it.

        :raises Exception: Airflow did not answer
        """
        from airflow.sdk.exceptions import AirflowRuntimeError

        record = StartRecord(self._context)
        try:
            return not record.is_kept or record.is_readable()
        except AirflowRuntimeError as error:
            # The token of an attempt expires while its machine is suspended.
            if (error.error.detail or {}).get("status_code") in (401, 403):
                return False
            raise


def _unanswered(error: Exception) -> KillDecision:
    return KillDecision(False, f"Airflow did not report the state of the task: {error}")
