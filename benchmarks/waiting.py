"""What it costs to wait for thousands of pipelines: shared pollers beside a poller per task of the same interval.

Everything is real but the time: triggers as the triggerer runs them, in one event loop; requests counted by the emulator,
which runs in a process of its own. An interval of 30 s is played in 2 s, and what it costs is multiplied by the 120
intervals of an hour; so requests and CPU are those of an hour at 30 s, and the lag above the interval is real. The lag is
from the instant at which Bitbucket says the pipeline was completed until the trigger fires. Request limits are switched
off, to see what is asked for; the last column says how far apart looks are when there are only 1,000 requests an hour.
A poller per task is measured with 100 tasks and multiplied.

    python benchmarks/waiting.py
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="airflow-home-"))  # before anything imports Airflow

INTERVAL = 2.0  # real seconds, standing for 30
INTERVALS_AN_HOUR = 120
WINDOW = 5  # intervals that are counted
SCENES = [(1000, 1), (1000, 10), (1000, 100), (5000, 50)]
PER_TASK = 100
LOG = logging.Logger("waits", logging.CRITICAL)  # apart from all others: nothing is written


def serve(waits: int, repositories: int) -> None:
    """Be a Bitbucket with running pipelines; end them at random instants when a line comes in."""
    from airflow_provider_bitbucket.testing import connection_json
    from bitbucket_cloud_emulator import BitbucketEmulator
    from bitbucket_cloud_emulator.pipelines.plan import finish
    from tests.triggers.waits import start

    with BitbucketEmulator("empty", speed=1) as bitbucket:
        bitbucket.settings(rate_limit=1_000_000_000)
        slugs = [f"repository-{number}" for number in range(repositories)]
        uuids = {slug: start(bitbucket, waits // repositories, slug) for slug in slugs}
        for repository in bitbucket.state.repositories():
            for pipeline in repository.pipelines:
                pipeline.steps[0].seconds = 36_000
        connection = connection_json(bitbucket, "access_token")  # only these are told that there is no limit
        print(json.dumps({"url": bitbucket.url, "connection": connection, "uuids": uuids}), flush=True)
        sys.stdin.readline()
        pipelines = [one for repository in bitbucket.state.repositories() for one in repository.pipelines]
        random.Random(1).shuffle(pipelines)  # noqa: S311 - an order, no secret
        started = time.monotonic()
        for number, pipeline in enumerate(pipelines):
            time.sleep(max(started + 2 * INTERVAL * number / len(pipelines) - time.monotonic(), 0))
            finish(pipeline, bitbucket.state.clock.now(), "SUCCESSFUL")
        sys.stdin.readline()


@dataclass
class Bitbucket:
    """The served emulator.

    :param url: where it is
    :param uuids: pipelines by repository
    :param process: serves
    """

    url: str
    uuids: dict[str, list[str]]
    process: subprocess.Popen[str]

    def asked(self) -> int:
        """Requests so far."""
        with urlopen(f"{self.url}/_emulator/requests") as answer:  # noqa: S310 - our own server on this machine
            total: int = json.load(answer)["total"]
            return total

    def go_on(self) -> None:
        """Send a line."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextlib.contextmanager
def served(waits: int, repositories: int) -> Iterator[Bitbucket]:
    """Run the emulator in a process of its own, with the connection ``bitbucket_default`` leading to it."""
    root = Path(__file__).parent.parent
    command = [sys.executable, __file__, "serve", str(waits), str(repositories)]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment, cwd=root)
    try:
        assert process.stdout
        told = json.loads(process.stdout.readline())
        os.environ["AIRFLOW_CONN_BITBUCKET_DEFAULT"] = told["connection"]
        yield Bitbucket(told["url"], told["uuids"], process)
    finally:
        process.kill()
        process.wait()


@dataclass
class Cost:
    """What waiting cost.

    :param requests: in an interval
    :param cpu: seconds in an interval
    :param memory: bytes for each wait
    :param lags: seconds from completion to event, above the interval
    :param stretch: of the interval at 1,000 requests an hour
    """

    requests: float
    cpu: float
    memory: float
    lags: list[float]
    stretch: float = 1.0


def resident() -> int:
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def shared(bitbucket: Bitbucket) -> Cost:
    """Wait for all by triggers."""
    from airflow_provider_bitbucket.triggers import polling, waiting
    from airflow_provider_bitbucket.triggers.pipelines import BitbucketPipelineTrigger

    waiting.FIRST_LOOK_SECONDS = 0  # which are not played faster
    lags: list[float] = []

    async def fire(repository: str, pipeline: str) -> None:
        trigger = BitbucketPipelineTrigger(
            bitbucket_conn_id="bitbucket_default",
            workspace=None,
            repository=repository,
            pipeline=pipeline,
            poll_interval=INTERVAL,
            deadline=1e12,
        )
        trigger._log = LOG
        async for event in trigger.run():
            assert event.payload["status"] == "succeeded", event.payload
            completed = datetime.fromisoformat(event.payload["pipeline"]["completed_on"]).timestamp()
            lags.append(time.time() - completed)

    before = resident()
    # As a scheduler would: bit by bit, mixed.
    waits = [
        (slug, uuid)
        for row in zip(*bitbucket.uuids.values(), strict=True)
        for slug, uuid in zip(bitbucket.uuids, row, strict=True)
    ]
    tasks = [asyncio.create_task(fire(slug, uuid)) for slug, uuid in waits]
    (line,) = [line async for line in first_line(polling)]
    while sum(len(poller._waiters) for poller in line._pollers.values()) < len(tasks):
        await asyncio.sleep(0.1)
    await asyncio.sleep(2 * INTERVAL)  # everybody has been seen and told once
    memory = (resident() - before) / len(tasks)
    asked, cpu, started = await asyncio.to_thread(bitbucket.asked), time.process_time(), time.monotonic()
    await asyncio.sleep(WINDOW * INTERVAL)
    intervals = (time.monotonic() - started) / INTERVAL
    cpu = (time.process_time() - cpu) / intervals
    requests = (await asyncio.to_thread(bitbucket.asked) - asked) / intervals
    stretch = max(1.0, requests * INTERVALS_AN_HOUR / (polling.EVENLY * 1000))
    bitbucket.go_on()
    await asyncio.gather(*tasks)
    return Cost(requests, cpu, memory, sorted(lag - INTERVAL for lag in lags), stretch)


async def first_line(polling: Any) -> AsyncIterator[Any]:
    """The line of the credential, as soon as somebody stands in it."""
    while not polling._lines:
        await asyncio.sleep(0.1)
    yield next(iter(polling._lines.values()))


async def per_task(bitbucket: Bitbucket) -> Cost:
    """Wait the way other providers do: each task asks for itself."""
    from airflow_provider_bitbucket.triggers.pipelines import PipelineWatch, polling_hook

    async def poll(repository: str, pipeline: str) -> None:
        watch = PipelineWatch(repository, pipeline, poll_interval=INTERVAL, deadline=1e12, log=LOG)
        client = await polling_hook("bitbucket_default", None).aget_conn()
        await asyncio.sleep(random.uniform(0, INTERVAL))  # noqa: S311 - spread, no secret
        while await asyncio.to_thread(watch.look, client) is None:
            await asyncio.sleep(INTERVAL)

    before = resident()
    tasks = [asyncio.create_task(poll(slug, uuid)) for slug, uuids in bitbucket.uuids.items() for uuid in uuids]
    await asyncio.sleep(3 * INTERVAL)
    memory = (resident() - before) / len(tasks)
    asked, cpu, started = await asyncio.to_thread(bitbucket.asked), time.process_time(), time.monotonic()
    await asyncio.sleep(WINDOW * INTERVAL)
    intervals = (time.monotonic() - started) / INTERVAL
    cost = Cost(
        (await asyncio.to_thread(bitbucket.asked) - asked) / intervals / len(tasks),
        (time.process_time() - cpu) / intervals / len(tasks),
        memory,
        [],
    )
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return cost


async def delivery(waits: int, rounds: int = 20) -> tuple[float, float]:
    """CPU seconds a round for telling so many triggers what pages of 100 show: our pollers, and Airflow's shared streams."""
    from airflow.triggers.base import BaseEventTrigger, TriggerEvent
    from airflow.triggers.shared_stream import SharedStreamManager

    from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
    from airflow_provider_bitbucket.client.pipeline_state import evaluate
    from airflow_provider_bitbucket.triggers import polling
    from airflow_provider_bitbucket.triggers.pipelines import PipelineWatch

    def row(number: int) -> dict[str, Any]:
        state = {"name": "IN_PROGRESS", "stage": {"name": "RUNNING"}}
        return {"uuid": f"{{{number}}}", "build_number": number, "state": state}

    pages = [
        {(one := evaluate(row(number), "https://bitbucket.org")).uuid: one for number in range(first, first + 100)}
        for first in range(1, waits, 100)
    ]

    def watch(uuid: str) -> PipelineWatch:
        return PipelineWatch("acme/api", uuid, poll_interval=0.01, deadline=1e12, log=LOG, told=pages[0]["{1}"].reason)

    class Stub:
        left = rounds

        def __init__(self, *_: object) -> None:
            pass

        def look(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[polling.Step]:
            if not self.left:  # nobody asks a round for more than answers all
                over.set()
            self.left -= 1
            yield from enumerate(pages)

    over = asyncio.Event()
    client = BitbucketClient(ApiToken("a@example.com", "token"), "acme", "http://127.0.0.1:9")
    client.budget._told = 1_000_000_000
    Stub.look = asyncio_safe(Stub.look, over, asyncio.get_running_loop())  # type: ignore[method-assign]  # ends in a thread
    tasks = [asyncio.create_task(polling.wait(Stub, client, "api", uuid, watch(uuid))) for page in pages for uuid in page]
    cpu = time.process_time()
    await over.wait()
    ours = (time.process_time() - cpu) / rounds
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    class Stream(BaseEventTrigger):
        def __init__(self, uuid: str) -> None:
            super().__init__()  # type: ignore[no-untyped-call]  # Airflow leaves its signature untyped
            self.uuid = uuid

        def serialize(self) -> tuple[str, dict[str, Any]]:
            return "", {"uuid": self.uuid}

        def shared_stream_key(self) -> str:
            return "acme/api"

        @classmethod
        async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Any]:
            for _ in range(rounds):
                for page in pages:
                    yield await asyncio.to_thread(lambda page=page: page)
                    await asyncio.sleep(0)
            done.set()
            await asyncio.sleep(3600)

        async def filter_shared_stream(self, shared_stream: AsyncIterator[Any]) -> AsyncIterator[TriggerEvent]:
            one = watch(self.uuid)
            async for page in shared_stream:
                if self.uuid in page and (event := one.saw(page[self.uuid])):
                    yield TriggerEvent(event)  # type: ignore[no-untyped-call]  # see above

        async def run(self) -> AsyncIterator[TriggerEvent]:
            raise NotImplementedError
            yield

    done = asyncio.Event()
    manager = SharedStreamManager()

    async def subscribe(number: int, uuid: str) -> None:
        trigger = Stream(uuid)
        async for _ in trigger.filter_shared_stream(manager.subscribe(trigger_id=number, trigger=trigger, key="acme/api")):
            pass

    uuids = [uuid for page in pages for uuid in page]
    tasks = [asyncio.create_task(subscribe(number, uuid)) for number, uuid in enumerate(uuids)]
    cpu = time.process_time()
    await done.wait()
    theirs = (time.process_time() - cpu) / rounds
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await manager.stop_all()
    return ours, theirs


def asyncio_safe(look: Any, over: asyncio.Event, loop: asyncio.AbstractEventLoop) -> Any:
    """An event is set from a thread by its loop."""
    setting = over.set
    over.set = lambda: loop.call_soon_threadsafe(setting)  # type: ignore[method-assign,assignment]  # see above
    return look


def at(lags: list[float], share: float) -> float:
    """The lag that so many do not exceed."""
    return lags[min(int(share * len(lags)), len(lags) - 1)]


def play(*arguments: object) -> Any:
    """Return what this file says about a scene, played in a process of its own, so that memory and CPU are its own."""
    done = subprocess.run(
        [sys.executable, __file__, *map(str, arguments)], stdout=subprocess.PIPE, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print a line for each scene."""
    alone, hour = Cost(**play("alone")), INTERVALS_AN_HOUR
    print(
        f"A poller per task: {alone.requests * hour:.0f} requests and {alone.cpu * hour:.2f} CPU s an hour for each wait, "
        f"{alone.memory / 1024:.0f} kB\n"
    )
    print(
        "                     | requests an hour           | CPU s an hour           | memory | lag above interval | at 1,000/h"
    )
    print(
        " waits  repositories |  shared   per task   ratio | shared  per task  ratio | a wait |    p50     p99     | look every"
    )
    for waits, repositories in SCENES:
        cost = Cost(**play("shared", waits, repositories))
        shared_requests, shared_cpu = cost.requests * hour, cost.cpu * hour
        requests, cpu = alone.requests * hour * waits, alone.cpu * hour * waits
        print(
            f"{waits:6,}  {repositories:12} | {shared_requests:7,.0f} {requests:10,.0f} {requests / shared_requests:6.1f}x "
            f"| {shared_cpu:6,.0f} {cpu:9,.0f} {cpu / shared_cpu:5.1f}x | {cost.memory / 1024:3.0f} kB "
            f"| {at(cost.lags, 0.5):+5.1f} s  {at(cost.lags, 0.99):+5.1f} s   | {30 * cost.stretch:6,.0f} s",
            flush=True,
        )
    ours, theirs = (f"{seconds * 1000:.0f} ms of CPU" for seconds in play("delivery", 1000))
    print(f"\nTelling 1,000 triggers what 10 pages show: {ours}; by Airflow's shared streams {theirs}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", waits, repositories]:
            serve(int(waits), int(repositories))
        case ["shared", waits, repositories]:
            with served(int(waits), int(repositories)) as there:
                print(json.dumps(dataclasses.asdict(asyncio.run(shared(there)))))
        case ["alone"]:
            with served(PER_TASK, 1) as there:
                print(json.dumps(dataclasses.asdict(asyncio.run(per_task(there)))))
        case ["delivery", waits]:
            print(json.dumps(asyncio.run(delivery(int(waits)))))
        case _:
            main()
