"""Many triggers in one event loop, as in a triggerer: what they cost together, and that they do not disturb each other."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import time
from collections.abc import Callable

import pytest

from airflow_provider_bitbucket.testing import connection_json
from airflow_provider_bitbucket.triggers import pipelines, polling
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.triggers.waits import LIST, ONE, asked, finish, looked, make, pollers, start, statuses, until, waiting


def test_two_hundred_waits_in_a_repository_cost_two_requests_an_interval(bitbucket: BitbucketEmulator) -> None:
    uuids = start(bitbucket, 200)
    bitbucket.reset_requests()

    async def scene() -> None:
        tasks = [waiting(make(uuid)) for uuid in uuids]
        await looked(bitbucket, 6)
        assert len(pollers()) == 1
        bitbucket.clock(advance=600)
        await asyncio.gather(*tasks)
        assert set(statuses(tasks)) == {"succeeded"}
        assert {task.result()["pipeline"]["uuid"] for task in tasks} == set(uuids)

    started = time.monotonic()
    asyncio.run(scene())
    rounds = (time.monotonic() - started) / 0.2 + 1
    assert asked(bitbucket, ONE) <= 1, "the first of the old ones, to find out where they stand"
    assert 8 <= asked(bitbucket, LIST) <= 2 * rounds


def test_the_event_is_the_same_by_either_way(bitbucket: BitbucketEmulator) -> None:
    alone, together = start(bitbucket, 1, "alone"), start(bitbucket, 2)
    finish(bitbucket, 1, "STOPPED")
    finish(bitbucket, 2, "ERROR")
    finish(bitbucket, 1, "STOPPED", "alone")

    async def scene() -> list[pipelines.PipelineEvent]:
        return await asyncio.gather(*(waiting(make(u)) for u in together), waiting(make(alone[0], repository="alone")))

    stopped, error, single = asyncio.run(scene())
    assert [stopped["status"], error["status"]] == ["failed", "failed"]
    for name in set(single["pipeline"]) - {"uuid", "url", "commit"}:
        assert stopped["pipeline"][name] == single["pipeline"][name], name
    assert stopped["message"] == single["message"]


def test_with_different_intervals_the_shortest_answers_for_all(bitbucket: BitbucketEmulator) -> None:
    hasty, patient = start(bitbucket, 2)

    async def scene() -> None:
        tasks = [waiting(make(hasty, poll_interval=0.2)), waiting(make(patient, poll_interval=3600))]
        await looked(bitbucket, 2)
        finish(bitbucket, 2)
        async with asyncio.timeout(5):
            assert (await tasks[1])["status"] == "succeeded"
        assert not tasks[0].done()
        tasks[0].cancel()

    asyncio.run(scene())


def test_who_comes_later_shares_and_costs_nothing_more(bitbucket: BitbucketEmulator) -> None:
    uuids = start(bitbucket, 40)

    async def scene() -> None:
        tasks = [waiting(make(uuid, poll_interval=1)) for uuid in uuids[:2]]
        await looked(bitbucket, 1)
        for uuid in uuids[2:]:
            tasks.append(waiting(make(uuid, poll_interval=1)))
            await asyncio.sleep(0.05)
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
        await looked(bitbucket, 2)
        bitbucket.control("DELETE", "pipelines/acme/api/2")
        assert (await tasks[0])["status"] == "lost"
        finish(bitbucket, 3)
        assert (await tasks[1])["status"] == "succeeded"

    asyncio.run(scene())


def test_when_the_last_one_leaves_nothing_is_asked_any_more(bitbucket: BitbucketEmulator) -> None:
    uuids = start(bitbucket, 3)

    async def scene() -> None:
        tasks = [waiting(make(uuid)) for uuid in uuids]
        await looked(bitbucket, 1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await until(lambda: True)
        assert pollers() == []
        assert all(not line._pollers for line in polling._lines.values())
        bitbucket.reset_requests()
        await asyncio.sleep(0.5)
        assert bitbucket.requests() == {}

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
            assert event["pipeline"]["build_number"]
        assert not tasks[2].done()
        tasks[2].cancel()

    asyncio.run(scene())


def test_a_deadline_does_not_wait_for_a_bitbucket_that_hangs(
    bitbucket: BitbucketEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "LAST_LOOK_SECONDS", 0.2)
    (uuid,) = start(bitbucket, 1)
    bitbucket.fault("latency", latency=30, count=None)

    async def scene() -> None:
        now = time.time()
        event = await waiting(make(uuid, deadline=now + 0.5))
        assert event["status"] == "timeout"
        assert time.time() - now < 1.5
        bitbucket.clear_faults()

    asyncio.run(scene())


def test_a_token_that_lapses_meanwhile_is_renewed_once_for_all(
    bitbucket: BitbucketEmulator, connect: Callable[..., None]
) -> None:
    connect(connection_json(bitbucket, "oauth_client_credentials"))
    uuids = start(bitbucket, 5)
    bitbucket.script("api", "*", steps=[{"name": "Wait", "seconds": 1}])

    async def scene() -> None:
        tasks = [waiting(make(uuid)) for uuid in uuids]
        await looked(bitbucket, 2)
        bitbucket.reset_requests()
        bitbucket.clock(advance=3 * 3600)  # tokens live for two hours
        await asyncio.gather(*tasks)
        assert set(statuses(tasks)) == {"succeeded"}

    asyncio.run(scene())
    assert bitbucket.requests()["POST /site/oauth2/access_token"] == 1


def test_a_token_that_somebody_replaced_in_the_connection_is_gone_on_with(
    bitbucket: BitbucketEmulator, connect: Callable[..., None]
) -> None:
    bitbucket.credentials("workspace_access_token", "old", workspace="acme", scopes=["read:pipeline:bitbucket"])
    bitbucket.credentials("workspace_access_token", "new", workspace="acme", scopes=["read:pipeline:bitbucket"])
    token = connection_json(bitbucket, "access_token")
    connect(token.replace("demo-access-token", "old"))
    uuids = start(bitbucket, 2)

    async def scene() -> None:
        tasks = [waiting(make(uuid)) for uuid in uuids]
        await looked(bitbucket, 1)
        connect(token.replace("demo-access-token", "new"))
        bitbucket.revoke("old")
        await looked(bitbucket, 3)
        for number in (1, 2):
            finish(bitbucket, number)
        assert [(await task)["status"] for task in tasks] == ["succeeded"] * 2
        gone = waiting(make("{00000000-0000-4000-8000-000000000000}"))
        assert (await gone)["status"] == "lost", "with credentials that nobody replaces"

    asyncio.run(scene())


def test_other_credentials_never_ask_for_a_wait(bitbucket: BitbucketEmulator, connect: Callable[..., None]) -> None:
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


def test_each_line_goes_to_the_log_of_the_task_it_is_about(
    bitbucket: BitbucketEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    # As the triggerer routes lines: by a context variable.
    task_of_log: contextvars.ContextVar[str] = contextvars.ContextVar("task_of_log", default="nobody's")

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
        await looked(bitbucket, 1)
        bitbucket.clock(advance=600)
        await asyncio.gather(*tasks)

    asyncio.run(scene())
    told = [(record.task_of_log, record.getMessage()) for record in caplog.records if "Pipeline #" in record.getMessage()]  # type: ignore[attr-defined]  # set by the filter above
    assert len(told) >= 3
    assert all(task in line for task, line in told), told


def test_near_the_limit_looks_get_rarer_and_the_log_says_so_and_when_it_is_over(
    bitbucket: BitbucketEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    hasty, calm = start(bitbucket, 1)[0], start(bitbucket, 1, "calm")[0]
    bitbucket.reset_requests()

    async def scene() -> None:
        client = await make(hasty)._client()
        client.budget.lower_cap(50)  # 10 at once, 30 evenly
        tasks = [waiting(make(hasty, poll_interval=0.05)), waiting(make(calm, repository="calm", poll_interval=600))]
        await until(lambda: "instead of every" in caplog.text)
        await asyncio.sleep(1)
        assert asked(bitbucket, ONE) <= 10
        tasks[0].cancel()
        await until(lambda: "There is room in the request budget again: looking every 600 s." in caplog.text)
        tasks[1].cancel()

    asyncio.run(scene())
    told = [record.getMessage() for record in caplog.records if "instead of every" in record.getMessage()]
    assert any(
        "bitbucket_default would need 72,0" in line and "of the 50 that Bitbucket allows they get 30" in line for line in told
    )
    assert len(told) <= 2


def test_a_fault_of_our_own_ends_the_waits_and_leaves_nobody_waiting_for_ever(
    bitbucket: BitbucketEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    (uuid,) = start(bitbucket, 1)

    class Broken(pipelines.PipelineLooker):
        def look(self, due: object, waiting: object) -> object:  # type: ignore[override]  # broken on purpose
            raise KeyError("oops")

    monkeypatch.setattr(pipelines.BitbucketPipelineTrigger, "looker", Broken)

    async def scene() -> None:
        with pytest.raises(KeyError):
            await waiting(make(uuid))
        assert pollers() == []

    asyncio.run(scene())


def test_a_round_takes_one_place_in_the_budget_for_each_request_and_no_more(bitbucket: BitbucketEmulator) -> None:
    uuids = start(bitbucket, 2)

    async def scene() -> None:
        tasks = [waiting(make(uuid)) for uuid in uuids]
        await looked(bitbucket, 10)
        used = polling.AT_ONCE * 1000 - polling._line_of(await make(uuids[0])._client())._at_once
        assert used <= asked(bitbucket, LIST) + asked(bitbucket, ONE)
        for task in tasks:
            task.cancel()

    asyncio.run(scene())
