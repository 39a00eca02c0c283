"""Read what Airflow reports about earlier attempts of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.links import PIPELINE_UUID_XCOM
from airflow_provider_bitbucket.pipeline_runs.start import EarlierAttempts

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

_KEY = "bitbucket_pipeline"


class StartRecord:
    """The pipeline that an attempt of a task started or was about to start, kept for the next attempt.

    Airflow 3.3 and later keep it (``task_state_store``), also when a person clears the task. A clear begins a new series of
    attempts with another ``max_tries``; records of earlier series are ignored. If the DAG's ``retries`` changed at the same time,
    ``max_tries`` can be equal; then the run's ``clear_number`` differs.

    :param context: of the running task
    """

    def __init__(self, context: Context) -> None:
        self._store: Any = context.get("task_state_store")
        self._max_tries = context["ti"].max_tries
        self._series = {"retries": context["task"].retries, "cleared": getattr(context["dag_run"], "clear_number", None)}

    @property
    def is_kept(self) -> bool:
        """Whether this Airflow keeps the record for the next attempt."""
        return self._store is not None

    def read(self) -> dict[str, Any] | None:
        """Return the record of an earlier attempt of this series, None if there is none."""
        record = self._store.get(_KEY) if self._store is not None else None
        if not isinstance(record, dict) or record.get("max_tries") != self._max_tries:
            return None
        return record if any(record.get(name) == value for name, value in self._series.items()) else None

    def is_readable(self) -> bool:
        """Return whether this attempt can read its record; Airflow refuses an attempt that a later one has replaced."""
        return self._store is not None and self._store.get(_KEY) is not None

    def write(self, **fields: Any) -> None:
        """Replace the record."""
        if self._store is not None:
            self._store.set(_KEY, {"max_tries": self._max_tries, **self._series, **fields})

    def forget(self) -> None:
        """Delete the record."""
        if self._store is not None:
            self._store.delete(_KEY)


def earlier_attempts(context: Context) -> EarlierAttempts | None:
    """Return what is known of earlier attempts without a record, None for the first attempt of a series."""
    ti, dag = context["ti"], context["dag"]
    first = ti.max_tries - (context["task"].retries or 0) + 1  # a clear raises max_tries
    if ti.try_number <= first:
        return None
    is_mapped = ti.map_index is not None and ti.map_index >= 0
    return EarlierAttempts(since=context["dag_run"].start_date, is_only_starter=dag.max_active_runs == 1 and not is_mapped)


def sibling_pipelines(context: Context) -> set[str]:
    """Return the uuids of pipelines that tasks of the same type in this DAG run have started, mapped ones included."""
    ti, task = context["ti"], context["task"]
    siblings = [other.task_id for other in context["dag"].tasks if other.task_type == task.task_type]
    return set(ti.xcom_pull(task_ids=siblings, key=PIPELINE_UUID_XCOM) or ())
