"""What a full extraction costs in requests: counted on the emulator, beside what other extractors would spend.

5,000 pull requests with 12 timeline entries, 4 comments, 5 commits and 8 changed files each. What the others spend is
worked out from their published code: DevLake lists 50 a page and asks twice for every pull request (comments, commits);
atlassian-python-api lists 10 a page and fetches every pull request again. Neither of them has the timelines then.

    python benchmarks/extraction_requests.py [pull requests]
"""

from __future__ import annotations

import math
import sys

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.datasets.extract import Dataset
from airflow_provider_bitbucket.emulator import BitbucketEmulator

BUDGET = 1000  # requests an hour


def main(pull_requests: int) -> None:
    """Print a line for each way of reading."""
    print(f"{pull_requests:,} pull requests, budget {BUDGET:,} requests an hour\n")
    with BitbucketEmulator("large", speed=0, pull_requests=pull_requests) as bitbucket:
        client = BitbucketClient(ApiToken(*bitbucket.api_token), bitbucket.workspace, bitbucket.api_url, rate_limit=1_000_000)
        ours = {}
        for name, options in {"list with reviews and close times": {}, "... and timelines": {"with_activity": True}}.items():
            bitbucket.reset_requests()
            rows = sum(1 for _ in Dataset("pull_requests").records(client, ["api"], None, None, **options))
            assert rows == pull_requests, f"{rows} rows"
            ours[name] = sum(bitbucket.requests().values())
    most = max(ours.values())
    others = {
        "DevLake": math.ceil(pull_requests / 50) + 2 * pull_requests,
        "atlassian-python-api": math.ceil(pull_requests / 10) + pull_requests,
    }
    for name, requests in {**ours, **others}.items():
        print(f"{name:36} {requests:8,} requests  {requests / BUDGET:6.1f} h of budget  {requests / most:5.1f} x")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
