"""A malformed response is a failed poll: it ends no wait, and it hides no other pipeline."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_bitbucket.client import BitbucketServerError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.triggers.base import BitbucketWaitTrigger
from airflow_provider_bitbucket.triggers.build_statuses import BitbucketBuildStatusTrigger
from airflow_provider_bitbucket.triggers.deployments import BitbucketDeploymentTrigger
from airflow_provider_bitbucket.triggers.pipelines import PipelineFetcher
from airflow_provider_bitbucket.triggers.poller import FetchStep, wait
from airflow_provider_bitbucket.triggers.pull_requests import BitbucketPullRequestTrigger
from airflow_provider_bitbucket.triggers.refs import BitbucketRefTrigger
from airflow_provider_bitbucket.triggers.reviews import BitbucketReviewTrigger
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.triggers.mutating_proxy import MutatingProxy, Mutation, of_list
from tests.triggers.quick import QUICK, QuickPipelineTrigger
from tests.triggers.waits import LATER, LIST, ONE, asked, finish, make, polled, start, statuses, until, waiting


@pytest.fixture
def proxy(bitbucket: BitbucketEmulator, connect: Callable[..., None]) -> Iterator[MutatingProxy]:
    """A proxy before the emulator, to which ``bitbucket_default`` leads."""
    with MutatingProxy(bitbucket) as running:
        connect(running.connection_json)
        yield running


def first_row(change: Callable[[dict[str, Any]], Any]) -> Mutation:
    """Return a mutation of the newest pipeline of a list."""
    return of_list(lambda page: {**page, "values": [change(page["values"][0]), *page["values"][1:]]})


def deeply_nested(path: str, headers: dict[str, str], body: bytes) -> bytes | None:
    return b'{"values": ' + b"[" * 100_000 + b"]" * 100_000 + b"}" if path.partition("?")[0].endswith("/pipelines/") else None


def odd_rate_limit(path: str, headers: dict[str, str], body: bytes) -> bytes | None:
    headers["X-RateLimit-Limit"] = "\xb2"  # a superscript two, which is a digit and no number
    return body


MUTATIONS: dict[str, Mutation] = {
    "a null row": first_row(lambda row: None),
    "a state that is a text": first_row(lambda row: {**row, "state": "RUNNING"}),
    "a state that is a list": first_row(lambda row: {**row, "state": ["COMPLETED"]}),
    "an end without a result": first_row(lambda row: {**row, "state": {"name": "COMPLETED", "result": None}}),
    "an end whose result is a text": first_row(lambda row: {**row, "state": {"name": "COMPLETED", "result": "FAILED"}}),
    "an infinite build number": first_row(lambda row: {**row, "build_number": float("inf")}),
    "an absurd build number": first_row(lambda row: {**row, "build_number": 10**60}),
    "a uuid that is a list": first_row(lambda row: {**row, "uuid": [row["uuid"]]}),
    "a target that is a list": first_row(lambda row: {**row, "target": [1], "completed_on": {"a": float("nan")}}),
    "values that are no list": of_list(lambda page: {**page, "values": {"0": None}}),
    "a list that is a list": of_list(lambda page: [page]),
    "JSON nested 100,000 deep": deeply_nested,
    "an odd rate limit": odd_rate_limit,
}


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_50_waits_outlive_a_malformed_list_and_end_as_their_pipelines_do(
    bitbucket: BitbucketEmulator, proxy: MutatingProxy, mutation: Mutation
) -> None:
    uuids = start(bitbucket, 50)

    async def scene() -> None:
        tasks = [waiting(make(uuid, poll_interval=0.1)) for uuid in uuids]
        await polled(bitbucket, 1)
        proxy.mutate(mutation, times=3)
        await until(lambda: proxy.left == 0)
        assert not any(task.done() for task in tasks)
        for number in range(1, 51):
            finish(bitbucket, number, "FAILED" if number % 2 else "SUCCESSFUL")
        async with asyncio.timeout(30):
            await asyncio.gather(*tasks)
        assert statuses(tasks) == ["failed", "succeeded"] * 25

    asyncio.run(scene())


@pytest.mark.parametrize("name", ["a null row", "an end without a result", "JSON nested 100,000 deep"])
def test_pipelines_of_a_list_that_stays_malformed_get_requests_of_their_own(
    bitbucket: BitbucketEmulator, proxy: MutatingProxy, name: str
) -> None:
    uuids = start(bitbucket, 3)
    proxy.mutate(MUTATIONS[name], times=1_000_000)

    async def scene() -> None:
        tasks = [waiting(make(uuid, poll_interval=0.1)) for uuid in uuids]
        await polled(bitbucket, 1)
        for number in (1, 2, 3):
            finish(bitbucket, number)
        async with asyncio.timeout(30):
            await asyncio.gather(*tasks)
        assert statuses(tasks) == ["succeeded"] * 3

    asyncio.run(scene())
    assert asked(bitbucket, ONE) >= 1


def test_a_malformed_pipeline_does_not_slow_down_the_others(bitbucket: BitbucketEmulator, proxy: MutatingProxy) -> None:
    uuids = start(bitbucket, 3)

    def mutate(path: str, headers: dict[str, str], body: bytes) -> bytes | None:
        shown = json.loads(body)
        for row in shown.get("values", [shown]):
            if row["uuid"] == uuids[0]:
                row["state"] = {"name": "COMPLETED", "result": "?"}
        return json.dumps(shown).encode()

    proxy.mutate(mutate, times=1_000_000)

    async def scene() -> None:
        tasks = [waiting(make(uuid, poll_interval=0.1)) for uuid in uuids]
        await polled(bitbucket, 3, ONE)
        for number in (1, 2, 3):
            finish(bitbucket, number)
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks[1:])
        assert not tasks[0].done()
        proxy.mutate(mutate, times=0)
        assert (await tasks[0])["status"] == "succeeded"

    asyncio.run(scene())


class Broken(PipelineFetcher):
    """Fails in an unexpected way, twice."""

    left = 2

    def fetch(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[FetchStep]:
        if Broken.left:
            Broken.left -= 1
            raise ZeroDivisionError("a bug")
        yield from super().fetch(due, waiting)


def test_an_unexpected_exception_is_a_failed_poll_and_is_logged_once_with_its_traceback(
    bitbucket: BitbucketEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    (uuid,) = start(bitbucket, 1)
    finish(bitbucket, 1)
    condition = make(uuid, poll_interval=0.05).condition(logging.getLogger("task"))

    async def scene() -> None:
        client = await asyncio.to_thread(BitbucketHook().get_conn, "none")
        async with asyncio.timeout(20):
            event = await wait(Broken, client, "acme/api", uuid, condition)
        assert event["status"] == "succeeded"

    asyncio.run(scene())
    (record,) = [record for record in caplog.records if record.exc_info]
    assert "ZeroDivisionError: a bug" in record.getMessage()
    assert "in fetch" in caplog.text


def test_unexpected_exceptions_until_the_deadline_are_a_timeout_that_names_them(bitbucket: BitbucketEmulator) -> None:
    condition = make("{1}", deadline=0).condition(logging.getLogger("task"))
    event = condition.on_answer(KeyError("uuid"))
    assert event is not None
    assert event["status"] == "timeout"
    assert "KeyError" in event["message"]


class ImpatientTrigger(QuickPipelineTrigger):
    """Lets other requests pass one that takes longer than a fifth of a second."""

    policy = replace(QUICK, exclusive_seconds=0.2)


def test_a_request_that_hangs_does_not_delay_other_repositories_of_the_credential(bitbucket: BitbucketEmulator) -> None:
    (slow,), (quick,) = start(bitbucket, 1), start(bitbucket, 1, "web")
    bitbucket.fault("latency", count=None, path="repositories/acme/api/", latency=60)

    async def scene() -> None:
        hanging = waiting(make(slow, ImpatientTrigger, poll_interval=0.1, deadline=time.time() + 6))
        await until(lambda: bitbucket.control("GET", "faults")[0]["struck"] >= 1)
        other = waiting(make(quick, repository="web", poll_interval=0.1))
        await polled(bitbucket, 3, ONE)
        finish(bitbucket, 1, slug="web")
        async with asyncio.timeout(10):
            assert (await other)["status"] == "succeeded"
        assert not hanging.done()
        assert (await hanging)["status"] == "timeout"

    try:
        asyncio.run(scene())
    finally:
        bitbucket.control("DELETE", "faults")


COMMON: dict[str, Any] = {
    "bitbucket_conn_id": "bitbucket_default",
    "workspace": None,
    "repository": "acme/api",
    "poll_interval": 30,
    "deadline": LATER,
}
HASH = "a" * 40
DONE = {"uuid": "{d}", "state": {"name": "COMPLETED", "status": {"name": "SUCCESSFUL"}}}
KINDS: dict[str, tuple[BitbucketWaitTrigger, dict[str, Any]]] = {
    "pull request": (BitbucketPullRequestTrigger(pull_request=1, states=["MERGED"], **COMMON), {"id": 1, "state": "MERGED"}),
    "ref": (BitbucketRefTrigger(kind="branch", name="main", moved_from="b" * 7, **COMMON), {"target": {"hash": HASH}}),
    "deployment": (BitbucketDeploymentTrigger(environment="test", pipeline="1", **COMMON), DONE),
    "review": (
        BitbucketReviewTrigger(pull_request=1, changes_requested=0, **COMMON),
        {"pull_request": {"id": 1, "state": "OPEN", "source": {"commit": {"hash": HASH}}}, "approvals": []},
    ),
    "build statuses": (
        BitbucketBuildStatusTrigger(commit=HASH, **COMMON),
        {"commit": HASH, "url": "", "statuses": {"k": {"key": "k", "state": "SUCCESSFUL"}}},
    ),
}


def spoilt(value: Any) -> Iterator[Any]:
    """Yield a JSON value with each of its parts replaced by a wrong one."""
    yield from (None, [], 7, "?", {}, [None])
    for name, inner in value.items() if isinstance(value, dict) else ():
        yield {other: one for other, one in value.items() if other != name}
        for changed in spoilt(inner):
            yield {**value, name: changed}


@pytest.mark.parametrize("kind", KINDS)
def test_no_malformed_answer_ends_a_wait_in_failure_or_a_traceback(kind: str) -> None:
    trigger, answer = KINDS[kind]
    ended = trigger.condition(logging.getLogger("task")).on_answer(answer)
    assert ended is not None
    assert ended["status"] == "succeeded"
    for changed in spoilt(answer):
        event = trigger.condition(logging.getLogger("task")).on_answer(changed)
        if changed is not None or not isinstance(trigger, BitbucketRefTrigger | BitbucketDeploymentTrigger):
            assert event is None or event["status"] == "succeeded" or "?" in event["message"], changed


@pytest.mark.parametrize("kind", KINDS)
def test_the_error_of_a_malformed_answer_names_its_subject(kind: str) -> None:
    trigger, _ = KINDS[kind]
    with pytest.raises(BitbucketServerError, match=f"malformed response about {trigger.label} .* of acme/api"):
        trigger.condition(logging.getLogger("task")).on_response([None])


def test_the_list_is_polled_again_after_it_was_unreadable(bitbucket: BitbucketEmulator, proxy: MutatingProxy) -> None:
    uuids = start(bitbucket, 3)

    async def scene() -> None:
        tasks = [waiting(make(uuid, poll_interval=0.1)) for uuid in uuids]
        proxy.mutate(deeply_nested, times=2)
        await until(lambda: asked(bitbucket, ONE) >= 3)
        before = asked(bitbucket, ONE)
        await polled(bitbucket, 3, LIST)
        assert asked(bitbucket, ONE) == before
        for task in tasks:
            task.cancel()

    asyncio.run(scene())
