"""What all waits share; what each waits for is said in the module of its resource.

A trigger (:class:`BitbucketWaitTrigger`) carries what is waited for and says what an answer means. It makes the watch that
decides, in the triggerer and in the worker alike, so that a sensor waits the same way whether it is deferrable or not.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypedDict, get_args

from airflow.providers.common.compat.sdk import AirflowException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.triggers import polling

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient

# Airflow up to 3.3 can fail a task whose trigger fires within seconds of the deferral: the scheduler still finds it queued
# (apache/airflow#66374, #71580). A trigger therefore never fires earlier than this.
FIRST_LOOK_SECONDS = 10.0
# When a connection that can not be read is read again.
READ_AGAIN_SECONDS = (1.0, 5.0, 15.0)
# Airflow allows a sensor to poke without a pause, which would take all that its credential may spend on waiting.
NO_PAUSE_SECONDS = 5.0
#: Letters of names that are asked for in one address; servers and proxies refuse those of more than about 8,000.
_LETTERS = 2000

WaitStatus = Literal["succeeded", "failed", "timeout", "lost"]


class WaitEvent(TypedDict):
    """How a wait ended.

    :param status: ``succeeded``; ``failed``: it can not come about any more. ``timeout``: it had not come about at the
        deadline. ``lost``: Bitbucket gave a definite answer that makes waiting pointless (gone, no access).
    :param found: what is known of it, as JSON
    :param message: a sentence for a person
    """

    status: WaitStatus
    found: dict[str, Any]
    message: str


@dataclass(frozen=True)
class Sight:
    """What an answer means for a wait.

    :param verdict: None: go on waiting
    :param message: a sentence for a person; told once, until it is another
    :param url: web page to look at; empty when there is none
    :param found: what is worth passing on, as JSON
    """

    verdict: Literal["succeeded", "failed"] | None
    message: str
    url: str
    found: dict[str, Any]


def checked_event(event: Any, statuses: Collection[str] = get_args(WaitStatus)) -> dict[str, Any]:
    """Return a trigger's event, if it is one.

    :raises AirflowException: for anything else, so that a task never succeeds by an event nobody understands
    """
    if not isinstance(event, dict) or event.get("status") not in statuses:
        raise AirflowException(
            f"The trigger returned {event!r} instead of how the wait ended; was the provider changed while this task was "
            "deferred? Clear the task to try again."
        )
    return event


def polling_hook(bitbucket_conn_id: str, workspace: str | None, run_as: str | None = None) -> BitbucketHook:
    """Return a hook whose client tries each request once: a watch retries by itself, and who is killed has seconds."""
    from airflow_provider_bitbucket.client import NO_RETRIES

    return BitbucketHook(bitbucket_conn_id, workspace, run_as, retries=NO_RETRIES)


class Watch:
    """Decides, look after look, whether a wait is over and when to look again.

    It never sleeps: a task in a worker and the trigger in the triggerer sleep for ``pause`` seconds, each in its own way, and
    ask again. A fault on the way to Bitbucket is not a failure of what is waited for: looking goes on, less and less often,
    until the deadline.

    :param what: what is looked at, as the log calls it
    :param poll_interval: seconds between two looks
    :param deadline: Unix time at which the wait is given up
    :param log: the task's or trigger's logger; changes are told there, once each
    :param told: what was told already, by the watch before this one
    """

    def __init__(self, what: str, *, poll_interval: float, deadline: float, log: Any, told: str = "") -> None:
        self.what = what
        self.poll_interval = poll_interval or NO_PAUSE_SECONDS
        self.deadline = deadline
        self.pause = min(self.poll_interval, max(deadline - time.time(), 0))
        self.log = log
        self.told = told
        self._faults = 0
        self._fault: tuple[type[Exception], int | None] | None = None
        self._last = "It could not be looked at in time."

    @property
    def is_blind(self) -> bool:
        """Whether the last look failed."""
        return self._faults > 0

    def take_in(self, answer: Any) -> Any | None:
        """Record an answer, or the error that came in its place, and return how the wait ended, or None.

        An answer that cannot be evaluated is a failed poll too.
        """
        if isinstance(answer, Exception):
            return self.failed(answer)
        try:
            return self.saw(answer)
        except Exception as error:
            return self.failed(error)

    def saw(self, answer: Any) -> Any | None:
        """Take in an answer and return how the wait ended, or None."""
        raise NotImplementedError  # each kind says it

    def failed(self, error: Exception) -> Any | None:
        """Record a failed poll; each kind of failure in a row is logged once, an unexpected one with its traceback.

        A definite error of Bitbucket's ends the wait. Anything else, also an error that is not the client's, says nothing about
        the subject: polling continues until the deadline.
        """
        from airflow_provider_bitbucket.client import BitbucketError
        from airflow_provider_bitbucket.client.transport.retry import is_transient

        is_expected = isinstance(error, BitbucketError)
        if is_expected and not is_transient(error):
            return self._event("lost", str(error))
        self._faults += 1
        rarer = min(self.poll_interval * 2 ** min(self._faults, 10), max(polling.SLOWEST_LOOK_SECONDS, self.poll_interval))
        pause = max(rarer, getattr(error, "retry_after", None) or 0)
        reason = str(error) if is_expected else f"Unexpected {type(error).__name__}: {error}"
        event = self._again(pause, f"Bitbucket could not be asked: {reason}")
        fault = type(error), getattr(error, "status", None)
        if event is None and fault != self._fault:
            self.log.warning(
                "Could not look at %s; next look in %.0f s, then less and less often. %s",
                self.what,
                self.pause,
                reason,
                exc_info=None if is_expected else error,
            )
        self._fault = fault
        return event

    def gave_up(self) -> Any:
        """Return the event of a wait whose last look did not come back in time."""
        return self._event("timeout", self._last)

    def _answered(self) -> None:
        if self._faults:
            self.log.info("Bitbucket answers again, after %d failed looks.", self._faults)
        self._faults, self._fault = 0, None

    def _again(self, pause: float, last: str) -> Any | None:
        self._last = last
        left = self.deadline - time.time()
        if left <= 0:
            return self._event("timeout", last)
        self.pause = min(pause, left)
        return None

    def _event(self, status: Any, message: str) -> Any:
        raise NotImplementedError  # each kind says it


class SightWatch(Watch):
    """Decides by what a function makes of each answer.

    :param what: as for :class:`Watch`
    :param judge: says what an answer means
    :param subject: what the answer is about, for the error of a malformed one
    :param how: as for :class:`Watch`
    """

    def __init__(self, what: str, judge: Callable[[Any], Sight], *, subject: str, **how: Any) -> None:
        super().__init__(what, **how)
        self._subject = subject
        self._judge = judge
        self._found: dict[str, Any] = {}

    def saw(self, answer: Any) -> WaitEvent | None:
        """Take in an answer, wherever it was read.

        :raises BitbucketServerError: it is malformed
        """
        from airflow_provider_bitbucket.client.transport.malformed import reading

        with reading(self._subject):
            sight = self._judge(answer)
        self._answered()
        self._found = sight.found
        if sight.message != self.told:
            self.told = sight.message
            self.log.info("%s", f"{sight.message} {sight.url}".rstrip())
        if sight.verdict:
            return self._event(sight.verdict, f"{sight.message} {sight.url}".rstrip())
        event: WaitEvent | None = self._again(self.poll_interval, sight.message)
        return event

    def _event(self, status: WaitStatus, message: str) -> WaitEvent:
        return WaitEvent(status=status, found=self._found, message=message)


def look(looker: polling.Looker, subject: str, watch: polling.Watch) -> Any | None:
    """Look once in a worker, as the poller does for many in the triggerer; return how the wait ended, or None."""
    answer: Any
    try:
        answer = next(answers[subject] for _, answers in looker.look([subject], {subject}) if subject in answers)
    except Exception as error:  # whatever it is, it says nothing about the subject: a failed poll
        answer = error
    return watch.take_in(answer)


def portions(due: Sequence[str], waiting: Collection[str], most: int) -> Iterator[list[str]]:
    """Cut what is to be asked for into requests. The last is filled up with others that somebody waits for: they cost nothing.

    :param due: what has to be asked for
    :param waiting: all that somebody waits for
    :param most: how much a request can ask for
    """
    rest = [*dict.fromkeys(due), *sorted(set(waiting) - set(due))]
    needed = len(set(due))
    while needed > 0:
        letters, size = len(rest[0]), 1
        while size < min(most, len(rest)) and letters + len(rest[size]) <= _LETTERS:
            letters += len(rest[size])
            size += 1
        yield rest[:size]
        rest, needed = rest[size:], needed - size


class Singles:
    """Asks one by one for what no list shows."""

    def __init__(self) -> None:
        self._asked: dict[str, int] = {}  # when each was asked for, in requests
        self._requests = 0

    def in_turn(self, keys: Collection[str]) -> list[str]:
        """Return the longest not asked for first, so that one that always fails keeps nobody from being asked for."""
        return sorted(keys, key=lambda key: self._asked.get(key, 0))

    def keep(self, waiting: Collection[str]) -> None:
        """Forget all that nobody waits for any more."""
        self._asked = {key: request for key, request in self._asked.items() if key in waiting}

    def ask(self, key: str, request: Callable[[], Any]) -> Any:
        """Ask; what is wrong with this one alone is the answer, all else is raised."""
        from airflow_provider_bitbucket.client.transport.retry import is_transient

        self._requests += 1
        self._asked[key] = self._requests
        try:
            return request()
        except Exception as error:
            if is_transient(error):
                raise
            return error


class BitbucketWaitTrigger(BaseTrigger):
    """Wait for something in the triggerer; the base of the triggers of all sensors.

    A kind says which ``looker`` reads its state, what its ``subject`` is there, what an answer means (``judge``), what the log
    calls it and which fields it has beside these.

    :param bitbucket_conn_id: the connection
    :param workspace: workspace; None: the connection's
    :param repository: repository slug, or ``workspace/slug``
    :param poll_interval: seconds between two looks
    :param deadline: Unix time at which the wait is given up
    :param told: what the task's log says already
    :param run_as: in whose name, as the task found out; None where the connection has one credential for all
    """

    looker: ClassVar[type[polling.Looker]]
    #: What is looked at, as the log calls it.
    what: ClassVar[str]
    #: Parameters of the kind's own.
    own_fields: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        *,
        bitbucket_conn_id: str,
        workspace: str | None,
        repository: str,
        poll_interval: float,
        deadline: float,
        told: str = "",
        run_as: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves its signature untyped
        self.bitbucket_conn_id = bitbucket_conn_id
        self.workspace = workspace
        self.repository = repository
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.told = told
        self.run_as = run_as

    @property
    def subject(self) -> str:
        """What is waited for, as the looker knows it."""
        raise NotImplementedError  # each kind says it

    def judge(self, answer: Any) -> Sight:
        """Say what an answer of the looker means."""
        raise NotImplementedError  # each kind says it

    def watch(self, log: Any) -> Watch:
        """Return what decides over the wait.

        :param log: the task's or this trigger's logger
        """
        return SightWatch(self.what, self.judge, subject=f"{self.what} {self.subject!r} of {self.repository}", **self.pace(log))

    def pace(self, log: Any) -> dict[str, Any]:
        """Return what every :class:`Watch` is made with."""
        return {"poll_interval": self.poll_interval, "deadline": self.deadline, "log": log, "told": self.told}

    def lost(self, message: str) -> Mapping[str, Any]:
        """Return the event of a wait that could not begin."""
        return WaitEvent(status="lost", found={}, message=message)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what the triggerer needs to make this trigger again."""
        common = ("bitbucket_conn_id", "workspace", "repository", "poll_interval", "deadline", "told", "run_as")
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {name: getattr(self, name) for name in (*common, *self.own_fields)},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait until it is decided or the deadline has passed, and fire one event."""
        _, event = await asyncio.gather(asyncio.sleep(FIRST_LOOK_SECONDS), self._wait())
        yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # Airflow leaves its signature untyped

    async def _wait(self) -> Any:
        from airflow_provider_bitbucket.client import BitbucketError

        event, refused = None, ""
        while True:
            try:
                client = await self._connected()
            except (AirflowException, BitbucketError) as error:
                return self.lost(str(error))
            if event and client.auth.identity == refused:
                return event
            event = await polling.wait(
                type(self).looker, client, self.repository, self.subject, self.watch(self.log), not_before=FIRST_LOOK_SECONDS
            )
            if event["status"] != "lost":
                return event
            refused = client.auth.identity  # unless somebody has put other credentials into the connection meanwhile

    async def _connected(self) -> BitbucketClient:
        """Return a client; a connection that can not be read now may be there when Airflow's database answers again."""
        from airflow_provider_bitbucket.client import BitbucketConnectionError

        for seconds in READ_AGAIN_SECONDS:
            try:
                return await self._client()
            except BitbucketConfigurationError:
                raise
            except (AirflowException, BitbucketConnectionError) as error:
                self.log.warning("The connection or its login could not be read; again in %.0f s. %s", seconds, error)
                await asyncio.sleep(seconds)
        return await self._client()

    async def _client(self) -> BitbucketClient:
        return await polling_hook(self.bitbucket_conn_id, self.workspace, self.run_as).aget_conn()
