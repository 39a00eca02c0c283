"""What reading timelines costs: the feed of the repository, or each pull request by itself, whichever is less."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

import pandas as pd
import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator_data import OWNER, REVIEWER, after, asked, frame_of, open_pull_request

PULL_REQUESTS, ENTRIES_EACH = 120, 12


@pytest.fixture(scope="module")
def large() -> Iterator[BitbucketEmulator]:
    """120 pull requests over a year with 12 entries each; for reading."""
    with BitbucketEmulator("large", speed=0, now=NOW, pull_requests=PULL_REQUESTS) as bitbucket:
        yield bitbucket


def cost(bitbucket: BitbucketEmulator, **options: Any) -> tuple[pd.DataFrame, dict[str, int]]:
    bitbucket.reset_requests()
    frame = frame_of(bitbucket, **options)
    return frame, asked(bitbucket)


def test_the_list_costs_one_request_for_every_50_pull_requests(large: BitbucketEmulator):
    frame, requests = cost(large)
    assert len(frame) == PULL_REQUESTS
    assert requests == {"": ceil(PULL_REQUESTS / 50)}
    assert frame["approvals"].eq(2).all()
    assert frame["closed_on_source"].dropna().eq("closed_on").all()


def test_all_timelines_cost_one_request_for_every_50_entries(large: BitbucketEmulator):
    frame, requests = cost(large, with_activity=True)
    assert requests == {"": ceil(PULL_REQUESTS / 50), "/activity": ceil(PULL_REQUESTS * ENTRIES_EACH / 50)}
    assert frame["first_review_on"].notna().all()
    assert frame["last_approval_on"].notna().all()


def test_one_changed_pull_request_costs_two_requests(large: BitbucketEmulator):
    frame, requests = cost(large, with_activity=True, since=last_updates(large, 1))
    assert len(frame) == 1
    assert requests == {"": 1, "/one/activity": 1}


def test_the_newest_tenth_costs_little_more_than_the_pages_of_its_entries(large: BitbucketEmulator):
    frame, requests = cost(large, with_activity=True, since=last_updates(large, 12))
    assert len(frame) == 12
    assert requests[""] == 1
    assert sum(requests.values()) - 1 <= ceil(12 * ENTRIES_EACH / 50) + 2


def test_either_way_of_reading_gives_the_same_rows(large: BitbucketEmulator):
    everything, _ = cost(large, with_activity=True)
    large.settings(activity_feed_ends_early=0)
    one_by_one, requests = cost(large, with_activity=True)
    large.settings(activity_feed_ends_early=None)
    assert requests["/one/activity"] == PULL_REQUESTS
    pd.testing.assert_frame_equal(everything, one_by_one)


def test_a_feed_that_ends_early_is_made_up_for(large: BitbucketEmulator):
    everything, _ = cost(large, with_activity=True)
    large.settings(activity_feed_ends_early=1000)
    frame, requests = cost(large, with_activity=True)
    large.settings(activity_feed_ends_early=None)
    assert requests["/activity"] == 20
    assert 0 < requests["/one/activity"] < PULL_REQUESTS / 2
    pd.testing.assert_frame_equal(everything, frame)


def test_one_old_pull_request_among_new_ones_does_not_make_the_feed_be_read_back_to_it(bitbucket_emulator: BitbucketEmulator):
    old = open_pull_request(bitbucket_emulator, (24 * 200, "comment", REVIEWER), opened=after(-24 * 200))
    busy = [(0.01 * number, "comment", OWNER) for number in range(400)]
    open_pull_request(bitbucket_emulator, *busy, opened=after(-100))
    for number in range(9):
        open_pull_request(bitbucket_emulator, (1, "comment", REVIEWER), (2, "approve", REVIEWER), opened=after(number / 60))
    frame, requests = cost(bitbucket_emulator, with_activity=True, since=after(0))
    assert len(frame) == 10
    assert requests == {"": 1, "/activity": 2, "/one/activity": 1}  # the second page is the first that is older than all nine
    assert frame.set_index("id").loc[old, "first_review_on"] == after(0)


def test_old_pull_requests_alone_are_read_by_themselves(bitbucket_emulator: BitbucketEmulator):
    for number in range(3):
        open_pull_request(bitbucket_emulator, (24 * 300, "comment", REVIEWER), opened=after(-24 * 300 + number / 60))
    busy = [(0.01 * number, "comment", OWNER) for number in range(600)]
    open_pull_request(bitbucket_emulator, *busy, opened=after(-100))
    frame, requests = cost(bitbucket_emulator, with_activity=True, since=after(0))
    assert len(frame) == 3
    assert requests == {"": 1, "/activity": 1, "/one/activity": 3}


def last_updates(bitbucket: BitbucketEmulator, count: int) -> Any:
    """Return the date since which a number of pull requests were updated."""
    return frame_of(bitbucket)["updated_on"].sort_values().iloc[-count].to_pydatetime()
