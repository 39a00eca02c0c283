"""Base class of the wait triggers; there is one module per kind of subject.

A trigger carries what is waited for and evaluates responses. Its :meth:`~BitbucketWaitTrigger.condition` decides in the triggerer
and in the worker alike, so that an operator or sensor waits the same way whether it is deferrable or not.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, ClassVar, Required, TypedDict

from airflow.providers.common.compat.sdk import AirflowException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.triggers.poll_policy import DEFAULT_POLICY, PollPolicy
from airflow_provider_bitbucket.triggers.poller import StatusFetcher, wait
from airflow_provider_bitbucket.triggers.wait_condition import WaitCondition, WaitEvent, WaitState

if TYPE_CHECKING:
    from typing import Self

    from airflow_provider_bitbucket.client import BitbucketClient

__all__ = ["BitbucketWaitTrigger", "WaitParameters"]


class WaitParameters(TypedDict, total=False):
    """Parameters of every :class:`BitbucketWaitTrigger`."""

    bitbucket_conn_id: Required[str]
    workspace: Required[str | None]
    repository: Required[str]
    poll_interval: Required[float]
    deadline: Required[float]
    last_reported: str
    run_as: str | None


class BitbucketWaitTrigger(BaseTrigger):
    """Wait for a state in the triggerer. It does not change after construction; see :meth:`replace`.

    :param bitbucket_conn_id: the connection
    :param workspace: workspace; None: the connection's
    :param repository: repository slug, or ``workspace/slug``
    :param poll_interval: seconds between two polls
    :param deadline: Unix time at which the wait times out
    :param last_reported: the message that the task's log has already
    :param run_as: the acting user, as the task determined it; None where the connection has one credential for all
    """

    fetcher: ClassVar[type[StatusFetcher]]
    #: What is polled, as the log calls it.
    label: ClassVar[str]
    #: Parameters of the kind beside those of all triggers.
    fields: ClassVar[tuple[str, ...]]
    policy: ClassVar[PollPolicy] = DEFAULT_POLICY

    def __init__(
        self,
        *,
        bitbucket_conn_id: str,
        workspace: str | None,
        repository: str,
        poll_interval: float,
        deadline: float,
        last_reported: str = "",
        run_as: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves its signature untyped
        self.bitbucket_conn_id = bitbucket_conn_id
        self.workspace = workspace
        self.repository = repository
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.last_reported = last_reported
        self.run_as = run_as

    @property
    def subject(self) -> str:
        """What is waited for, as the fetcher calls it."""
        raise NotImplementedError  # each kind has its own

    def evaluate(self, response: Any) -> WaitState:
        """Return what a response of the fetcher means for the wait."""
        raise NotImplementedError  # each kind has its own

    @property
    def known(self) -> dict[str, Any]:
        """What is known of the subject before the first poll."""
        return {}

    def condition(self, log: Any) -> WaitCondition:
        """Return the condition that decides when the wait ends.

        :param log: the task's or this trigger's logger
        """
        return WaitCondition(
            self.evaluate,
            label=self.label,
            subject=f"{self.label} {self.subject!r} of {self.repository}",
            poll_interval=self.poll_interval,
            deadline=self.deadline,
            log=log,
            policy=self.policy,
            last_reported=self.last_reported,
            found=self.known,
        )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values of some parameters."""
        return type(self)(**{**self.serialize()[1], **changes})

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to create this trigger again."""
        common = ("bitbucket_conn_id", "workspace", "repository", "poll_interval", "deadline", "last_reported", "run_as")
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {name: getattr(self, name) for name in (*common, *self.fields)},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait until the condition is met or the deadline has passed, and fire one event."""
        _, event = await asyncio.gather(asyncio.sleep(self.policy.minimum_first_poll_seconds), self._wait())
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # Airflow leaves its signature untyped

    async def _wait(self) -> WaitEvent:
        from airflow_provider_bitbucket.client import BitbucketError

        event, refused = None, ""
        while True:
            try:
                client = await self._connect()
            except (AirflowException, BitbucketError) as error:
                return WaitEvent(status="lost", found=self.known, message=str(error))
            if event and client.auth.identity == refused:
                return event
            event = await wait(
                self.fetcher,
                client,
                self.repository,
                self.subject,
                self.condition(self.log),
                not_before=self.policy.minimum_first_poll_seconds,
                policy=self.policy,
            )
            if event["status"] != "lost":
                return event
            refused = client.auth.identity  # the connection may have got other credentials meanwhile

    async def _connect(self) -> BitbucketClient:
        """Return a client; a connection that cannot be read may be readable when Airflow's database answers again."""
        from airflow_provider_bitbucket.client import BitbucketConnectionError

        for seconds in self.policy.connection_retry_seconds:
            try:
                return await self._client()
            except BitbucketConfigurationError:
                raise
            except (AirflowException, BitbucketConnectionError) as error:
                self.log.warning("Reading the connection or its login failed (%s); retrying in %.0f s.", error, seconds)
                await asyncio.sleep(seconds)
        return await self._client()

    async def _client(self) -> BitbucketClient:
        return await BitbucketHook(self.bitbucket_conn_id, self.workspace, self.run_as).aget_conn("none")
