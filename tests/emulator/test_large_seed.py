"""The large seed has pull requests of equal size, so that numbers of requests can be compared."""

from __future__ import annotations

from collections import Counter

import pytest

from bitbucket_cloud_emulator.core.clock import Clock
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.pull_requests.models import PullRequest
from bitbucket_cloud_emulator.pull_requests.timeline import feed
from bitbucket_cloud_emulator.pytest_plugin import NOW
from bitbucket_cloud_emulator.seeds import plant


def large(**sizes: int) -> State:
    state = State(clock=Clock(NOW, 0))
    plant(state, "large", **sizes)
    return state


@pytest.fixture(scope="module")
def pull_requests() -> list[PullRequest]:
    (repository,) = large(pull_requests=400).repositories()
    return list(repository.pull_requests.values())


def test_every_pull_request_has_the_same_size(pull_requests: list[PullRequest]) -> None:
    assert len(pull_requests) == 400
    sizes = {(len(one.activity), len(one.comments), len(one.commits), len(one.diffstat)) for one in pull_requests}
    assert sizes == {(12, 4, 5, 8)}


def test_most_pull_requests_are_merged_some_declined_and_the_newest_open(pull_requests: list[PullRequest]) -> None:
    states = Counter(one.state for one in pull_requests)
    assert states["MERGED"] > 0.85 * len(pull_requests)
    assert states["DECLINED"] > 0
    assert states["OPEN"] > 0
    assert all(one.id > 300 for one in pull_requests if one.state == "OPEN")


def test_no_event_is_before_the_creation_or_in_the_future(pull_requests: list[PullRequest]) -> None:
    for one in pull_requests:
        dates = [entry.date for entry in one.activity]
        assert min(dates) == one.created_on
        assert max(dates) <= one.updated_on <= NOW
        assert one.closed_on is None or one.closed_on == max(dates)


def test_the_pull_requests_can_be_distributed_over_repositories() -> None:
    repositories = list(large(pull_requests=10, repositories=3).repositories())
    assert [(one.slug, len(one.pull_requests)) for one in repositories] == [("api", 4), ("service-2", 3), ("service-3", 3)]


def test_equal_seed_and_clock_yield_equal_pull_requests() -> None:
    one, other = (next(large(pull_requests=20).repositories()) for _ in range(2))
    assert [pr.source_hash for pr in one.pull_requests.values()] == [pr.source_hash for pr in other.pull_requests.values()]
    assert [(pr.id, entry.date, entry.kind) for pr, entry in feed(one)] == [
        (pr.id, entry.date, entry.kind) for pr, entry in feed(other)
    ]
