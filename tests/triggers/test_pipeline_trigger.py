"""The trigger as the triggerer runs it, against the emulator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.serde import deserialize, serialize

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.testing import connection_json
from airflow_provider_bitbucket.triggers import pipelines, waiting
from airflow_provider_bitbucket.triggers.pipelines import BitbucketPipelineTrigger, PipelineEvent, PipelineWatch
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.supervisor import supervisor, task_states

LATER = 1e12


@pytest.fixture
def client(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketClient:
    connect(connection_json(bitbucket_emulator))
    return BitbucketClient(ApiToken(*bitbucket_emulator.api_token), "acme", bitbucket_emulator.api_url)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_LOOK_SECONDS", 0)
    monkeypatch.setattr(waiting, "READ_AGAIN_SECONDS", (0.01,))


def make(pipeline: str | int, **changes: Any) -> BitbucketPipelineTrigger:
    parameters = {
        "bitbucket_conn_id": "bitbucket_default",
        "workspace": None,
        "repository": "api",
        "pipeline": str(pipeline),
        "poll_interval": 0.02,
        "deadline": LATER,
    }
    return BitbucketPipelineTrigger(**{**parameters, **changes})


async def fired(trigger: BitbucketPipelineTrigger) -> PipelineEvent:
    events = [event.payload async for event in trigger.run()]
    assert len(events) == 1
    event: PipelineEvent = events[0]
    return event


def test_a_trigger_survives_the_way_to_the_triggerer() -> None:
    classpath, kwargs = make(7, cancel_on_kill=True, told="Pipeline #7 is running.").serialize()
    module, _, name = classpath.rpartition(".")
    arrived = getattr(import_module(module), name)(**deserialize(serialize(json.loads(json.dumps(kwargs)))))

    assert arrived.serialize() == (classpath, kwargs)


@pytest.mark.usefixtures("at_once")
def test_it_fires_once_when_the_pipeline_is_over(bitbucket_emulator: BitbucketEmulator, client: BitbucketClient) -> None:
    started = client.pipelines.trigger("api", branch="main")
    bitbucket_emulator.clock(speed=1000)
    event = asyncio.run(fired(make(started["uuid"])))

    assert event["status"] == "succeeded"
    assert event["message"] == "Pipeline #1 was successful."
    assert event["pipeline"]["uuid"] == started["uuid"]
    assert json.loads(json.dumps(event)) == event


@pytest.mark.usefixtures("at_once")
def test_it_gives_up_at_its_deadline_without_stopping_anything(
    bitbucket_emulator: BitbucketEmulator, client: BitbucketClient
) -> None:
    started = client.pipelines.trigger("api", branch="main")
    event = asyncio.run(fired(make(started["uuid"], deadline=0)))

    assert event["status"] == "timeout"
    assert not client.pipelines.outcome("api", started["uuid"]).is_terminal


@pytest.mark.usefixtures("at_once")
def test_a_connection_that_is_gone_ends_the_wait_with_its_name(airflow_home: object) -> None:
    event = asyncio.run(fired(make(1, bitbucket_conn_id="nowhere")))

    assert event["status"] == "lost"
    assert "nowhere" in event["message"]


def test_it_never_fires_in_the_first_seconds_when_airflow_may_still_have_the_task_queued(
    bitbucket_emulator: BitbucketEmulator, client: BitbucketClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = client.pipelines.trigger("api", branch="main")
    bitbucket_emulator.clock(advance=600)
    slept: list[float] = []

    async def no_time(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", no_time)
    event = asyncio.run(fired(make(started["uuid"], poll_interval=1)))

    assert event["status"] == "succeeded"
    assert slept[0] >= 10


def test_the_event_loop_stays_free_while_bitbucket_is_slow(
    bitbucket_emulator: BitbucketEmulator, client: BitbucketClient, monkeypatch: pytest.MonkeyPatch, at_once: None
) -> None:
    started = client.pipelines.trigger("api", branch="main")
    bitbucket_emulator.clock(advance=600)
    bitbucket_emulator.fault("latency", latency=0.4)

    async def ticks_meanwhile() -> int:
        waiting = asyncio.create_task(fired(make(started["uuid"])))
        ticks = 0
        while not waiting.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert waiting.result()["status"] == "succeeded"
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


def test_a_triggerer_restart_does_not_stop_the_pipeline(
    bitbucket_emulator: BitbucketEmulator, client: BitbucketClient, at_once: None
) -> None:
    started = client.pipelines.trigger("api", branch="main")

    async def restart() -> None:
        trigger = make(started["uuid"], cancel_on_kill=True)
        waiting = asyncio.create_task(fired(trigger))
        while not any(route.startswith("GET") for route in await asyncio.to_thread(bitbucket_emulator.requests)):
            await asyncio.sleep(0.005)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await trigger.cleanup()

    asyncio.run(restart())
    assert not client.pipelines.outcome("api", started["uuid"]).is_terminal


def test_a_bitbucket_that_goes_away_and_comes_back_is_waited_for(
    bitbucket_emulator: BitbucketEmulator, client: BitbucketClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    started = client.pipelines.trigger("api", branch="main")
    impatient = pipelines.polling_hook("bitbucket_default", None).get_conn()
    watch = PipelineWatch("api", started["uuid"], poll_interval=30, deadline=LATER, log=__import__("logging").getLogger())

    assert watch.look(impatient) is None
    bitbucket_emulator.stop()
    assert watch.look(impatient) is None
    assert "connection refused" in caplog.text
    bitbucket_emulator.start()
    bitbucket_emulator.clock(advance=600)
    event = watch.look(impatient)

    assert event is not None
    assert event["status"] == "succeeded"
    assert "Bitbucket answers again, after 1 failed looks." in caplog.text
