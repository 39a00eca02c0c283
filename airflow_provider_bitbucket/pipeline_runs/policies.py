"""Durations and choices of pipeline runs; cheap to import in a DAG file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OnAmbiguous = Literal["fail", "adopt_newest"]
OnPaused = Literal["wait", "fail"]
OnMissingPipeline = Literal["fail", "skip"]
LogSteps = Literal["failed", "all", "none"]


@dataclass(frozen=True)
class SearchPolicy:
    """How long to search for a pipeline before the result counts.

    A start whose response was lost may still be in progress, and a pipeline shows its selector only after its definition was
    parsed. So the list is read several times. A search that ends early leaves a pipeline that no task waits for, so an outage is
    waited out.

    :param reads: how many times the list is read
    :param pause_seconds: pause between two reads
    :param outage_seconds: how long transient errors are retried
    :param retry_seconds: pause between two of these retries
    :param start_window_seconds: a pipeline that was created later than this after the attempt probably belongs to another task
    """

    reads: int = 5
    pause_seconds: float = 5.0
    outage_seconds: float = 900.0
    retry_seconds: float = 15.0
    start_window_seconds: float = 60.0


@dataclass(frozen=True)
class StopPolicy:
    """How long to request a stop and to wait for its effect; Bitbucket stops a pipeline some seconds after the request.

    :param request_seconds: how long a stop request is retried while Bitbucket does not accept it
    :param retry_seconds: pause between two requests
    :param wait_seconds: how long to wait for the pipeline to stop, so that a retry of the task does not find it running
    :param poll_seconds: pause between two polls during that wait
    """

    request_seconds: float = 8.0  # Airflow allows a trigger 30 seconds to react to the end of its task
    retry_seconds: float = 0.5
    wait_seconds: float = 20.0
    poll_seconds: float = 1.0


#: Airflow sends SIGKILL 5 seconds after SIGTERM.
STOP_WHEN_KILLED = StopPolicy(request_seconds=2.0, wait_seconds=3.0)
#: For a pipeline that has exceeded its timeout.
STOP_AFTER_TIMEOUT = StopPolicy(request_seconds=60.0)
