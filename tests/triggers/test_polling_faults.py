"""What goes wrong for one of many who wait together, or for all of them, disturbs nobody more than it has to."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterator, Sequence

import pytest

from airflow_provider_bitbucket.client import BitbucketError, BitbucketRateLimitError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.triggers import pipelines, polling
from airflow_provider_bitbucket.triggers.build_statuses import BitbucketBuildStatusTrigger
from airflow_provider_bitbucket.triggers.waiting import polling_hook
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import client_of
from tests.triggers.waits import LATER, LIST, ONE, asked, finish, looked, make, start, statuses, until, waiting

STATUSES = "GET /repositories/{workspace}/{repo_slug}/commit/{commit}/statuses"


def test_a_429_holds_back_all_repositories_of_the_credential_and_each_log_says_so_once(
    bitbucket: BitbucketEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    uuids = {slug: start(bitbucket, 2, slug) for slug in ("api", "web")}
    bitbucket.clock(speed=1)
    bitbucket.settings(retry_after="seconds")

    async def scene() -> None:
        tasks = [waiting(make(uuid, repository=slug)) for slug in uuids for uuid in uuids[slug]]
        await looked(bitbucket, 2)
        bitbucket.fault("rate_limit", seconds=4)
        await until(lambda: "Could not look" in caplog.text)
        refused = time.monotonic()
        bitbucket.reset_requests()
        await looked(bitbucket, 1)
        assert time.monotonic() - refused > 1
        bitbucket.clock(advance=600)
        await asyncio.gather(*tasks)
        assert set(statuses(tasks)) == {"succeeded"}

    asyncio.run(scene())
    told = [record.getMessage() for record in caplog.records]
    assert 2 <= sum("Could not look" in line for line in told) <= 4, "those that were due, once each"
    assert sum("Could not look" in line for line in told) == sum("answers again" in line for line in told)


def test_faults_on_the_way_end_no_wait(bitbucket: BitbucketEmulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    uuids = start(bitbucket, 3)

    async def scene() -> None:
        tasks = [waiting(make(uuid, poll_interval=0.1)) for uuid in uuids]
        await looked(bitbucket, 1)
        for kind in ("server_error", "reset", "truncated", "html"):
            bitbucket.fault(kind)
            await looked(bitbucket, 2)
        bitbucket.clock(advance=600)
        await asyncio.gather(*tasks)
        assert set(statuses(tasks)) == {"succeeded"}

    asyncio.run(scene())
    assert asked(bitbucket, ONE) == 0
    assert "Bitbucket answers again" in caplog.text


def test_one_that_can_never_be_looked_at_does_not_slow_down_the_others(bitbucket: BitbucketEmulator) -> None:
    uuids = start(bitbucket, 3)
    bitbucket.fault("server_error", count=None, path="00000000-0000-4000-8000")

    async def scene() -> None:
        broken = waiting(make("{00000000-0000-4000-8000-000000000000}", poll_interval=0.05))
        others = [waiting(make(uuid)) for uuid in uuids]
        await until(lambda: asked(bitbucket, ONE) > 3)  # by now it is asked for every 0.8 s, then 1.6 s, ...
        before = asked(bitbucket, LIST)
        await asyncio.sleep(2)
        assert asked(bitbucket, LIST) - before >= 5, "every 0.2 s, were the machine not busy"
        for number in (1, 2, 3):
            finish(bitbucket, number)
        assert [(await other)["status"] for other in others] == ["succeeded"] * 3
        broken.cancel()

    asyncio.run(scene())


class OnceAnHour(pipelines.PipelineWatch):
    """Looks once an hour, and the first time at once, as if it had come an hour ago."""

    def failed(self, error: BitbucketError) -> pipelines.PipelineEvent | None:
        self.poll_interval = 3600
        return super().failed(error)


async def looks_once_an_hour(uuid: str) -> object:
    watch = OnceAnHour("acme/api", uuid, poll_interval=0.05, deadline=LATER, log=logging.getLogger("task"), on_paused="wait")
    client = await asyncio.to_thread(polling_hook("bitbucket_default", None).get_conn)
    return await polling.wait(pipelines.PipelineLooker, client, "acme/api", uuid, watch)


def test_a_wait_that_looks_once_an_hour_and_fails_does_not_keep_others_from_looking(bitbucket: BitbucketEmulator) -> None:
    old, new = start(bitbucket, 2)
    finish(bitbucket, 2)
    bitbucket.fault("server_error")

    async def scene() -> None:
        rarely = asyncio.create_task(looks_once_an_hour(old))
        await until(lambda: bitbucket.control("GET", "faults")[0]["struck"] == 1)
        async with asyncio.timeout(10):
            assert (await waiting(make(new)))["status"] == "succeeded"
        rarely.cancel()

    asyncio.run(scene())


def test_nor_does_a_429_hold_the_credential_back_for_an_hour(bitbucket: BitbucketEmulator) -> None:
    (uuid,) = start(bitbucket, 1)
    bitbucket.settings(retry_after="seconds")
    bitbucket.fault("rate_limit")

    async def scene() -> None:
        rarely = asyncio.create_task(looks_once_an_hour(uuid))
        budget = BitbucketHook().get_conn().budget
        await until(lambda: budget.free_in > 0)
        assert budget.free_in <= 300
        rarely.cancel()

    asyncio.run(scene())


def test_a_429_of_the_token_endpoint_holds_no_other_user_back(bitbucket: BitbucketEmulator) -> None:
    """People who come through the same consumer share its budget, which knows nothing of that endpoint's limit."""
    (uuid,) = start(bitbucket, 1)

    async def scene() -> None:
        client = await asyncio.to_thread(polling_hook("bitbucket_default", None).get_conn)
        refused = BitbucketRateLimitError("Too many tokens.", status=429, method="POST", url="https://x.org/token")
        refused.retry_after = 3600

        class Refused(pipelines.PipelineLooker):
            def look(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[polling.Step]:
                raise refused
                yield

        watch = OnceAnHour("acme/api", uuid, poll_interval=0.05, deadline=LATER, log=logging.getLogger("task"), on_paused="wait")
        wait = asyncio.create_task(polling.wait(Refused, client, "acme/api", uuid, watch))
        await until(lambda: watch.is_blind)
        assert client.budget.free_in == 0
        wait.cancel()

    asyncio.run(scene())


def test_a_commit_that_can_never_be_looked_at_does_not_keep_others_from_being_looked_at(bitbucket: BitbucketEmulator) -> None:
    bad, good = "bad" + "0" * 37, str(client_of(bitbucket).refs.branch("api", "main")["target"]["hash"])
    bitbucket.fault("server_error", count=None, path=f"commit/{bad}")
    common = {"bitbucket_conn_id": "bitbucket_default", "workspace": None, "repository": "api", "deadline": LATER}
    looks = lambda: asked(bitbucket, STATUSES)  # noqa: E731 - it is short

    async def scene() -> None:
        broken, other = (
            asyncio.create_task(anext(BitbucketBuildStatusTrigger(**common, poll_interval=0.2, commit=commit).run()))
            for commit in (bad, good)
        )
        await until(lambda: bitbucket.control("GET", "faults")[0]["struck"] == 5)  # it rests 6.4 s now
        before = await asyncio.to_thread(looks)
        await asyncio.sleep(2.5)
        assert await asyncio.to_thread(looks) - before >= 5, "every 0.2 s, were the machine not busy"
        for task in (broken, other):
            task.cancel()

    asyncio.run(scene())


def test_one_without_a_pause_between_its_looks_ends_no_other(bitbucket: BitbucketEmulator) -> None:
    uuids = start(bitbucket, 2)

    async def scene() -> None:
        tasks = [waiting(make(uuids[0])), waiting(make(uuids[1], poll_interval=0))]
        await looked(bitbucket, 3)
        assert not any(task.done() for task in tasks)
        assert polling._line_of(BitbucketHook().get_conn())._demand < 20_000, "one without a pause wants no more than others"
        bitbucket.clock(advance=600)
        await asyncio.gather(*tasks)
        assert set(statuses(tasks)) == {"succeeded"}

    asyncio.run(scene())


def test_a_bitbucket_that_is_away_is_asked_less_and_less_often_by_all_together(
    bitbucket: BitbucketEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    uuids = start(bitbucket, 20)
    bitbucket.reset_requests()
    bitbucket.fault("server_error", count=None)

    async def scene() -> None:
        tasks = [waiting(make(uuid, poll_interval=0.1)) for uuid in uuids]
        await until(lambda: asked(bitbucket, LIST) >= 4)
        for task in tasks:
            task.cancel()

    started = time.monotonic()
    asyncio.run(scene())
    assert time.monotonic() - started > 0.1 + 0.2 + 0.4 + 0.8 - 0.1
    assert asked(bitbucket, ONE) == 0
    assert sum("Could not look" in record.getMessage() for record in caplog.records) == len(uuids)
