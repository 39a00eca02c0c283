"""How few requests the states of pipelines need, on any page of the repository's list."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from airflow_provider_bitbucket.client import NO_RETRIES, ApiToken, BitbucketClient, BitbucketError, PipelineOutcome
from airflow_provider_bitbucket.client.pipeline_state import describes_end
from airflow_provider_bitbucket.triggers.pipelines import PipelineFetcher
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.client.web_server import WebServer
from tests.triggers.waits import LIST, ONE, asked, start


class Counted:
    """A fetcher and what it costs.

    :param bitbucket: the emulator
    """

    def __init__(self, bitbucket: BitbucketEmulator) -> None:
        client = BitbucketClient(ApiToken(*bitbucket.api_token), "acme", bitbucket.api_url, retries=NO_RETRIES)
        self.bitbucket = bitbucket
        self.fetcher = PipelineFetcher(client, "api")

    def fetch(self, due: Collection[str], waiting: Collection[str] | None = None) -> tuple[dict[str, Any], int, int]:
        """Fetch once; return the answers, and the numbers of requests for pages and for single pipelines."""
        self.bitbucket.reset_requests()
        answers: dict[str, Any] = {}
        for _, step in self.fetcher.fetch([*due], frozenset(waiting or due)):
            answers.update(step)
        return answers, asked(self.bitbucket, LIST), asked(self.bitbucket, ONE)

    def cost(self, due: Collection[str], waiting: Collection[str] | None = None) -> tuple[int, int]:
        """Fetch once and return the numbers of requests; all that are due must be answered."""
        answers, pages, singles = self.fetch(due, waiting)
        assert set(due) <= set(answers)
        return pages, singles


@pytest.fixture
def counted(bitbucket_emulator: BitbucketEmulator) -> Counted:
    """A fetcher of ``api``."""
    return Counted(bitbucket_emulator)


def test_a_single_pipeline_gets_a_request_of_its_own(counted: Counted) -> None:
    (uuid,) = start(counted.bitbucket, 1)

    assert counted.cost([uuid]) == (0, 1)
    assert counted.cost([uuid]) == (0, 1)


def test_a_page_answers_for_all_pipelines_on_it(counted: Counted) -> None:
    uuids = start(counted.bitbucket, 100)

    assert counted.cost(uuids) == (1, 0)
    assert counted.cost(uuids[3:5]) == (1, 0)


def test_a_page_that_is_read_for_one_answers_others_that_are_not_due_yet(counted: Counted) -> None:
    uuids = start(counted.bitbucket, 3)
    answers, pages, singles = counted.fetch(uuids[:1], uuids)

    assert set(answers) == set(uuids)
    assert (pages, singles) == (1, 0)


def test_as_many_pages_as_the_waits_fill(counted: Counted) -> None:
    uuids = start(counted.bitbucket, 350)

    assert counted.cost(uuids) == (4, 0)
    assert counted.cost(uuids) == (4, 0)


def test_old_pipelines_get_requests_of_their_own_and_do_not_cost_the_pages_above_them(counted: Counted) -> None:
    old = start(counted.bitbucket, 350)
    uuids = [old[0], old[150], *start(counted.bitbucket, 20)]
    first = counted.cost(uuids)

    assert sum(first) <= 5
    assert counted.cost(uuids) == (1, 2)
    assert counted.cost(uuids[:2], uuids) == (0, 2)


def test_two_old_ones_on_one_page_cost_that_page_and_no_other(counted: Counted) -> None:
    old = start(counted.bitbucket, 30)
    start(counted.bitbucket, 300)
    counted.cost(old[:2])

    assert counted.cost(old[:2]) == (1, 0)


def test_a_thousand_old_ones_after_a_restart_are_found_page_by_page(counted: Counted) -> None:
    old = start(counted.bitbucket, 250)
    start(counted.bitbucket, 400)
    pages, singles = counted.cost(old)

    assert singles == 1, "to find out their page"
    assert pages <= 1 + 4
    assert counted.cost(old) == (3, 0)


def test_guessing_costs_little_if_they_are_far_apart(counted: Counted) -> None:
    old = start(counted.bitbucket, 900)[::100]
    start(counted.bitbucket, 100)
    pages, singles = counted.cost(old)

    assert (pages, singles) <= (2, 9)
    assert counted.cost(old) == (0, 9)


def test_pipelines_that_are_started_meanwhile_push_the_others_down_the_list(counted: Counted) -> None:
    uuids = start(counted.bitbucket, 100)
    counted.cost(uuids)
    start(counted.bitbucket, 50)

    assert counted.cost(uuids) == (2, 0)


def test_build_numbers_do_as_well_as_uuids_and_the_same_pipeline_can_be_waited_for_twice(counted: Counted) -> None:
    uuids = start(counted.bitbucket, 2)
    answers, pages, singles = counted.fetch([*uuids, "1"])

    assert answers["1"] == answers[uuids[0]]
    assert (pages, singles) == (1, 0)


def test_the_list_reports_as_much_as_a_request_for_one(counted: Counted) -> None:
    uuids = start(counted.bitbucket, 2)
    counted.bitbucket.clock(advance=600)
    answers, _, _ = counted.fetch(uuids)
    outcome: PipelineOutcome = answers[uuids[0]]

    assert outcome == counted.fetcher._client.pipelines.outcome("api", uuids[0])
    assert outcome.summary() == counted.fetcher._client.pipelines.outcome("api", uuids[0]).summary()


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        "RUNNING",
        {},
        {"uuid": "{x}", "build_number": "soon", "state": {"name": "PENDING"}},
        {"build_number": 9, "state": {"name": "PENDING"}},
        {"state": {"name": "PENDING"}},
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_malformed_row_does_not_hide_the_others(broken: Any, place: int) -> None:
    rows: list[Any] = [{"uuid": f"{{{number}}}", "build_number": number, "state": {"name": "PENDING"}} for number in (8, 7)]
    rows.insert(place, broken)
    with WebServer() as server:
        server.answer("/2.0/repositories/acme/api/pipelines/", {"values": rows})
        fetcher = PipelineFetcher(
            BitbucketClient(ApiToken("me@x.org", "secret"), "acme", server.api_url, retries=NO_RETRIES), "api"
        )
        seen = dict(pair for _, step in fetcher.fetch(["{8}", "{7}"], frozenset(["{8}", "{7}"])) for pair in step.items())

    assert {key: outcome.build_number for key, outcome in seen.items()} == {"{8}": 8, "{7}": 7}


def test_a_row_that_describes_an_end_incompletely_does_not_count() -> None:
    def row(**state: Any) -> dict[str, Any]:
        return {"uuid": "{a}", "build_number": 1, "state": state}

    assert describes_end(row(name="IN_PROGRESS", stage={"name": "PAUSED"}))
    assert describes_end(row(name="COMPLETED", result={"name": "FAILED"}))
    assert describes_end(row(name="COMPLETED", result={"name": "STOPPED", "terminator": {"display_name": "Dana"}}))
    for result in ({"name": "STOPPED"}, {"name": "ERROR"}, {}, None, "FAILED", {"name": ["ERROR"]}):
        assert not describes_end(row(name="COMPLETED", result=result))
    assert not describes_end({"uuid": "{a}", "build_number": 1})
    assert not describes_end({})
    assert not describes_end({"uuid": "{a}", "build_number": 1, "state": "RUNNING"})


def test_a_pipeline_that_always_fails_does_not_block_the_others(counted: Counted) -> None:
    old = start(counted.bitbucket, 900)[:900:150]
    counted.cost(old)
    counted.bitbucket.fault("server_error", count=None, path=old[0].strip("{}"))
    answers: dict[str, Any] = {}

    def fetch() -> None:
        for _, step in counted.fetcher.fetch(old, frozenset(old)):
            answers.update(step)

    for _ in range(2):
        with pytest.raises(BitbucketError):
            fetch()
    assert set(answers) == set(old[1:])
