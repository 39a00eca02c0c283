"""Several independent processes with one credential need 1.5 times its request budget.

Prints how many requests were refused (429) and whether all work got done; exits 1 when some was lost or a twentieth of the
requests or more was refused. An hour passes in seconds: the clocks of the emulator and of the processes run fast.

Usage: python benchmarks/shared_budget.py [burst|spread]
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from datetime import UTC, datetime, timedelta
from multiprocessing.sharedctypes import Synchronized
from typing import Any

from airflow_provider_bitbucket.client import AccessToken, ApiToken, BitbucketClient, Clock
from bitbucket_cloud_emulator import BitbucketEmulator

LIMIT = 1000
PROCESSES = 8
WANTED = LIMIT * 3 // 2
SPEED = 120.0
HOUR = 3600.0


def fast_clock() -> Clock:
    """A clock on which an hour passes in half a minute."""
    began = time.monotonic()

    def elapsed() -> float:
        return (time.monotonic() - began) * SPEED

    start = datetime.now(UTC)
    return Clock(elapsed, lambda seconds: time.sleep(seconds / SPEED), lambda: start + timedelta(seconds=elapsed()))


def work(api_url: str, token: str, wanted: int, pause: float, done: Synchronized[int], go: Any) -> None:
    """Ask so many things, one every ``pause`` seconds; one of the processes."""
    clock = fast_clock()
    auth = AccessToken(token) if token else ApiToken(*BitbucketEmulator.api_token)
    client = BitbucketClient(auth, base_url=api_url, workspace="acme", clock=clock)
    go.wait()
    for number in range(wanted):
        clock.sleep(max(0.0, number * pause - clock.monotonic()))
        client.repositories.get("api")
        done.value += 1


def run(*, spread: bool, token: str = "") -> dict[str, float]:
    """Let all of them work.

    :param spread: over an hour, or all at once
    :param token: an access token, whose limit Bitbucket reports; empty: an API token, without that
    :return: ``done`` and ``refused`` requests, ``hours`` that it took
    """
    with BitbucketEmulator("empty", speed=SPEED) as bitbucket:
        bitbucket.settings(rate_limit=LIMIT)
        context = multiprocessing.get_context("spawn")
        go, done = context.Event(), [context.Value("i", 0) for _ in range(PROCESSES)]
        each = WANTED // PROCESSES
        pause = HOUR / each if spread else 0.0
        workers = [
            context.Process(target=work, args=(bitbucket.api_url, token, each, pause, one, go), daemon=True) for one in done
        ]
        for worker in workers:
            worker.start()
        began = time.monotonic()
        go.set()
        for worker in workers:
            worker.join(timeout=5 * HOUR / SPEED)
        asked = sum(bitbucket.requests().values())
        answered = sum(one.value for one in done)
        return {"done": answered, "refused": asked - answered, "hours": (time.monotonic() - began) * SPEED / HOUR}


def main(kinds: list[str]) -> None:
    """Print a line for each kind of work."""
    failed = False
    for kind in kinds or ["burst", "spread"]:
        result = run(spread=kind == "spread")
        share = result["refused"] / (result["done"] + result["refused"])
        print(
            f"{PROCESSES} processes, {WANTED:,} requests ({kind}), {LIMIT:,} an hour: {result['done']:,} done in "
            f"{result['hours']:.1f} h, {result['refused']} refused ({share:.1%})",
            flush=True,
        )
        failed |= result["done"] < WANTED // PROCESSES * PROCESSES or share >= 0.05
    if failed:
        raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
