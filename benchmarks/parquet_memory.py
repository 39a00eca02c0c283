"""What a million pull requests cost in memory on their way into Parquet, by repository and month.

The records are made up (the JSON of a pull request with two reviewers, 20 repositories), because Bitbucket's budget would let
a million of them through in 20 hours; everything behind the client is what a task does, ten repositories at a time.

    python benchmarks/parquet_memory.py [pull requests]
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow_provider_bitbucket.client.transport.budget import RateBudget
from airflow_provider_bitbucket.extraction.dataset import Dataset
from airflow_provider_bitbucket.extraction.extraction import Extraction
from airflow_provider_bitbucket.sinks.parquet import write_parquet
from bitbucket_cloud_emulator import BitbucketEmulator

REPOSITORIES = 20
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)


def template() -> str:
    """Return the JSON of a merged pull request as the list gives it."""
    from airflow_provider_bitbucket.client import ApiToken, BitbucketClient

    with BitbucketEmulator("large", speed=0, pull_requests=20) as bitbucket:
        client = BitbucketClient(ApiToken(*bitbucket.api_token), bitbucket.workspace, bitbucket.api_url)
        return json.dumps(next(row for row in client.pull_requests.list("api") if row["state"] == "MERGED"))


def main(count: int) -> None:
    """Write them as one file and as a folder, and print rows per second and the peak."""
    with multiprocessing.get_context("spawn").Pool(1) as apart:  # the emulator's memory is not ours
        text = apart.apply(template)
    each = count // REPOSITORIES
    print(f"{count:,} pull requests of {len(text):,} bytes each, {REPOSITORIES} repositories\n")

    def read(name: str, since: datetime | None) -> Iterator[dict[str, Any]]:
        for number in range(each):
            timestamp = (BEGIN + timedelta(hours=number)).isoformat()
            row = {**json.loads(text), "id": number, "created_on": timestamp, "updated_on": timestamp, "closed_on": timestamp}
            yield {"repository": name, "pull_request": row, "bots": frozenset()}

    names = [f"acme/service-{number}" for number in range(REPOSITORIES)]
    for partitioned in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            reading = Extraction(Dataset("pull_requests"), read, names, None, None, RateBudget())
            path, began = Path(folder) / "out", time.monotonic()
            rows = write_parquet(reading.dataset, reading, path, partitioned=partitioned)
            files = list(path.rglob("*.parquet")) if partitioned else [path]
            size = sum(one.stat().st_size for one in files) / 1e6
        what = "by repository and month" if partitioned else "one file"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        speed = f"{rows / (time.monotonic() - began):,.0f} rows/s"
        print(f"{what:24} {rows:,} rows  {len(files):5,} files  {size:5.0f} MB  {speed}  peak so far {peak:.0f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
