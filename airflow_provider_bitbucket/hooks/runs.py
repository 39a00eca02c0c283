"""The run, task and attempt that a context of Airflow describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import quote

from airflow.providers.common.compat.sdk import conf


@dataclass(frozen=True)
class Run:
    """What a context says about a run. Contexts differ: of tasks, of callbacks of DAGs, and of deadlines, with less in them.

    :param dag_id: empty if the context does not name it, as in deadline alerts of Airflow 3.1
    :param run_id: likewise
    :param task_id: None in callbacks of DAGs, and outside of tasks
    :param map_index: -1: the task is not mapped
    :param attempt: number of the attempt, from 1; 0: unknown
    :param state: state of the task; of callbacks of DAGs ``success`` or ``failed``; None: unknown
    :param error: why it failed; empty: unknown
    :param is_ended: whether the whole run has ended, which callbacks of DAGs report
    :param user: user who triggered the run; None: it is scheduled, or the user is unknown
    """

    dag_id: str = ""
    run_id: str = ""
    task_id: str | None = None
    map_index: int = -1
    attempt: int = 0
    state: str | None = None
    error: str = ""
    user: str | None = None
    is_ended: bool = False

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> Self:
        """Read a context."""
        dag_run, task_instance = context.get("dag_run"), context.get("ti")
        is_of_dag = "reason" in context  # in callbacks of DAGs alone; "ti" is then the last task of the run
        dag_id = _field(context.get("dag"), "dag_id") or _field(dag_run, "dag_id") or _field(task_instance, "dag_id")
        named = cls(
            dag_id=str(dag_id or ""),
            run_id=str(context.get("run_id") or _field(dag_run, "run_id") or _field(dag_run, "dag_run_id") or ""),
            user=_field(dag_run, "triggering_user_name") or None,
        )
        if is_of_dag:
            reason = str(context["reason"])
            return replace(named, state="success" if reason == "success" else "failed", error=reason, is_ended=True)
        if task_instance is None:
            return named
        map_index, attempt = _field(task_instance, "map_index"), _field(task_instance, "try_number")
        return replace(
            named,
            task_id=str(_field(task_instance, "task_id")),
            map_index=-1 if map_index is None else int(map_index),
            attempt=int(attempt or 0),
            state=_word(_field(task_instance, "state")),
            error=str(context.get("exception") or ""),
        )

    @property
    def title(self) -> str:
        """The DAG's id, or ``dag.task`` of a task, with the index of a mapped one."""
        task = "" if self.task_id is None else f".{self.task_id}"
        return f"{self.dag_id}{task}{f'[{self.map_index}]' if self.map_index >= 0 else ''}"

    @property
    def run_url(self) -> str:
        """Address of the run's page in Airflow."""
        base = conf.get("api", "base_url", fallback="http://localhost:8080")
        return f"{base.rstrip('/')}/dags/{quote(self.dag_id)}/runs/{quote(self.run_id)}"

    @property
    def url(self) -> str:
        """Address of the attempt's log in Airflow, or of the run where there is no task."""
        if self.task_id is None:
            return self.run_url
        mapped = f"/mapped/{self.map_index}" if self.map_index >= 0 else ""
        attempt = f"?try_number={self.attempt}" if self.attempt else ""
        return f"{self.run_url}/tasks/{quote(self.task_id)}{mapped}{attempt}"


def _field(value: Any, name: str) -> Any:
    """Return a field of an object, or of a mapping as deadline alerts have it; None if it has none."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _word(state: Any) -> str | None:
    return None if state is None else str(getattr(state, "value", state))
