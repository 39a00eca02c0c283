"""Durations of waits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PollPolicy:
    """How soon, how late and how exclusively waits poll; the polling interval itself is a parameter of each wait.

    :param minimum_first_poll_seconds: least time from the start of a trigger until its own first poll, and until it may fire.
        Airflow up to 3.3 can fail a task whose trigger fires within seconds of the deferral: the scheduler still finds it
        queued (apache/airflow#66374, #71580)
    :param connection_retry_seconds: pauses before a connection that could not be read is read again
    :param default_interval_seconds: polling interval of a sensor whose ``poke_interval`` is 0, which would use up the quota
    :param longest_back_off_seconds: longest pause between two polls while Bitbucket does not answer
    :param final_poll_seconds: how long the last poll may take after the deadline; then the wait ends without it
    :param exclusive_seconds: how long one request keeps the other pollers of the credential from sending theirs
    """

    minimum_first_poll_seconds: float = 10.0
    connection_retry_seconds: tuple[float, ...] = (1.0, 5.0, 15.0)
    default_interval_seconds: float = 5.0
    longest_back_off_seconds: float = 300.0
    final_poll_seconds: float = 5.0
    exclusive_seconds: float = 10.0


DEFAULT_POLICY = PollPolicy()
