"""Many triggers in one event loop, as in a triggerer: what they cost together, and that they do not disturb each other."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from airflow_provider_bitbucket.testing import connection_json
from airflow_provider_bitbucket.triggers.pipelines import PipelineFetcher
from airflow_provider_bitbucket.triggers.poll_policy import DEFAULT_POLICY
from airflow_provider_bitbucket.triggers.request_scheduler import BURST_SHARE, RequestScheduler, scheduler_of
from airflow_provider_bitbucket.triggers.wait_condition import WaitEvent
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.triggers.quick import QUICK, QuickPipelineTrigger
from tests.triggers.waits import LIST, ONE, asked, finish, make, polled, pollers, start, statuses, until, waiting


def test_two_hundred_waits_in_a_repository_cost_two_requests_an_interval(bitbucket: BitbucketEmulator) -> None:
    uuids = start(bitbucket, 200)
    bitbucket.reset_requests()

    async def scene() -> None:
        tasks = [waiting(make(uuid)) for uuid in uuids]
        await polled(bitbucket, 6)
        assert len(pollers()) == 1
        bitbucket.clock(advance=600)
        await asyncio.gather(*tasks)
        assert set(statuses(tasks)) == {"succeeded"}
        assert {task.result()["found"]["uuid"] for task in tasks} == set(uuids)

    started = time.monotonic()
    asyncio.run(scene())
    rounds = (time.monotonic() - started) / 0.2 + 1
    assert asked(bitbucket, ONE) <= 1, "the first of the old ones, to find out its page"
    assert 8 <= asked(bitbucket, LIST) <= 2 * rounds


def test_the_event_is_the_same_by_either_way(bitbucket: BitbucketEmulator) -> None:
    alone, together = start(bitbucket, 1, "alone"), start(bitbucket, 2)
    finish(bitbucket, 1, "STOPPED")
    finish(bitbucket, 2, "ERROR")
    finish(bitbucket, 1, "STOPPED", "alone")

    async def scene() -> list[WaitEvent]:
        return await asyncio.gather(*(waiting(make(u)) for u in together), waiting(make(alone[0], repository="alone")))

    stopped, error, single = asyncio.run(scene())
    assert [stopped["status"], error["status"]] == ["failed", "failed"]
    for name in set(single["found"]) - {"uuid", "url", "commit"}:
        assert stopped["found"][name] == single["found"][name], name
    assert stopped["message"].partition(" http")[0] == single["message"].partition(" http")[0]


def test_the_shortest_of_several_intervals_answers_for_all(bitbucket: BitbucketEmulator) -> None:
    hasty, patient = start(bitbucket, 2)

    async def scene() -> None:
        tasks = [waiting(make(hasty, poll_interval=0.2)), waiting(make(patient, poll_interval=3600))]
        await polled(bitbucket, 2)
        finish(bitbucket, 2)
        async with asyncio.timeout(5):
            assert (await tasks[1])["status"] == "succeeded"
        assert not tasks[0].done()
        tasks[0].cancel()

    asyncio.run(scene())


async def joined(waits: int) -> None:
    """Wait until so many waits share the poller of ``api``."""
    scheduler = await scheduler_of_default()

    def count() -> int:
        return sum(len(poller.waiters()) for poller in scheduler._pollers.values())  # type: ignore[attr-defined]  # of a Poller

    await until(lambda: count() >= waits)


async def scheduler_of_default() -> RequestScheduler:
    """Return the scheduler of the connection ``bitbucket_default``."""
    return scheduler_of(await make("any")._client(), DEFAULT_POLICY)


def test_a_wait_that_joins_later_shares_requests_and_costs_no_more(bitbucket: BitbucketEmulator) -> None:
    uuids = start(bitbucket, 40)

    async def scene() -> None:
        tasks = [waiting(make(uuid, poll_interval=1)) for uuid in uuids[:2]]
        await polled(bitbucket, 1)
        for uuid in uuids[2:]:
            tasks.append(waiting(make(uuid, poll_interval=1)))
            await joined(len(tasks))
        bitbucket.clock(advance=600)
        await asyncio.gather(*tasks)

    bitbucket.reset_requests()
    started = time.monotonic()
    asyncio.run(scene())
    assert asked(bitbucket, ONE) + asked(bitbucket, LIST) <= time.monotonic() - started + 1


def test_a_cancelled_wait_and_a_lost_one_do_not_disturb_the_others(bitbucket: BitbucketEmulator) -> None:
    uuids = start(bitbucket, 3)

    async def scene() -> None:
        gone = waiting(make("{00000000-0000-4000-8000-000000000000}"))
        tasks = [waiting(make(uuid)) for uuid in uuids]
        assert (await gone)["status"] == "lost"
        assert "not found" in gone.result()["message"]
        tasks.pop(0).cancel()
        await polled(bitbucket, 2)
        bitbucket.control("DELETE", "pipelines/acme/api/2")
        assert (await tasks[0])["status"] == "lost"
        finish(bitbucket, 3)
        assert (await tasks[1])["status"] == "succeeded"

    asyncio.run(scene())


def test_after_the_last_wait_nothing_polls(bitbucket: BitbucketEmulator) -> None:
    uuids = start(bitbucket, 3)

    async def scene() -> None:
        tasks = [waiting(make(uuid)) for uuid in uuids]
        await polled(bitbucket, 1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await until(lambda: True)
        assert pollers() == []
        assert not (await scheduler_of_default())._pollers

    asyncio.run(scene())


def test_each_wait_ends_at_its_own_deadline(bitbucket: BitbucketEmulator) -> None:
    uuids = start(bitbucket, 3)

    async def scene() -> None:
        now = time.time()
        tasks = [
            waiting(make(uuid, poll_interval=30, deadline=now + seconds))
            for uuid, seconds in zip(uuids, (1, 1.5, 60), strict=True)
        ]
        for task, seconds in zip(tasks[:2], (1, 1.5), strict=True):
            event = await task
            assert event["status"] == "timeout"
            assert seconds <= time.time() - now < seconds + 3
            assert event["found"]["build_number"]
        assert not tasks[2].done()
        tasks[2].cancel()

    asyncio.run(scene())


class PunctualTrigger(QuickPipelineTrigger):
    """Allows its last poll a fifth of a second."""

    policy = replace(QUICK, final_poll_seconds=0.2)


def test_a_deadline_does_not_wait_for_a_bitbucket_that_hangs(bitbucket: BitbucketEmulator) -> None:
    (uuid,) = start(bitbucket, 1)
    bitbucket.fault("latency", latency=30, count=None)

    async def scene() -> None:
        async with asyncio.timeout(15):
            event = await waiting(make(uuid, PunctualTrigger, deadline=time.time() + 0.5))
        assert event["status"] == "timeout"
        bitbucket.clear_faults()

    asyncio.run(scene())


def test_a_token_that_expires_during_the_wait_is_renewed_once_for_all(
    bitbucket: BitbucketEmulator, connect: Callable[..., None]
) -> None:
    connect(connection_json(bitbucket, "oauth_client_credentials"))
    uuids = start(bitbucket, 5)
    bitbucket.script("api", "*", steps=[{"name": "Wait", "seconds": 1}])

    async def scene() -> None:
        tasks = [waiting(make(uuid)) for uuid in uuids]
        await polled(bitbucket, 2)
        bitbucket.reset_requests()
        bitbucket.clock(advance=3 * 3600)  # tokens live for two hours
        await asyncio.gather(*tasks)
        assert set(statuses(tasks)) == {"succeeded"}

    asyncio.run(scene())
    assert bitbucket.requests()["POST /site/oauth2/access_token"] == 1


def test_a_wait_continues_with_a_token_that_was_replaced_in_the_connection(
    bitbucket: BitbucketEmulator, connect: Callable[..., None]
) -> None:
    bitbucket.credentials("workspace_access_token", "old", workspace="acme", scopes=["read:pipeline:bitbucket"])
    bitbucket.credentials("workspace_access_token", "new", workspace="acme", scopes=["read:pipeline:bitbucket"])
    token = connection_json(bitbucket, "access_token")
    connect(token.replace("demo-access-token", "old"))
    uuids = start(bitbucket, 2)

    async def scene() -> None:
        tasks = [waiting(make(uuid)) for uuid in uuids]
        await polled(bitbucket, 1)
        connect(token.replace("demo-access-token", "new"))
        bitbucket.revoke("old")
        await polled(bitbucket, 3)
        for number in (1, 2):
            finish(bitbucket, number)
        assert [(await task)["status"] for task in tasks] == ["succeeded"] * 2
        gone = waiting(make("{00000000-0000-4000-8000-000000000000}"))
        assert (await gone)["status"] == "lost", "with credentials that are not replaced"

    asyncio.run(scene())


def test_no_wait_is_polled_with_other_credentials(bitbucket: BitbucketEmulator, connect: Callable[..., None]) -> None:
    bitbucket.credentials("api_token", "narrow", login=bitbucket.api_token[0], scopes=["read:repository:bitbucket"])
    narrow = connection_json(bitbucket).replace(bitbucket.api_token[1], "narrow")
    connect(narrow, "narrow")
    first, second = start(bitbucket, 2)

    async def scene() -> None:
        refused = waiting(make(first, bitbucket_conn_id="narrow", poll_interval=1))
        allowed = waiting(make(second, poll_interval=1))
        await until(lambda: asked(bitbucket, ONE) > 0)
        assert (await refused)["status"] == "lost"
        finish(bitbucket, 2)
        assert (await allowed)["status"] == "succeeded"

    asyncio.run(scene())


def test_each_line_goes_to_the_log_of_its_task(bitbucket: BitbucketEmulator, caplog: pytest.LogCaptureFixture) -> None:
    # As the triggerer routes lines: by a context variable.
    task_of_log: contextvars.ContextVar[str] = contextvars.ContextVar("task_of_log", default="no task ")

    class Route(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            record.task_of_log = task_of_log.get()
            return True

    caplog.set_level("INFO")
    caplog.handler.addFilter(Route())
    uuids = start(bitbucket, 3)

    async def scene() -> None:
        tasks = []
        for number, uuid in enumerate(uuids, 1):
            task_of_log.set(f"#{number} ")
            tasks.append(waiting(make(uuid)))
        await polled(bitbucket, 1)
        bitbucket.clock(advance=600)
        await asyncio.gather(*tasks)

    asyncio.run(scene())
    logged = [(record.task_of_log, record.getMessage()) for record in caplog.records if "Pipeline #" in record.getMessage()]  # type: ignore[attr-defined]  # set by the filter above
    assert len(logged) >= 3
    assert all(task in line for task, line in logged), logged


def test_near_the_limit_intervals_are_stretched_and_the_log_says_so_and_when_that_ends(
    bitbucket: BitbucketEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    hasty, calm = start(bitbucket, 1)[0], start(bitbucket, 1, "calm")[0]
    bitbucket.reset_requests()

    async def scene() -> None:
        client = await make(hasty)._client()
        client.budget.lower_cap(50)  # a burst of 10, and 30 evenly spread
        tasks = [waiting(make(hasty, poll_interval=0.05)), waiting(make(calm, repository="calm", poll_interval=600))]
        await until(lambda: "instead of every" in caplog.text)
        tasks[0].cancel()
        await until(lambda: "The request budget suffices again; polling every 600 s." in caplog.text)
        assert asked(bitbucket, ONE) <= 10
        tasks[1].cancel()

    asyncio.run(scene())
    logged = [record.getMessage() for record in caplog.records if "instead of every" in record.getMessage()]
    assert any(
        "bitbucket_default need 72,0" in line and "more than their share of 30 of the 50 that Bitbucket allows" in line
        for line in logged
    )
    assert len(logged) <= 2


class BrokenFetcher(PipelineFetcher):
    def fetch(self, due: object, waiting: object) -> object:  # type: ignore[override]  # broken on purpose
        raise KeyError("oops")


class BrokenTrigger(QuickPipelineTrigger):
    fetcher = BrokenFetcher


def test_a_bug_in_a_fetcher_ends_its_waits(bitbucket: BitbucketEmulator) -> None:
    (uuid,) = start(bitbucket, 1)

    async def scene() -> None:
        with pytest.raises(KeyError):
            await waiting(make(uuid, BrokenTrigger))
        assert pollers() == []

    asyncio.run(scene())


def test_a_poll_counts_as_many_requests_as_it_sends(bitbucket: BitbucketEmulator) -> None:
    uuids = start(bitbucket, 2)

    async def scene() -> None:
        tasks = [waiting(make(uuid)) for uuid in uuids]
        await polled(bitbucket, 10)
        used = BURST_SHARE * 1000 - (await scheduler_of_default())._burst
        assert used <= asked(bitbucket, LIST) + asked(bitbucket, ONE)
        for task in tasks:
            task.cancel()

    asyncio.run(scene())
