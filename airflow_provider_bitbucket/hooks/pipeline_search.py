"""Which of Bitbucket's pipelines is the one that a task has started, when the task does not know."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar

from airflow_provider_bitbucket.exceptions import BitbucketAmbiguousStartError

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import BitbucketClient, PipelineOutcome

T = TypeVar("T")
log = logging.getLogger(__name__)

OnAmbiguous = Literal["fail", "adopt_newest"]

# A start whose answer was lost may still be on its way, and a pipeline shows its selector only when its definition has been
# read: the list is looked at so often, so far apart, before anything is concluded from it.
LOOKS = 5
LOOK_PAUSE_SECONDS = 5.0
# Who gives up looking leaves a pipeline that nobody waits for: an outage is waited out for this long.
_SEARCH_SECONDS = 900.0
_SEARCH_AGAIN_SECONDS = 15.0
# A pipeline that was created later than this after the attempt is hardly its own, but somebody else's.
_OWN_SECONDS = 60.0


class Attempt(TypedDict):
    """What is written down before a pipeline is started.

    :param newest: build number of the repository's newest pipeline then
    :param at: Bitbucket's time then, ISO
    """

    newest: int
    at: str


def target_of(what: Mapping[str, Any]) -> dict[str, Any]:
    """Return the target that parameters of ``client.pipelines.trigger`` stand for.

    :raises ValueError: what is to run is not said, or said twice
    """
    from airflow_provider_bitbucket.client.pipeline_target import build_target

    names = ("branch", "tag", "commit", "pull_request", "custom_pipeline", "selector")
    return build_target(**{name: what.get(name) for name in names})


def note_attempt(client: BitbucketClient, repository: str) -> Attempt:
    """Note where a repository stands before a pipeline is started in it. Costs one request."""
    from airflow_provider_bitbucket.client.pipeline_search import mark

    place = patiently(lambda: mark(client, repository))
    return Attempt(newest=place.newest, at=place.at.isoformat())


def find_attempted(
    client: BitbucketClient,
    repository: str,
    target: Mapping[str, Any],
    attempt: Attempt,
    *,
    on_ambiguous: OnAmbiguous,
    others: Callable[[], Collection[str]] = tuple,
) -> PipelineOutcome | None:
    """Return the pipeline that an attempt has started, None when it has started none. Takes 20 seconds and six requests.

    :param target: what was to be started
    :param attempt: what was noted before
    :param on_ambiguous: what to do when it can not be told which one it is
    :param others: tells uuids of pipelines that are somebody else's; asked last, because they tell theirs while this looks
    :raises BitbucketAmbiguousStartError: it can not be told which one it is
    """
    from airflow_provider_bitbucket.client.pipeline_search import own_account, started_since

    creator = patiently(lambda: own_account(client))

    def search() -> list[PipelineOutcome]:
        rows = started_since(client, repository, target, attempt["newest"], creator)
        return [client.pipelines.evaluate(repository, row) for row in rows]

    for look in range(LOOKS):
        if look:
            time.sleep(LOOK_PAUSE_SECONDS)
        outcomes = patiently(search)
    known = others()
    found = [outcome for outcome in outcomes if outcome.uuid not in known]
    created = _created(found[0]) if len(found) == 1 else None
    certain = created is not None and created - datetime.fromisoformat(attempt["at"]) <= timedelta(seconds=_OWN_SECONDS)
    return _chosen(found, certain, on_ambiguous, "whose answer was lost")


def patiently(ask: Callable[[], T]) -> T:
    """Return what a read request brings; transient errors, malformed responses among them, are waited out for a while."""
    from tenacity import Retrying, before_sleep_log, retry_if_exception, stop_after_delay, wait_fixed

    from airflow_provider_bitbucket.client.transport.retry import is_transient

    return Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_delay(_SEARCH_SECONDS),
        wait=wait_fixed(_SEARCH_AGAIN_SECONDS),
        before_sleep=before_sleep_log(log, logging.WARNING),
        reraise=True,
    )(ask)


def find_running(
    client: BitbucketClient,
    repository: str,
    target: Mapping[str, Any],
    *,
    since: datetime | None,
    certain: bool,
    on_ambiguous: OnAmbiguous,
    others: Collection[str] = (),
) -> PipelineOutcome | None:
    """Return the running pipeline that an earlier try of a task has started, where no try could leave word to the next.

    Costs two requests, and more while one that may be it is being parsed.

    :param since: when the earlier tries can have begun at the earliest; None: not known
    :param certain: whether a single one can only be that of this task
    :param others: uuids of pipelines that are known to be somebody else's
    :raises BitbucketAmbiguousStartError: it can not be told which one it is
    """
    from airflow_provider_bitbucket.client.pipeline_search import asked_for, own_account, shows_selector

    creator = own_account(client)
    unfinished = _unfinished(client, repository, target)
    outcomes = [one for one in unfinished if asked_for(one.pipeline, creator) and one.uuid not in others]
    if since is not None:
        since -= timedelta(seconds=_OWN_SECONDS)  # our clock, not Bitbucket's
        outcomes = [outcome for outcome in outcomes if (_created(outcome) or since) >= since]
    certain = certain and len(outcomes) == 1 and shows_selector(outcomes[0].pipeline)
    return _chosen(outcomes, certain, on_ambiguous, "of an earlier try")


def find_reusable(client: BitbucketClient, repository: str, target: Mapping[str, Any]) -> PipelineOutcome | None:
    """Return the newest pipeline of a target that is not over, whoever started it.

    Costs one request, and more while one that may be it is being parsed.
    """
    from airflow_provider_bitbucket.client.pipeline_search import shows_selector

    return next((one for one in _unfinished(client, repository, target) if shows_selector(one.pipeline)), None)


def _unfinished(client: BitbucketClient, repository: str, target: Mapping[str, Any]) -> list[PipelineOutcome]:
    """Return the pipelines of a target that are not over, once all of them tell what they run, or have not for 20 seconds."""
    from airflow_provider_bitbucket.client.pipeline_search import shows_selector, unfinished

    def search() -> list[PipelineOutcome]:
        return [client.pipelines.evaluate(repository, row) for row in unfinished(client, repository, target)]

    outcomes = patiently(search)
    for _ in range(LOOKS - 1):
        if all(shows_selector(outcome.pipeline) for outcome in outcomes):
            break
        time.sleep(LOOK_PAUSE_SECONDS)
        outcomes = patiently(search)
    return outcomes


def _created(outcome: PipelineOutcome) -> datetime | None:
    """Return when a pipeline was created, None where its timestamp cannot be read."""
    try:
        created = datetime.fromisoformat(outcome.pipeline["created_on"])
    except (KeyError, TypeError, ValueError):
        return None
    return created if created.tzinfo else created.replace(tzinfo=UTC)


def _chosen(found: Sequence[PipelineOutcome], certain: bool, on_ambiguous: OnAmbiguous, which: str) -> PipelineOutcome | None:
    """Return the newest, if there is any and it may be taken."""
    if not found:
        return None
    if certain or on_ambiguous == "adopt_newest":
        return found[0]
    listed = "\n".join(f"  {one.url} of {one.pipeline.get('created_on')}: {one.reason}" for one in found)
    raise BitbucketAmbiguousStartError(
        f"It can not be told whether the start {which} is one of these:\n{listed}\nNothing else is started, because that could "
        "run it twice, and this is not tried again by itself. Look at them; clear this task to start a new one, or let it "
        'go on with the newest: on_ambiguous="adopt_newest".'
    )
