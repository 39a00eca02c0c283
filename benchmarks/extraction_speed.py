"""How much faster repositories are read at the same time than one after the other, on a network that takes a while.

20 repositories, the emulator (in a process of its own) answering each request after 100 ms.

    python benchmarks/extraction_speed.py [repositories] [pull requests in each]
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from multiprocessing.connection import Connection

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.extraction.dataset import Dataset
from bitbucket_cloud_emulator import BitbucketEmulator

LATENCY = 0.1  # seconds


def serve(repositories: int, each: int, parent: Connection) -> None:
    """Run the emulator until the other end hangs up."""
    with BitbucketEmulator("large", speed=0, pull_requests=repositories * each, repositories=repositories) as bitbucket:
        bitbucket.fault("latency", latency=LATENCY, count=None)
        parent.send(bitbucket.api_url)
        parent.poll(None)


def main(repositories: int, each: int) -> None:
    """Print a line for each number of repositories that are read at a time."""
    print(f"{repositories} repositories with {each} pull requests each, {LATENCY * 1000:.0f} ms a request\n")
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(repositories, each, there), daemon=True)
    server.start()
    client = BitbucketClient(ApiToken(*BitbucketEmulator.api_token), "acme", here.recv(), rate_limit=1_000_000)
    one_by_one = 0.0
    for workers in (1, 5, 10, 20):
        began, busy, sent = time.monotonic(), time.process_time(), client.budget.sent
        rows = sum(1 for _ in Dataset("pull_requests").read(client, workers=workers))
        seconds, requests = time.monotonic() - began, client.budget.sent - sent
        busy = time.process_time() - busy
        assert rows == repositories * each, f"{rows} rows"
        one_by_one = one_by_one or seconds
        times, cpu = f"{one_by_one / seconds:5.1f} x", f"{busy:.1f} s of a processor"
        print(f"{workers:3} at a time {seconds:7.1f} s  {requests:5} requests  {times}  ({cpu})")
    here.close()
    server.terminate()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:] or ("20", "50")))
