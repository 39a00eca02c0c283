"""How fast records become a typed frame, and what that takes in memory, against ``pandas.json_normalize`` on the same records.

Half of the pull requests have reviewers and approvals, some are open; the JSON is what the list gives.

    python benchmarks/to_frame.py [pull requests]
"""

from __future__ import annotations

import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.extraction.dataset import Dataset
from bitbucket_cloud_emulator import BitbucketEmulator

if TYPE_CHECKING:
    import pandas as pd


def records(count: int) -> list[dict[str, Any]]:
    """Return records as a dataset's ``read`` yields them, no two of them sharing anything in memory."""
    with BitbucketEmulator("large", speed=0, pull_requests=200) as bitbucket:
        client = BitbucketClient(ApiToken(*bitbucket.api_token), bitbucket.workspace, bitbucket.api_url)
        texts = [json.dumps(record["pull_request"]) for record in Dataset("pull_requests").records(client)]
    rows = ({**json.loads(texts[number % len(texts)]), "id": number} for number in range(count))
    return [{"repository": "acme/api", "pull_request": row, "bots": frozenset()} for row in rows]


def seconds(make: Callable[[], pd.DataFrame]) -> float:
    """Return the seconds of a processor that it takes."""
    began = time.process_time()
    make()
    return time.process_time() - began


def megabytes(make: Callable[[], pd.DataFrame]) -> float:
    """Return how much memory it takes at its peak."""
    tracemalloc.start()
    make()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak


def main(count: int) -> None:
    """Print a line for each."""
    import pandas as pd

    read = records(count)
    print(f"{count:,} pull requests\n")
    ways = {
        "to_frame": lambda: Dataset("pull_requests").frame(read),
        "pandas.json_normalize": lambda: pd.json_normalize([record["pull_request"] for record in read]),
    }
    rounds = [[seconds(make) for make in ways.values()] for _ in range(9)]  # by turns, so that a busy machine is so to both
    best, peaks = list(map(min, zip(*rounds, strict=True))), [megabytes(make) for make in ways.values()]
    for name, took, peak in zip(ways, best, peaks, strict=True):
        print(f"{name:24} {count / took:9,.0f} rows/s  {peak:6.0f} MB")
    print(f"\n{best[1] / best[0]:.1f} times as fast, {peaks[1] / peaks[0]:.1f} times less memory")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
