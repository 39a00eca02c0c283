"""Pipelines to wait for, and many triggers that do."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from airflow_provider_bitbucket.triggers.pipelines import BitbucketPipelineTrigger, PipelineEvent
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pipelines.service import start_pipeline
from bitbucket_cloud_emulator.seeds.common import add_repository

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


def make(pipeline: str, **changes: Any) -> BitbucketPipelineTrigger:
    """A trigger that waits for a pipeline of ``api`` and looks very often."""
    parameters = {
        "bitbucket_conn_id": "bitbucket_default",
        "workspace": None,
        "repository": "api",
        "pipeline": pipeline,
        "poll_interval": 0.2,
        "deadline": LATER,
    }
    trigger = BitbucketPipelineTrigger(**{**parameters, **changes})
    trigger._log = logging.getLogger("task")  # Airflow's own goes past caplog
    return trigger


def waiting(trigger: BitbucketPipelineTrigger) -> asyncio.Task[PipelineEvent]:
    """Run a trigger as the triggerer does; the task returns its one event."""

    async def fired() -> PipelineEvent:
        (event,) = [event.payload async for event in trigger.run()]
        shown: PipelineEvent = event
        return shown

    return asyncio.create_task(fired())


def asked(bitbucket: BitbucketEmulator, route: str) -> int:
    """How often a route was asked, with and without the slash at the end."""
    return sum(count for known, count in bitbucket.requests().items() if known.rstrip("/") == route.rstrip("/"))


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that comes about meanwhile; looking does not block the loop."""
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.01)


async def looked(bitbucket: BitbucketEmulator, times: int, route: str = LIST) -> None:
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


def statuses(tasks: list[asyncio.Task[PipelineEvent]]) -> list[str]:
    """How waits ended."""
    return [task.result()["status"] for task in tasks]
