"""An error of one of many waits does not disturb the others, and an error of all of them is reported once in each log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterator, Sequence

import pytest

from airflow_provider_bitbucket.client import BitbucketRateLimitError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.triggers.pipelines import PipelineFetcher
from airflow_provider_bitbucket.triggers.poll_policy import DEFAULT_POLICY
from airflow_provider_bitbucket.triggers.poller import FetchStep, wait
from airflow_provider_bitbucket.triggers.request_scheduler import scheduler_of
from airflow_provider_bitbucket.triggers.wait_condition import WaitCondition, WaitEvent
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import client_of
from tests.triggers.quick import QuickBuildStatusTrigger
from tests.triggers.waits import LATER, LIST, ONE, asked, finish, make, polled, start, statuses, until, waiting

FAILED = "Polling the pipeline failed"
STATUSES = "GET /repositories/{workspace}/{repo_slug}/commit/{commit}/statuses"


def test_a_429_pauses_all_repositories_of_the_credential_and_each_log_says_so_once(
    bitbucket: BitbucketEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    uuids = {slug: start(bitbucket, 2, slug) for slug in ("api", "web")}
    bitbucket.clock(speed=1)
    bitbucket.settings(retry_after="seconds")

    async def scene() -> None:
        tasks = [waiting(make(uuid, repository=slug)) for slug in uuids for uuid in uuids[slug]]
        await polled(bitbucket, 2)
        bitbucket.fault("rate_limit", seconds=4)
        await until(lambda: FAILED in caplog.text)
        refused = time.monotonic()
        bitbucket.reset_requests()
        await polled(bitbucket, 1)
        assert time.monotonic() - refused > 1
        bitbucket.clock(advance=600)
        await asyncio.gather(*tasks)
        assert set(statuses(tasks)) == {"succeeded"}

    asyncio.run(scene())
    logged = [record.getMessage() for record in caplog.records]
    assert 2 <= sum(FAILED in line for line in logged) <= 4, "those that were due, once each"
    assert sum(FAILED in line for line in logged) == sum("answers again" in line for line in logged)


def test_transient_errors_end_no_wait(bitbucket: BitbucketEmulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    uuids = start(bitbucket, 3)

    async def scene() -> None:
        tasks = [waiting(make(uuid, poll_interval=0.1)) for uuid in uuids]
        await polled(bitbucket, 1)
        for kind in ("server_error", "reset", "truncated", "html"):
            bitbucket.fault(kind)
            await polled(bitbucket, 2)
        bitbucket.clock(advance=600)
        await asyncio.gather(*tasks)
        assert set(statuses(tasks)) == {"succeeded"}

    asyncio.run(scene())
    assert asked(bitbucket, ONE) == 0
    assert "Bitbucket answers again" in caplog.text


def test_a_pipeline_that_can_never_be_polled_does_not_slow_down_the_others(bitbucket: BitbucketEmulator) -> None:
    uuids = start(bitbucket, 3)
    bitbucket.fault("server_error", count=None, path="00000000-0000-4000-8000")

    async def scene() -> None:
        broken = waiting(make("{00000000-0000-4000-8000-000000000000}", poll_interval=0.05))
        others = [waiting(make(uuid)) for uuid in uuids]
        await until(lambda: asked(bitbucket, ONE) > 3)  # by now it is asked for every 0.8 s, then 1.6 s, ...
        failing = asked(bitbucket, ONE)
        await polled(bitbucket, 5)
        assert asked(bitbucket, ONE) - failing < 5, "the others are polled more often"
        for number in (1, 2, 3):
            finish(bitbucket, number)
        assert [(await other)["status"] for other in others] == ["succeeded"] * 3
        broken.cancel()

    asyncio.run(scene())


class OnceAnHour(WaitCondition):
    """Polls once an hour, and the first time at once, as if it had joined an hour ago."""

    def on_error(self, error: Exception) -> WaitEvent | None:
        self.poll_interval = 3600
        return super().on_error(error)


def once_an_hour(uuid: str) -> OnceAnHour:
    return OnceAnHour(
        make(uuid).evaluate,
        label="the pipeline",
        subject=uuid,
        poll_interval=0.05,
        deadline=LATER,
        log=logging.getLogger("task"),
        policy=DEFAULT_POLICY,
    )


async def polls_once_an_hour(uuid: str) -> object:
    client = await asyncio.to_thread(BitbucketHook().get_conn, "none")
    return await wait(PipelineFetcher, client, "acme/api", uuid, once_an_hour(uuid))


def test_a_failing_wait_with_an_interval_of_an_hour_does_not_delay_others(bitbucket: BitbucketEmulator) -> None:
    old, new = start(bitbucket, 2)
    finish(bitbucket, 2)
    bitbucket.fault("server_error")

    async def scene() -> None:
        rarely = asyncio.create_task(polls_once_an_hour(old))
        await until(lambda: bitbucket.control("GET", "faults")[0]["struck"] == 1)
        async with asyncio.timeout(10):
            assert (await waiting(make(new)))["status"] == "succeeded"
        rarely.cancel()

    asyncio.run(scene())


def test_a_429_of_such_a_wait_does_not_pause_the_credential_for_an_hour(bitbucket: BitbucketEmulator) -> None:
    (uuid,) = start(bitbucket, 1)
    bitbucket.settings(retry_after="seconds")
    bitbucket.fault("rate_limit")

    async def scene() -> None:
        rarely = asyncio.create_task(polls_once_an_hour(uuid))
        budget = BitbucketHook().get_conn().budget
        await until(lambda: budget.free_in > 0)
        assert budget.free_in <= 300
        rarely.cancel()

    asyncio.run(scene())


def test_a_429_of_the_token_endpoint_delays_no_other_user(bitbucket: BitbucketEmulator) -> None:
    """Users of the same consumer share its budget, which does not include that endpoint's limit."""
    (uuid,) = start(bitbucket, 1)

    async def scene() -> None:
        client = await asyncio.to_thread(BitbucketHook().get_conn, "none")
        refused = BitbucketRateLimitError("Too many tokens.", status=429, method="POST", url="https://x.org/token")
        refused.retry_after = 3600

        class Refused(PipelineFetcher):
            def fetch(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[FetchStep]:
                raise refused
                yield

        condition = once_an_hour(uuid)
        task = asyncio.create_task(wait(Refused, client, "acme/api", uuid, condition))
        await until(lambda: condition.is_failing)
        assert client.budget.free_in == 0
        task.cancel()

    asyncio.run(scene())


def test_a_commit_that_can_never_be_polled_does_not_delay_the_others(bitbucket: BitbucketEmulator) -> None:
    bad, good = "bad" + "0" * 37, str(client_of(bitbucket).refs.branch("api", "main")["target"]["hash"])
    bitbucket.fault("server_error", count=None, path=f"commit/{bad}")
    common = {"bitbucket_conn_id": "bitbucket_default", "workspace": None, "repository": "api", "deadline": LATER}

    def failed() -> int:
        struck: int = bitbucket.control("GET", "faults")[0]["struck"]
        return struck

    def succeeded() -> int:
        return asked(bitbucket, STATUSES) - failed()

    async def scene() -> None:
        broken, other = (
            asyncio.create_task(anext(QuickBuildStatusTrigger(**common, poll_interval=0.2, commit=commit).run()))
            for commit in (bad, good)
        )
        await until(lambda: failed() == 5)  # it rests 6.4 s now
        before = await asyncio.to_thread(succeeded)
        await until(lambda: succeeded() >= before + 5)
        assert await asyncio.to_thread(failed) <= 6, "the other is polled more often"
        for task in (broken, other):
            task.cancel()

    asyncio.run(scene())


def test_a_wait_with_an_interval_of_zero_disturbs_no_other(bitbucket: BitbucketEmulator) -> None:
    uuids = start(bitbucket, 2)

    async def scene() -> None:
        tasks = [waiting(make(uuids[0])), waiting(make(uuids[1], poll_interval=0))]
        await polled(bitbucket, 3)
        assert not any(task.done() for task in tasks)
        assert scheduler_of(BitbucketHook().get_conn(), DEFAULT_POLICY)._demand < 20_000, (
            "an interval of zero is not taken literally"
        )
        bitbucket.clock(advance=600)
        await asyncio.gather(*tasks)
        assert set(statuses(tasks)) == {"succeeded"}

    asyncio.run(scene())


def test_all_waits_back_off_together_during_an_outage(bitbucket: BitbucketEmulator, caplog: pytest.LogCaptureFixture) -> None:
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
    assert sum(FAILED in record.getMessage() for record in caplog.records) == len(uuids)
