"""A pipeline that a task waits for, and events during that wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.airflow_home import TaskRun

START = "POST /repositories/{workspace}/{repo_slug}/pipelines"
LIST = "GET /repositories/{workspace}/{repo_slug}/pipelines"
POLL = "GET /repositories/{workspace}/{repo_slug}/pipelines/{pipeline_uuid}"
STOP = "POST /repositories/{workspace}/{repo_slug}/pipelines/{pipeline_uuid}/stopPipeline"

both_modes = pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferrable"])
Trigger = Callable[..., TaskRun]


def pipeline(bitbucket: BitbucketEmulator, number: int = 1) -> dict[str, Any]:
    """What the emulator knows of a pipeline."""
    shown: dict[str, Any] = bitbucket.control("GET", f"pipelines/acme/api/{number}")
    return shown


def result_after(bitbucket: BitbucketEmulator, seconds: float) -> Any:
    """The result of pipeline 1 some emulated seconds later: Bitbucket takes some to stop one."""
    bitbucket.clock(advance=seconds)
    return pipeline(bitbucket)["result"]


def asked(bitbucket: BitbucketEmulator, route: str) -> int:
    """How often a route was asked."""
    return sum(count for asked, count in bitbucket.requests().items() if asked.rstrip("/") == route)


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that other threads do."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


@contextmanager
def _beside(act: Callable[[], bool]) -> Iterator[None]:
    """Call a function in a thread until it returns that it is done."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(0.005) and not act():
            pass

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def meanwhile(bitbucket: BitbucketEmulator, when: Callable[[dict[str, Any]], bool], then: Callable[[], object]) -> Iterator[None]:
    """While the task waits: do something as soon as its pipeline is in a certain state."""
    problems: list[Exception] = []

    def watch() -> bool:
        try:
            seen = pipeline(bitbucket)
        except HTTPError:
            return False  # not started yet
        if not when(seen):
            return False
        try:
            then()
        except Exception as problem:
            problems.append(problem)
            bitbucket.control("POST", "pipelines/acme/api/1/finish", {"result": "EXPIRED"})
        return True

    with _beside(watch):
        yield
    assert not problems, problems


@contextmanager
def time_passes_with_polls(bitbucket: BitbucketEmulator, seconds: float) -> Iterator[None]:
    """Advance the emulated clock by so many seconds whenever pipelines were polled, and not otherwise."""
    seen = 0

    def watch() -> bool:
        nonlocal seen
        polls = asked(bitbucket, POLL) + asked(bitbucket, LIST)
        if polls > seen:
            bitbucket.clock(advance=seconds)
        seen = polls
        return False

    with _beside(watch):
        yield
