"""What pull requests cost ours and what people use in its place: the same frame, from the same emulator, in the same run.

The frame has id, state, author, times of opening and closing, approvals and comments of every pull request of a repository;
the second job adds its first review and last approval. ``atlassian-python-api`` does it by the methods that it has:
``pullrequests.each`` (lists 10 a page and fetches each one again), ``participants`` and ``comments``. It has none for
timelines. Both are run outside of Airflow, each in a process of its own, so that its memory is its own; the emulator is in
another, counts the requests and takes its time before each answer, as a network does.

Then what 5,000 pull requests (12 timeline entries, 4 comments, 5 commits each) cost: counted for ours, computed for
``atlassian-python-api`` from what was counted before, and for DevLake, which is no library, from its published code: it lists 50
a page and asks twice for every pull request (comments, commits).

    python benchmarks/peers.py [pull requests]
"""

from __future__ import annotations

import json
import math
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

import psutil

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.extraction.dataset import Dataset
from bitbucket_cloud_emulator import BitbucketEmulator

if TYPE_CHECKING:
    import pandas as pd

LATENCY = 0.03  # seconds
BUDGET = 1000  # requests an hour
FULL = 5000  # pull requests of what is not measured to the end
COLUMNS = ["id", "state", "author", "created_on", "closed_on", "approvals", "comment_count"]
REVIEWS = ["first_review_on", "last_approval_on"]
THEIRS = "atlassian-python-api"
EVERY = " OR ".join(f'state="{state}"' for state in ("OPEN", "MERGED", "DECLINED", "SUPERSEDED"))  # else open ones only
JOBS = {"pull requests": False, "... with their reviews": True}


def ours(port: int, with_reviews: bool) -> pd.DataFrame:
    """Return the frame by this package."""
    return Dataset("pull_requests").read(client_of(BitbucketEmulator(port=port)), ["api"], with_activity=with_reviews).frame()


def theirs(port: int, with_reviews: bool) -> pd.DataFrame:
    """Return the frame by atlassian-python-api, written as its users would."""
    import pandas as pd
    from atlassian.bitbucket import Cloud

    bitbucket = BitbucketEmulator(port=port)
    cloud = Cloud(bitbucket.url, username=bitbucket.api_token[0], password=bitbucket.api_token[1])
    repository = cloud.workspaces.get(bitbucket.workspace).repositories.get("api")
    rows = []
    for pr in repository.pullrequests.each(q=EVERY):
        approvals = [one for one in pr.participants() if one.has_approved and one.user.uuid != pr.author.uuid]
        row = {
            "id": pr.id,
            "state": pr.get_data("state"),
            "author": pr.author.display_name,
            "created_on": pr.created_on,
            "closed_on": None if pr.is_open else pr.updated_on,  # the best value available; later activity changes it
            "approvals": len(approvals),
            "comment_count": pr.comment_count,
        }
        if with_reviews:
            comments = [one.get_time("created_on") for one in pr.comments() if one.user.uuid != pr.author.uuid]
            approved = [one.participated_on for one in approvals]
            row |= {"first_review_on": min(comments + approved, default=None), "last_approval_on": max(approved, default=None)}
        rows.append(row)
    return pd.DataFrame(rows)


def expected(pull_requests: int, with_reviews: bool) -> int:
    """Return how many requests atlassian-python-api makes: workspace, repository, pages of 10, each again, comments of each."""
    return 2 + math.ceil(pull_requests / 10) + pull_requests * (2 if with_reviews else 1)


@dataclass(frozen=True)
class Cost:
    """What a job cost.

    :param seconds: without the time that imports take
    :param peak: megabytes, of the whole process
    :param grown: how many of these the job took
    :param columns: of the frame; ours has more than what is compared
    """

    requests: int
    seconds: float
    peak: float
    grown: float
    columns: int


def serve(pull_requests: int, latency: float, parent: Connection) -> None:
    """Run the emulator until the other end hangs up."""
    with BitbucketEmulator("large", speed=0, pull_requests=pull_requests) as bitbucket:
        if latency:
            bitbucket.fault("latency", latency=latency, count=None)
        parent.send(bitbucket.port)
        parent.poll(None)


@contextmanager
def served(pull_requests: int, latency: float = 0) -> Iterator[BitbucketEmulator]:
    """Start an emulator in a process of its own and return a handle of it."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=serve, args=(pull_requests, latency, there), daemon=True)
    server.start()
    there.close()  # so that an emulator that dies is noticed
    try:
        yield BitbucketEmulator(port=here.recv())
    finally:
        here.close()
        server.terminate()


def client_of(bitbucket: BitbucketEmulator) -> BitbucketClient:
    """Return our client of an emulator; it does not wait for its budget."""
    return BitbucketClient(ApiToken(*bitbucket.api_token), bitbucket.workspace, bitbucket.api_url, rate_limit=1_000_000)


def contest(make: Callable[[int, bool], pd.DataFrame], port: int, with_reviews: bool, parent: Connection) -> None:
    """Create a frame and send its costs and contents."""
    import pandas  # noqa: F401 - what is imported is no part of the job
    import pyarrow  # noqa: F401 - imported before the clock starts
    from atlassian.bitbucket import Cloud  # noqa: F401 - as above

    before, began = psutil.Process().memory_info().rss / 1e6, time.monotonic()
    frame = make(port, with_reviews)
    seconds, peak = time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    columns = COLUMNS + (REVIEWS if with_reviews else [])
    rows = frame.sort_values("id")[columns].to_json(orient="records", date_format="iso", date_unit="us")
    parent.send((seconds, peak, peak - before, len(frame.columns), rows))


def run(
    make: Callable[[int, bool], pd.DataFrame], bitbucket: BitbucketEmulator, with_reviews: bool
) -> tuple[Cost, list[dict[str, Any]]]:
    """Run a job in a separate process, and return its cost and its rows."""
    bitbucket.reset_requests()
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=contest, args=(make, bitbucket.port, with_reviews, there))
    process.start()
    there.close()
    *measured, rows = here.recv()
    process.join()
    return Cost(sum(bitbucket.requests().values()), *measured), json.loads(rows)


def measure(pull_requests: int) -> None:
    """Let both do both jobs; print what each took, and stop when they do not say the same."""
    print(f"{pull_requests:,} pull requests, {LATENCY * 1000:.0f} ms a request, {BUDGET:,} requests an hour allowed\n")
    with served(pull_requests, LATENCY) as bitbucket:
        for job, with_reviews in JOBS.items():
            (our, our_rows), (their, their_rows) = (run(make, bitbucket, with_reviews) for make in (ours, theirs))
            print(f"{job:34}{'requests':>9}{'of budget':>11}{'seconds':>9}{'peak':>9}{'of it the job':>15}{'rows x columns':>16}")
            for name, cost, rows in (("ours", our, our_rows), (f"{THEIRS} {version(THEIRS)}", their, their_rows)):
                memory = f"{cost.peak:6.0f} MB{cost.grown:12.1f} MB"
                spent = f"{cost.requests:9,}{cost.requests / BUDGET:9.2f} h{cost.seconds:9.1f}"
                print(f"  {name:32}{spent}{memory}{len(rows):10,} x {cost.columns:3}")
            ratios = f"{their.requests / our.requests:7.1f} x{their.seconds / our.seconds:18.1f} x"
            print(f"  {'theirs / ours':32}{ratios}{their.peak / our.peak:7.2f} x{their.grown / our.grown:13.1f} x\n")
            assert len(our_rows) == len(their_rows) == pull_requests
            assert our_rows == their_rows, next(pair for pair in zip(our_rows, their_rows, strict=True) if pair[0] != pair[1])
            print(f"  the same values in both: {', '.join(our_rows[0])}\n")
            assert their.requests == expected(pull_requests, with_reviews)  # what is computed below


def full_size() -> None:
    """Print what all of them would spend on a large repository."""
    costs: dict[str, int] = {}
    with served(FULL) as bitbucket:
        for job, with_reviews in JOBS.items():
            bitbucket.reset_requests()
            records = Dataset("pull_requests").records(client_of(bitbucket), ["api"], with_activity=with_reviews)
            rows = sum(1 for _ in records)
            assert rows == FULL, f"{rows} rows"
            costs[f"ours, {job} (counted)"] = sum(bitbucket.requests().values())
    most = max(costs.values())
    costs |= {f"{THEIRS}, {job} (computed)": expected(FULL, with_reviews) for job, with_reviews in JOBS.items()}
    costs["DevLake, comments and commits (computed)"] = math.ceil(FULL / 50) + 2 * FULL
    print(f"{FULL:,} pull requests")
    for name, requests in costs.items():
        print(f"  {name:58}{requests:8,} requests {requests / BUDGET:6.1f} h of budget {requests / most:6.1f} x")


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
    full_size()
