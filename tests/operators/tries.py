"""A task's tries one after the other, with what Airflow keeps between them and without a scheduler."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG

from tests.operators.quick import QuickPipelineOperator


class Record:
    """Airflow's ``task_state_store``, as a dictionary."""

    def __init__(self, **left: Any) -> None:
        self.left = left

    def get(self, key: str) -> Any:
        return self.left.get(key)

    def set(self, key: str, value: Any) -> None:
        self.left[key] = value

    def delete(self, key: str) -> None:
        self.left.pop(key, None)


class Tries:
    """The tries of a task, without a scheduler between them.

    :param record: what Airflow keeps; None: it is older than 3.3
    """

    def __init__(self, record: Record | None = None, *, max_active_runs: int = 16, **parameters: Any) -> None:
        self.record = record
        self.max_tries = 2
        self.number = 0
        self.map_index = -1
        self.clear_number = 0
        self.dag_id, self.run_id, self.task_id = "tries", "run", "task"
        self.state: str | None = "running"  # as the API server reports it
        self.xcom: dict[str, Any] = {}
        self.of_siblings: list[str] = []  # pipelines of the other mapped tasks, as far as they are reported
        self._max_active_runs = max_active_runs
        self._parameters = {"repository": "api", "branch": "main", "poll_interval": 0.02, **parameters}
        self.renew()

    @property
    def try_number(self) -> int:
        return self.number

    @property
    def start_date(self) -> None:
        return None

    def get_task_states(self, **asked: Any) -> dict[str, Any]:
        return {self.run_id: {self.task_id: self.state}}

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcom[key] = value

    def xcom_pull(self, task_ids: list[str], key: str) -> list[Any]:
        return [*self.of_siblings]

    def run(self) -> Any:
        """Run the next try."""
        self.number += 1
        context: Any = {"ti": self, "dag": self.dag, "task": self.task, "dag_run": self}
        if self.record is not None:
            context["task_state_store"] = self.record
        return self.task.execute(context)

    def renew(self) -> None:
        """Make the task anew, as the process of each try does."""
        with DAG("tries", schedule=None, max_active_runs=self._max_active_runs) as self.dag:
            self.task = QuickPipelineOperator(task_id="task", retries=2, **self._parameters)

    def clear(self, *, retries: int = 2) -> None:
        """Clear the task, as a person does; the DAG may say another number of retries by now."""
        self.task.retries = retries
        self.max_tries = self.number + retries
        self.clear_number += 1
