"""The cost of waiting for thousands of pipelines: shared pollers, and a poller per task with the same interval.

Triggers run as the triggerer runs them, in one event loop; requests are counted by the emulator, which runs in a process of its
own. An interval of 30 s takes 2 s here, and its cost is multiplied by the 120 intervals of an hour; so requests and CPU are those
of an hour at 30 s, and the lag above the interval is real. The lag is the time from the pipeline's ``completed_on`` until the
trigger fires. Request limits are switched off, to count all requests; the last column is the interval that 1,000 requests an
hour allow. A poller per task is measured with 100 tasks and multiplied.

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

ROOT = Path(__file__).parent.parent
INTERVAL = 2.0  # real seconds, standing for 30
INTERVALS_AN_HOUR = 120
WINDOW = 5  # intervals that are counted
SCENES = [(1000, 1), (1000, 10), (1000, 100), (5000, 50)]
PER_TASK = 100
LOG = logging.Logger("waits", logging.CRITICAL)  # apart from all others: nothing is written


def serve(waits: int, repositories: int) -> None:
    """Serve a Bitbucket with running pipelines; after a line of input, finish them in random order."""
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
        connection = connection_json(bitbucket, "access_token")  # only these get the limit in headers
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

    :param url: its address
    :param uuids: pipelines by repository
    :param process: its process
    """

    url: str
    uuids: dict[str, list[str]]
    process: subprocess.Popen[str]

    def asked(self) -> int:
        """Requests so far."""
        with urlopen(f"{self.url}/_emulator/requests") as answer:  # noqa: S310 - our own server on this machine
            total: int = json.load(answer)["total"]
            return total

    def finish_pipelines(self) -> None:
        """Send the line after which the pipelines finish."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextlib.contextmanager
def serving(waits: int, repositories: int) -> Iterator[Bitbucket]:
    """Run the emulator in a process of its own, with the connection ``bitbucket_default`` leading to it."""
    command = [sys.executable, __file__, "serve", str(waits), str(repositories)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment, cwd=ROOT)
    try:
        assert process.stdout
        served = json.loads(process.stdout.readline())
        os.environ["AIRFLOW_CONN_BITBUCKET_DEFAULT"] = served["connection"]
        yield Bitbucket(served["url"], served["uuids"], process)
    finally:
        process.kill()
        process.wait()


@dataclass
class Cost:
    """The cost of waiting.

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
    """Return the memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def shared(bitbucket: Bitbucket) -> Cost:
    """Wait for all by triggers."""
    from airflow_provider_bitbucket.triggers.request_scheduler import STEADY_SHARE
    from tests.triggers.quick import QuickPipelineTrigger  # without the first 10 seconds, which would not be shortened

    lags: list[float] = []

    async def fire(repository: str, pipeline: str) -> None:
        trigger = QuickPipelineTrigger(
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
            completed = datetime.fromisoformat(event.payload["found"]["completed_on"]).timestamp()
            lags.append(time.time() - completed)

    before = resident()
    # As a scheduler defers them: repositories in turn.
    waits = [
        (slug, uuid)
        for row in zip(*bitbucket.uuids.values(), strict=True)
        for slug, uuid in zip(bitbucket.uuids, row, strict=True)
    ]
    tasks = [asyncio.create_task(fire(slug, uuid)) for slug, uuid in waits]
    scheduler = await first_scheduler()
    while sum(len(poller.waiters()) for poller in scheduler._pollers.values()) < len(tasks):
        await asyncio.sleep(0.1)
    await asyncio.sleep(2 * INTERVAL)  # all have been polled and have logged once
    memory = (resident() - before) / len(tasks)
    asked, cpu, started = await asyncio.to_thread(bitbucket.asked), time.process_time(), time.monotonic()
    await asyncio.sleep(WINDOW * INTERVAL)
    intervals = (time.monotonic() - started) / INTERVAL
    cpu = (time.process_time() - cpu) / intervals
    requests = (await asyncio.to_thread(bitbucket.asked) - asked) / intervals
    stretch = max(1.0, requests * INTERVALS_AN_HOUR / (STEADY_SHARE * 1000))
    bitbucket.finish_pipelines()
    await asyncio.gather(*tasks)
    return Cost(requests, cpu, memory, sorted(lag - INTERVAL for lag in lags), stretch)


async def first_scheduler() -> Any:
    """Return the request scheduler of the credential as soon as there is one."""
    from airflow_provider_bitbucket.triggers import request_scheduler

    while not request_scheduler._schedulers:
        await asyncio.sleep(0.1)
    return next(iter(request_scheduler._schedulers.values()))


def trigger_of(repository: str, pipeline: str, interval: float, last_reported: str = "") -> Any:
    """Return a trigger that waits for a pipeline."""
    from airflow_provider_bitbucket.triggers.pipelines import BitbucketPipelineTrigger

    return BitbucketPipelineTrigger(
        bitbucket_conn_id="bitbucket_default",
        workspace=None,
        repository=repository,
        pipeline=pipeline,
        poll_interval=interval,
        deadline=1e12,
        last_reported=last_reported,
    )


async def per_task(bitbucket: Bitbucket) -> Cost:
    """Wait the way other providers do: each task sends its own requests."""
    from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
    from airflow_provider_bitbucket.triggers.blocking import BlockingWait

    async def poll(repository: str, pipeline: str) -> None:
        client = await BitbucketHook().aget_conn("none")
        wait = BlockingWait(trigger_of(repository, pipeline, INTERVAL), client, LOG)
        await asyncio.sleep(random.uniform(0, INTERVAL))  # noqa: S311 - spread, no secret
        while await asyncio.to_thread(wait.poll) is None:
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
    """Return CPU seconds a round for delivering pages of 100 to so many triggers: our pollers, and Airflow's shared streams."""
    from airflow.triggers.base import BaseEventTrigger, TriggerEvent
    from airflow.triggers.shared_stream import SharedStreamManager

    from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
    from airflow_provider_bitbucket.client.pipeline_state import evaluate
    from airflow_provider_bitbucket.triggers.poller import FetchStep, wait

    def row(number: int) -> dict[str, Any]:
        state = {"name": "IN_PROGRESS", "stage": {"name": "RUNNING"}}
        return {"uuid": f"{{{number}}}", "build_number": number, "state": state}

    pages = [
        {(one := evaluate(row(number), "https://bitbucket.org")).uuid: one for number in range(first, first + 100)}
        for first in range(1, waits, 100)
    ]

    def condition(uuid: str) -> Any:
        return trigger_of("acme/api", uuid, 0.01, last_reported=pages[0]["{1}"].reason).condition(LOG)

    class Stub:
        left = rounds

        def __init__(self, *_: object) -> None:
            pass

        def fetch(self, due: Sequence[str], waiting: Collection[str]) -> Iterator[FetchStep]:
            if not self.left:
                ended.set()
            self.left -= 1
            yield from enumerate(pages)

    ended = asyncio.Event()
    client = BitbucketClient(ApiToken("a@example.com", "token"), "acme", "http://127.0.0.1:9")
    client.budget._reported = 1_000_000_000
    Stub.fetch = asyncio_safe(Stub.fetch, ended, asyncio.get_running_loop())  # type: ignore[method-assign]  # ends in a thread
    tasks = [asyncio.create_task(wait(Stub, client, "api", uuid, condition(uuid))) for page in pages for uuid in page]
    cpu = time.process_time()
    await ended.wait()
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
            one = condition(self.uuid)
            async for page in shared_stream:
                if self.uuid in page and (event := one.on_response(page[self.uuid])):
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


def asyncio_safe(fetch: Any, ended: asyncio.Event, loop: asyncio.AbstractEventLoop) -> Any:
    """Return a function after making it safe to set an event from its thread."""
    setting = ended.set
    ended.set = lambda: loop.call_soon_threadsafe(setting)  # type: ignore[method-assign,assignment]  # see above
    return fetch


def at(lags: list[float], share: float) -> float:
    """Return the lag that this share of the waits does not exceed."""
    return lags[min(int(share * len(lags)), len(lags) - 1)]


def play(*arguments: object) -> Any:
    """Return the figures of a scene, which runs in a process of its own so that its memory and CPU can be measured."""
    command, environment = [sys.executable, __file__, *map(str, arguments)], {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=300, env=environment)
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
        " waits  repositories |  shared   per task   ratio | shared  per task  ratio | a wait |    p50     p99     | poll every"
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
    print(f"\nDelivering 10 pages to 1,000 triggers: {ours}; by Airflow's shared streams {theirs}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", waits, repositories]:
            serve(int(waits), int(repositories))
        case ["shared", waits, repositories]:
            with serving(int(waits), int(repositories)) as there:
                print(json.dumps(dataclasses.asdict(asyncio.run(shared(there)))))
        case ["alone"]:
            with serving(PER_TASK, 1) as there:
                print(json.dumps(dataclasses.asdict(asyncio.run(per_task(there)))))
        case ["delivery", waits]:
            print(json.dumps(asyncio.run(delivery(int(waits)))))
        case _:
            main()
