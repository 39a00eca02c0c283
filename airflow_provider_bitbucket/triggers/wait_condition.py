"""Decide when a wait ends: pure evaluation of responses, and the condition that applies it poll after poll."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

from airflow.providers.common.compat.sdk import AirflowException

if TYPE_CHECKING:
    from airflow_provider_bitbucket.triggers.poll_policy import PollPolicy

Verdict = Literal["succeeded", "failed", "paused"]
WaitStatus = Literal[Verdict, "timeout", "lost"]


class WaitEvent(TypedDict):
    """How a wait ended.

    :param status: ``succeeded``; ``failed``: the state waited for can no longer be reached; ``paused``: only a person can
        continue it, and the wait does not include that; ``timeout``: not reached at the deadline; ``lost``: waiting is pointless
        after a definite error (gone, no access)
    :param found: what is known of the subject, as JSON
    :param message: a sentence for a person
    """

    status: WaitStatus
    found: dict[str, Any]
    message: str


@dataclass(frozen=True)
class WaitState:
    """What a response means for a wait.

    :param verdict: how the wait ends; None: it continues
    :param message: a sentence for a person; logged once, until it changes
    :param url: web page of the subject; empty if there is none
    :param found: what is worth passing on, as JSON
    :param needs_person: whether the subject continues only after manual action; logged as a warning
    """

    verdict: Verdict | None
    message: str
    url: str
    found: dict[str, Any]
    needs_person: bool = False

    @property
    def sentence(self) -> str:
        """Message and web page."""
        return f"{self.message} {self.url}".rstrip()


def checked_event(event: Any) -> WaitEvent:
    """Validate a trigger's event and return it as a :class:`WaitEvent`.

    :raises AirflowException: it is anything else, so that a task never succeeds by an unknown event
    """
    if not isinstance(event, dict) or event.get("status") not in _STATUSES or not isinstance(event.get("found"), dict):
        raise AirflowException(
            f"The trigger returned {event!r} instead of how the wait ended; was the provider changed while this task was "
            "deferred? Clear the task to try again."
        )
    return WaitEvent(status=event["status"], found=event["found"], message=str(event.get("message") or ""))


_STATUSES = frozenset((*get_args(Verdict), "timeout", "lost"))


class WaitCondition:
    """Evaluate response after response: whether the wait has ended, and when to poll again.

    It neither polls nor sleeps: a task in a worker and the poller in the triggerer wait for ``pause`` seconds, each in its own
    way. A transient error says nothing about the subject: polling continues with back-off until the deadline.

    :param evaluate: returns what a response means; pure
    :param label: what is polled, as the log calls it: ``the pipeline``
    :param subject: the same, named exactly, for the error of a malformed response
    :param poll_interval: seconds between two polls
    :param deadline: Unix time at which the wait times out
    :param log: logger of the task or trigger; each change is logged once
    :param policy: durations
    :param last_reported: the message that was logged last, by an earlier condition of the same wait
    :param found: what is known of the subject before the first poll
    """

    def __init__(
        self,
        evaluate: Callable[[Any], WaitState],
        *,
        label: str,
        subject: str,
        poll_interval: float,
        deadline: float,
        log: Any,
        policy: PollPolicy,
        last_reported: str = "",
        found: dict[str, Any] | None = None,
    ) -> None:
        self._evaluate = evaluate
        self._label = label
        self._subject = subject
        self.poll_interval = poll_interval or policy.default_interval_seconds
        self.deadline = deadline
        #: Seconds until the next poll.
        self.pause = min(self.poll_interval, max(deadline - time.time(), 0))
        self.log = log
        self._policy = policy
        #: The message that was logged last.
        self.last_reported = last_reported
        self._found = found or {}
        self._failures = 0
        self._failure: tuple[type[Exception], int | None] | None = None
        self._last_message = "It could not be polled in time."

    @property
    def is_failing(self) -> bool:
        """Whether the last poll failed."""
        return self._failures > 0

    def on_answer(self, answer: Any) -> WaitEvent | None:
        """Record a response, or the error in its place, and return how the wait ended; None while it continues.

        A response that cannot be evaluated is a failed poll too.
        """
        if isinstance(answer, Exception):
            return self.on_error(answer)
        try:
            return self.on_response(answer)
        except Exception as error:
            return self.on_error(error)

    def on_response(self, response: Any) -> WaitEvent | None:
        """Record a response and return how the wait ended; None while it continues.

        :raises BitbucketServerError: it is malformed
        """
        from airflow_provider_bitbucket.client.transport.malformed import malformed_as_error

        with malformed_as_error(self._subject):
            state = self._evaluate(response)
        if self._failures:
            self.log.info("Bitbucket answers again, after %d failed polls.", self._failures)
        self._failures, self._failure = 0, None
        self._found = state.found
        self._report(state)
        if state.verdict:
            return self._event(state.verdict, state.sentence)
        return self._continue(self.poll_interval, state.message)

    def on_error(self, error: Exception) -> WaitEvent | None:
        """Record a failed poll and return how the wait ended; None while it continues.

        A definite error of Bitbucket ends the wait. Any other one, also one that is not the client's, is transient. Consecutive
        failures of the same kind are logged once, an unexpected one with its traceback.
        """
        from airflow_provider_bitbucket.client import BitbucketError
        from airflow_provider_bitbucket.client.transport.retry import is_transient

        is_expected = isinstance(error, BitbucketError)
        if is_expected and not is_transient(error):
            return self._event("lost", str(error))
        self._failures += 1
        longest = max(self._policy.longest_back_off_seconds, self.poll_interval)
        back_off = min(self.poll_interval * 2 ** min(self._failures, 10), longest)
        reason = str(error) if is_expected else f"Unexpected {type(error).__name__}: {error}"
        event = self._continue(max(back_off, getattr(error, "retry_after", None) or 0), f"Polling failed: {reason}")
        failure = type(error), getattr(error, "status", None)
        if event is None and failure != self._failure:
            self.log.warning(
                "Polling %s failed (%s); retrying in %.0f s with back-off.",
                self._label,
                reason,
                self.pause,
                exc_info=None if is_expected else error,
            )
        self._failure = failure
        return event

    def on_deadline(self) -> WaitEvent:
        """Return how a wait ended whose last poll was not answered in time."""
        return self._event("timeout", self._last_message)

    def _report(self, state: WaitState) -> None:
        if state.message == self.last_reported:
            return
        self.last_reported = state.message
        if state.needs_person:
            self.log.warning("%s Manual action required: %s", state.message, state.url)
        else:
            self.log.info("%s", state.sentence)

    def _continue(self, pause: float, message: str) -> WaitEvent | None:
        self._last_message = message
        left = self.deadline - time.time()
        if left <= 0:
            return self._event("timeout", message)
        self.pause = min(pause, left)
        return None

    def _event(self, status: WaitStatus, message: str) -> WaitEvent:
        return WaitEvent(status=status, found=self._found, message=message)
