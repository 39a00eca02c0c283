"""Reading while Bitbucket changes, and reading again only what did."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_bitbucket.extraction.dataset import Dataset
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator_data import asked, client_of, run_pipelines

COUNT = 120  # three pages


@pytest.fixture(scope="module")
def changing() -> Iterator[BitbucketEmulator]:
    """Return an emulator with 120 pull requests of a year, which tests change further."""
    with BitbucketEmulator("large", speed=0, now=NOW, pull_requests=COUNT) as bitbucket:
        yield bitbucket


def comment(bitbucket: BitbucketEmulator, number: int, seconds: float) -> None:
    """Comment on a pull request at a number of seconds after the start of the emulator."""
    event = {"do": "comment", "user": "bo.large", "text": "Now?", "at": (NOW + timedelta(seconds=seconds)).isoformat()}
    bitbucket.control("POST", f"pullrequests/acme/api/{number}/events", {"events": [event]})


EDITS = st.lists(st.tuples(st.integers(0, COUNT - 1), st.integers(1, COUNT)), max_size=8)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS, days=st.sampled_from([None, 30, 200]))
def test_edits_between_pages_lose_no_pull_request_and_double_none(
    changing: BitbucketEmulator, edits: list[tuple[int, int]], days: int | None
):
    since = NOW - timedelta(days=days) if days else None
    before = {one["pull_request"]["id"] for one in Dataset("pull_requests").records(client_of(changing), ["api"], since)}
    got: list[int] = []
    records: Any = Dataset("pull_requests").records(client_of(changing), ["api"], since)
    for position, record in enumerate(records):
        got.append(record["pull_request"]["id"])
        for _, number in (one for one in edits if one[0] == position):
            comment(changing, number, position)
    assert len(got) == len(set(got))
    assert before <= set(got)
    missed = {number for position, number in edits if position < len(got)} - set(got)
    again = {one["pull_request"]["id"] for one in Dataset("pull_requests").records(client_of(changing), ["api"], NOW)}
    assert missed <= again  # what came into the interval on a page already read is read the next time


def test_one_percent_of_5000_pull_requests_costs_at_most_25_requests():
    with BitbucketEmulator("large", speed=0, now=NOW, pull_requests=5000) as bitbucket:
        client = client_of(bitbucket)

        def cost(since: Any, **options: Any) -> tuple[int, int]:
            sent = client.budget.sent
            return len(list(Dataset("pull_requests").records(client, ["api"], since, **options))), client.budget.sent - sent

        updates = sorted(one["pull_request"]["updated_on"] for one in Dataset("pull_requests").records(client, ["api"]))
        rows, requests = cost(datetime.fromisoformat(updates[-50]), with_activity=True)
        assert rows == 50
        assert requests <= 25
        # Scattered over the year they have to be asked for one by one; their rows alone still come with the list.
        for number in range(1, 5000, 100):
            comment(bitbucket, number, number)
        rows, requests = cost(NOW, with_activity=True)
        assert rows <= requests <= rows + 25
        assert cost(NOW) == (rows, 2)


@pytest.mark.parametrize("dataset", ["pipeline_steps", "test_reports"])
def test_steps_are_asked_for_only_of_pipelines_that_changed_since_the_last_time(
    bitbucket_emulator: BitbucketEmulator, dataset: str
):
    cases = [{"name": "test_a", "status": "SUCCESSFUL"}]
    test = {"name": "Test", "seconds": 20, "test_cases": cases}
    waits = {"steps": [test, {"name": "Deploy", "seconds": 5, "manual": True}]}

    def cost(hours: float | None) -> tuple[list[int], dict[str, int]]:
        """The pipelines that are read, and the requests, when it was read so many hours after the beginning before."""
        bitbucket_emulator.reset_requests()
        reading = Dataset(dataset).read(client_of(bitbucket_emulator), ["api"])
        if hours is not None:
            reading.resume_from({"acme/api": NOW + timedelta(hours=hours)})
        numbers = [record["build_number"] for record in reading]
        return sorted(set(numbers)), asked(bitbucket_emulator, "pipelines")

    def requests(steps: int, reports: int) -> dict[str, int]:
        parts = {"": 1, "/one/steps": steps, "/one/steps/one/test_reports": reports if dataset == "test_reports" else 0}
        return {part: times for part, times in parts.items() if times}

    run_pipelines(bitbucket_emulator, *[{"steps": [test]}] * 3, waits)
    assert cost(None) == ([1, 2, 3, 4], requests(4, 4))  # never read before: all
    assert cost(4) == ([4], requests(1, 1))  # one waits for a person
    run_pipelines(bitbucket_emulator, {"steps": [test]})
    assert cost(4) == ([4, 5], requests(2, 2))
    bitbucket_emulator.control("POST", "pipelines/acme/api/4/finish", {"result": "SUCCESSFUL"})
    assert cost(5) == ([4, 5], requests(2, 3))  # one has ended; the other ended within the overlap of an hour
    assert cost(6.5) == ([], requests(0, 0))
