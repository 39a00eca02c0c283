"""The trigger as the triggerer runs it, against the emulator."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.serde import deserialize, serialize

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.testing import connection_json
from airflow_provider_bitbucket.triggers.blocking import BlockingWait
from airflow_provider_bitbucket.triggers.pipelines import BitbucketPipelineTrigger
from airflow_provider_bitbucket.triggers.poll_policy import DEFAULT_POLICY
from airflow_provider_bitbucket.triggers.wait_condition import WaitEvent
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.supervisor import supervisor, task_states
from tests.triggers.quick import QUICK, QuickPipelineTrigger
from tests.triggers.waits import make as made
from tests.triggers.waits import until, waiting


@pytest.fixture
def client(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketClient:
    connect(connection_json(bitbucket_emulator))
    return BitbucketClient(ApiToken(*bitbucket_emulator.api_token), "acme", bitbucket_emulator.api_url)


def make(pipeline: str | int, kind: type[BitbucketPipelineTrigger] = QuickPipelineTrigger, **changes: Any) -> Any:
    return made(str(pipeline), kind, **{"poll_interval": 0.02, **changes})


async def fired(trigger: BitbucketPipelineTrigger) -> WaitEvent:
    return await waiting(trigger)


def test_a_trigger_survives_the_way_to_the_triggerer() -> None:
    classpath, kwargs = make(7, cancel_on_kill=True, last_reported="Pipeline #7 is running.").serialize()
    module, _, name = classpath.rpartition(".")
    arrived = getattr(import_module(module), name)(**deserialize(serialize(json.loads(json.dumps(kwargs)))))

    assert arrived.serialize() == (classpath, kwargs)


def test_it_fires_once_when_the_pipeline_has_finished(bitbucket_emulator: BitbucketEmulator, client: BitbucketClient) -> None:
    started = client.pipelines.trigger("api", branch="main")
    bitbucket_emulator.clock(speed=1000)
    event = asyncio.run(fired(make(started["uuid"])))

    assert event["status"] == "succeeded"
    assert event["message"] == f"Pipeline #1 was successful. {bitbucket_emulator.url}/acme/api/pipelines/results/1"
    assert event["found"]["uuid"] == started["uuid"]
    assert json.loads(json.dumps(event)) == event


def test_it_times_out_at_its_deadline_without_stopping_anything(
    bitbucket_emulator: BitbucketEmulator, client: BitbucketClient
) -> None:
    started = client.pipelines.trigger("api", branch="main")
    event = asyncio.run(fired(make(started["uuid"], deadline=0)))

    assert event["status"] == "timeout"
    assert not client.pipelines.outcome("api", started["uuid"]).is_terminal


def test_a_connection_that_is_gone_ends_the_wait_with_its_name(airflow_home: object) -> None:
    event = asyncio.run(fired(make(1, bitbucket_conn_id="nowhere")))

    assert event["status"] == "lost"
    assert "nowhere" in event["message"]


class PatientTrigger(QuickPipelineTrigger):
    policy = replace(QUICK, minimum_first_poll_seconds=1.0)


def test_it_never_fires_in_the_first_seconds_when_airflow_may_still_have_the_task_queued(
    bitbucket_emulator: BitbucketEmulator, client: BitbucketClient
) -> None:
    started = client.pipelines.trigger("api", branch="main")
    bitbucket_emulator.clock(advance=600)
    before = time.monotonic()
    event = asyncio.run(fired(make(started["uuid"], PatientTrigger)))

    assert event["status"] == "succeeded"
    assert time.monotonic() - before >= 1
    assert DEFAULT_POLICY.minimum_first_poll_seconds >= 10


def test_the_event_loop_stays_free_while_bitbucket_is_slow(
    bitbucket_emulator: BitbucketEmulator, client: BitbucketClient
) -> None:
    started = client.pipelines.trigger("api", branch="main")
    bitbucket_emulator.clock(advance=600)
    bitbucket_emulator.fault("latency", latency=0.4)

    async def ticks_meanwhile() -> int:
        waits = asyncio.create_task(fired(make(started["uuid"])))
        ticks = 0
        while not waits.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert waits.result()["status"] == "succeeded"
        return ticks

    assert asyncio.run(ticks_meanwhile()) > 5


@pytest.mark.parametrize("cancel_on_kill", [True, False])
def test_a_kill_stops_only_what_the_task_itself_started(
    bitbucket_emulator: BitbucketEmulator, client: BitbucketClient, cancel_on_kill: bool
) -> None:
    started = client.pipelines.trigger("api", branch="main")
    asyncio.run(make(started["uuid"], cancel_on_kill=cancel_on_kill).on_kill())

    bitbucket_emulator.clock(advance=5)
    assert client.pipelines.outcome("api", started["uuid"]).is_terminal is cancel_on_kill


def test_a_kill_that_takes_long_stops_the_pipeline_though_airflow_cancels_it(
    bitbucket_emulator: BitbucketEmulator, client: BitbucketClient
) -> None:
    started = client.pipelines.trigger("api", branch="main")
    trigger = make(started["uuid"], cancel_on_kill=True)

    async def cancelled() -> None:
        kill = asyncio.create_task(trigger.on_kill())
        await asyncio.sleep(0)  # it has begun
        kill.cancel()
        with pytest.raises(asyncio.CancelledError):
            await kill
        await trigger._kill

    asyncio.run(cancelled())
    bitbucket_emulator.clock(advance=5)
    assert client.pipelines.outcome("api", started["uuid"]).is_terminal


@pytest.mark.parametrize(("state", "stopped"), [("deferred", False), ("failed", True), (None, True)])
def test_a_triggerer_that_another_one_has_replaced_does_not_stop_the_pipeline(
    bitbucket_emulator: BitbucketEmulator, client: BitbucketClient, state: str | None, stopped: bool
) -> None:
    started = client.pipelines.trigger("api", branch="main")
    trigger = make(started["uuid"], cancel_on_kill=True)
    trigger._task_instance = SimpleNamespace(dag_id="dag", run_id="run", task_id="task", map_index=-1)  # as the triggerer sets it
    with supervisor(lambda request: task_states(state)):
        asyncio.run(trigger.on_kill())

    bitbucket_emulator.clock(advance=5)
    assert client.pipelines.outcome("api", started["uuid"]).is_terminal is stopped


def test_a_triggerer_restart_does_not_stop_the_pipeline(bitbucket_emulator: BitbucketEmulator, client: BitbucketClient) -> None:
    started = client.pipelines.trigger("api", branch="main")

    async def restart() -> None:
        trigger = make(started["uuid"], cancel_on_kill=True)
        waits = asyncio.create_task(fired(trigger))
        await until(lambda: any(route.startswith("GET") for route in bitbucket_emulator.requests()))
        waits.cancel()
        await asyncio.gather(waits, return_exceptions=True)
        await trigger.cleanup()

    asyncio.run(restart())
    assert not client.pipelines.outcome("api", started["uuid"]).is_terminal


def test_a_bitbucket_that_goes_away_and_comes_back_is_waited_for(
    bitbucket_emulator: BitbucketEmulator, client: BitbucketClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    started = client.pipelines.trigger("api", branch="main")
    one_attempt = BitbucketHook().get_conn("none")
    wait = BlockingWait(make(started["uuid"], poll_interval=30), one_attempt, logging.getLogger())

    assert wait.poll() is None
    bitbucket_emulator.stop()
    assert wait.poll() is None
    assert "connection refused" in caplog.text
    bitbucket_emulator.start()
    bitbucket_emulator.clock(advance=600)
    event = wait.poll()

    assert event is not None
    assert event["status"] == "succeeded"
    assert "Bitbucket answers again, after 1 failed polls." in caplog.text
