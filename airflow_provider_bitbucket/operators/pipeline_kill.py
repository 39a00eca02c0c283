"""Handle a kill of a task outside the signal handler that reports it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException

if TYPE_CHECKING:
    from airflow_provider_bitbucket.hooks.task_attempt import KillDecision

# Airflow sends SIGKILL 5 seconds after SIGTERM. The signal handler waits for less than that, because the code that it interrupts
# may hold what the thread needs: Airflow's connection to its supervisor, for instance.
_HANDLER_SECONDS = 3.0
#: How long a killed task waits for the outcome before it ends.
_END_SECONDS = 10.0
#: A signal does not end a sleep; a killed task ends within this time.
_LONGEST_SLEEP_SECONDS = 1.0


class TaskKill:
    """Whether the task was killed, and what happened to its pipeline because of that.

    A signal handler must not wait for a lock that the interrupted code may hold. So a thread asks Airflow and stops the pipeline;
    the handler waits for it for a bounded time, and the thread continues when the handler has returned.
    """

    def __init__(self) -> None:
        self.requested = False
        self._report = "The pipeline continues."
        self._thread: threading.Thread | None = None

    def handle(self, decide: Callable[[], KillDecision], stop: Callable[[], str], log: Any) -> None:
        """Stop the pipeline unless the task is still to run; a second kill changes nothing.

        :param decide: asks Airflow whether to stop the pipeline
        :param stop: stops it and returns the outcome as a sentence
        :param log: the task's logger
        """
        if self._thread is not None:
            return

        def run() -> None:
            decision = decide()
            self._report = f"{decision.reason} {stop() if decision.stop else 'The pipeline continues.'}"
            log.warning("The task was killed while its pipeline was running. %s", self._report)

        self._report = "Airflow did not report in time whether the task is still to run. The pipeline continues."
        self._thread = threading.Thread(target=run, name="bitbucket-task-kill", daemon=True)
        self._thread.start()
        self._thread.join(_HANDLER_SECONDS)

    def sleep(self, seconds: float) -> None:
        """Sleep, but not on when the task is killed."""
        end = time.monotonic() + seconds
        while not self.requested and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _LONGEST_SLEEP_SECONDS))

    def check(self, url: str) -> None:
        """Fail a task that was killed: Airflow lets it continue, and would take its end for a success.

        :param url: page of its pipeline
        :raises AirflowException: it was killed; the message reports what happened to the pipeline
        """
        if not self.requested:
            return
        if self._thread is not None:
            self._thread.join(_END_SECONDS)
        raise AirflowException(f"The task was killed. {self._report} {url}")
