"""Pipelines to wait for, and many triggers that do."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from airflow_provider_bitbucket.triggers.base import BitbucketWaitTrigger
from airflow_provider_bitbucket.triggers.pipelines import BitbucketPipelineTrigger
from airflow_provider_bitbucket.triggers.wait_condition import WaitEvent
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pipelines.service import start_pipeline
from bitbucket_cloud_emulator.seeds.common import add_repository
from tests.triggers.quick import QuickPipelineTrigger

LATER = 1e12
LIST = "GET /repositories/{workspace}/{repo_slug}/pipelines/"
ONE = "GET /repositories/{workspace}/{repo_slug}/pipelines/{pipeline_uuid}"


def start(bitbucket: BitbucketEmulator, count: int, slug: str = "api") -> list[str]:
    """Start pipelines and return their uuids, the oldest first; without requests."""
    state = bitbucket.state
    workspace = state.workspaces["acme"]
    if slug not in workspace.repositories:
        owner = next(iter(state.users.values()))
        add_repository(state, workspace, slug, since=state.clock.start, by=owner)
    repository = workspace.repositories[slug]
    target = {
        "type": "pipeline_ref_target",
        "ref_type": "branch",
        "ref_name": "main",
        "selector": {"type": "default"},
        "commit": {"type": "commit", "hash": repository.branches["main"]},
    }
    return [start_pipeline(state, repository, dict(target), trigger="MANUAL", creator=None).uuid for _ in range(count)]


def make(pipeline: str, kind: type[BitbucketPipelineTrigger] = QuickPipelineTrigger, **changes: Any) -> BitbucketPipelineTrigger:
    """A trigger that waits for a pipeline of ``api`` and polls very often."""
    parameters: dict[str, Any] = {
        "bitbucket_conn_id": "bitbucket_default",
        "workspace": None,
        "repository": "api",
        "pipeline": pipeline,
        "poll_interval": 0.2,
        "deadline": LATER,
    }
    trigger = kind(**{**parameters, **changes})
    trigger._log = logging.getLogger("task")  # Airflow's own goes past caplog
    return trigger


def waiting(trigger: BitbucketWaitTrigger) -> asyncio.Task[WaitEvent]:
    """Run a trigger as the triggerer does, in a task that returns its one event."""

    async def fired() -> WaitEvent:
        (event,) = [event.payload async for event in trigger.run()]
        shown: WaitEvent = event
        return shown

    return asyncio.create_task(fired())


def asked(bitbucket: BitbucketEmulator, route: str) -> int:
    """How often a route was asked, with and without the slash at the end."""
    return sum(count for known, count in bitbucket.requests().items() if known.rstrip("/") == route.rstrip("/"))


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for a condition, which is evaluated in a thread."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


async def polled(bitbucket: BitbucketEmulator, times: int, route: str = LIST) -> None:
    """Wait until so many further requests of a route have come."""
    before = await asyncio.to_thread(asked, bitbucket, route)
    await until(lambda: asked(bitbucket, route) >= before + times)


def pollers() -> list[asyncio.Task[Any]]:
    """The pollers that live in this event loop."""
    return [task for task in asyncio.all_tasks() if task.get_name() == "bitbucket-poller"]


def until_asked(bitbucket: BitbucketEmulator, times: int, seconds: float = 20) -> None:
    """Wait in a thread until so many requests have come."""
    late = time.monotonic() + seconds
    while sum(bitbucket.requests().values()) < times and time.monotonic() < late:
        time.sleep(0.02)


def finish(bitbucket: BitbucketEmulator, number: int, result: str = "SUCCESSFUL", slug: str = "api") -> None:
    """End a pipeline now."""
    bitbucket.control("POST", f"pipelines/acme/{slug}/{number}/finish", {"result": result})


def statuses(tasks: list[asyncio.Task[WaitEvent]]) -> list[str]:
    """How waits ended."""
    return [task.result()["status"] for task in tasks]
