"""Wait in a worker with the fetcher and the condition of a trigger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient
    from airflow_provider_bitbucket.triggers.base import BitbucketWaitTrigger
    from airflow_provider_bitbucket.triggers.wait_condition import WaitEvent


class BlockingWait:
    """Poll a trigger's subject from the worker, without the shared poller.

    :param trigger: what is waited for
    :param client: makes one attempt per request
    :param log: the task's logger
    """

    def __init__(self, trigger: BitbucketWaitTrigger, client: BitbucketClient, log: Any) -> None:
        self._subject = trigger.subject
        self._fetcher = trigger.fetcher(client, trigger.repository)
        self.condition = trigger.condition(log)

    def poll(self) -> WaitEvent | None:
        """Poll once and return how the wait ended; None: poll again in ``condition.pause`` seconds. Costs one request or two."""
        answer: Any
        try:
            steps = self._fetcher.fetch([self._subject], {self._subject})
            answer = next(answers[self._subject] for _, answers in steps if self._subject in answers)
        except Exception as error:  # any error says nothing about the subject: a failed poll
            answer = error
        return self.condition.on_answer(answer)


def poll_after_deadline(trigger: BitbucketWaitTrigger, client: BitbucketClient, log: Any) -> WaitEvent | None:
    """Poll once more and return how the wait ended; None if the poll failed.

    The last poll before the deadline can be an interval old, and the task may have waited for a worker.

    :param trigger: what was waited for
    :param client: makes one attempt per request
    :param log: the task's logger
    """
    wait = BlockingWait(trigger.replace(deadline=0), client, log)
    event = wait.poll()
    return None if wait.condition.is_failing else event
