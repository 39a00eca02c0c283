"""Lists are read whole, once, and with as few requests as Bitbucket allows."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import pytest

from airflow_provider_bitbucket import client as bitbucket
from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.client.paging import deduplicate
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.client.timing import Time
from tests.client.web_server import Answer, WebServer

PULL_REQUESTS = "GET /repositories/{workspace}/{repo_slug}/pullrequests"
FEED = "GET /repositories/{workspace}/{repo_slug}/pullrequests/activity"
BRANCHES = "GET /repositories/{workspace}/{repo_slug}/refs/branches"
PIPELINES = "GET /repositories/{workspace}/{repo_slug}/pipelines"


@pytest.fixture(scope="module")
def large() -> Iterator[BitbucketEmulator]:
    """A repository with 120 pull requests of 12 entries each."""
    with BitbucketEmulator(seed="large", pull_requests=120, speed=0, now=NOW) as running:
        yield running


@pytest.fixture
def large_client(large: BitbucketEmulator, time: Time) -> BitbucketClient:
    """A client of it, counted from zero."""
    large.reset_requests()
    return BitbucketClient(ApiToken(*large.api_token), "acme", large.api_url, clock=time.clock)


class TestPullRequests:
    """Fifty a page is all that Bitbucket gives."""

    def test_all_pull_requests_cost_one_request_for_every_fifty(
        self, large_client: BitbucketClient, large: BitbucketEmulator
    ) -> None:
        rows = [*large_client.pull_requests.list("api")]
        assert sorted(row["id"] for row in rows) == [*range(1, 121)]
        assert {row["state"] for row in rows} >= {"MERGED", "DECLINED"}
        assert [row["created_on"] for row in rows] == sorted(row["created_on"] for row in rows)
        assert all("participants" in row and "reviewers" in row for row in rows)
        assert any(row.get("closed_on") and row["merge_commit"]["date"] for row in rows)
        assert large.requests() == {PULL_REQUESTS: 3}

    def test_the_whole_timeline_costs_one_request_for_every_fifty_entries(
        self, large_client: BitbucketClient, large: BitbucketEmulator
    ) -> None:
        entries = [*large_client.pull_requests.activity("api")]
        assert large.requests() == {FEED: -(-len(entries) // 50)}
        assert len({entry["pull_request"]["id"] for entry in entries}) == 120

    def test_only_the_pages_that_are_needed_are_read(self, large_client: BitbucketClient, large: BitbucketEmulator) -> None:
        assert len([*islice(large_client.pull_requests.list("api"), 50)]) == 50
        assert large.requests() == {PULL_REQUESTS: 1}

    def test_what_is_updated_while_pages_are_read_is_neither_missed_nor_given_twice(
        self, large_client: BitbucketClient, large: BitbucketEmulator
    ) -> None:
        ids = []
        for row in large_client.pull_requests.list("api", updated_since=NOW.replace(year=2020)):
            ids.append(row["id"])
            if len(ids) % 50 == 0:
                large.control("POST", "pullrequests/acme/api/touch", {"count": 60})
        assert sorted(ids) == [*range(1, 121)]

    def test_a_repository_too_large_to_sort_is_read_unsorted(
        self, large_client: BitbucketClient, large: BitbucketEmulator, caplog: pytest.LogCaptureFixture
    ) -> None:
        large.settings(sorted_states_fail=True)
        try:
            ids = [row["id"] for row in large_client.pull_requests.list("api")]
        finally:
            large.settings(sorted_states_fail=False)
        assert sorted(ids) == [*range(1, 121)]
        assert "reading them unsorted" in caplog.text

    def test_a_list_that_breaks_in_the_middle_goes_on_unsorted_without_repeating(
        self, large_client: BitbucketClient, large: BitbucketEmulator
    ) -> None:
        large.fault("server_error", status=500, after=1, count=8, path="pullrequests")
        assert sorted(row["id"] for row in large_client.pull_requests.list("api")) == [*range(1, 121)]

    def test_any_other_outage_is_raised(self, large_client: BitbucketClient, large: BitbucketEmulator) -> None:
        large.fault("server_error", status=503, count=None)
        try:
            with pytest.raises(bitbucket.BitbucketServerError):
                next(large_client.pull_requests.list("api"))
        finally:
            large.clear_faults()

    def test_states_time_and_a_condition_of_ones_own_hold_together(self, large_client: BitbucketClient) -> None:
        rows = [*large_client.pull_requests.list("api")]
        middle = sorted(row["updated_on"] for row in rows)[60]
        wanted = {row["id"] for row in rows if row["state"] == "MERGED" and row["updated_on"] >= middle and row["id"] > 30}
        found = large_client.pull_requests.list(
            "api", states=["MERGED"], updated_since=NOW.fromisoformat(middle), q="id > 30 or id > 500"
        )
        assert {row["id"] for row in found} == wanted
        assert wanted

    @pytest.mark.parametrize("fields", ["values.title", "values.title,values.author.uuid"])
    def test_a_partial_answer_still_leads_to_the_next_page(self, large_client: BitbucketClient, fields: str) -> None:
        rows = [*large_client.pull_requests.list("api", fields=fields)]
        assert len(rows) == 120
        assert set(rows[0]) == {"id", *(name.split(".")[1] for name in fields.split(","))}

    @pytest.mark.parametrize("states", [[], ["open"], ["DRAFT"], "OPEN"])
    def test_a_state_that_does_not_exist_is_refused(self, large_client: BitbucketClient, states: Any) -> None:
        with pytest.raises(ValueError, match="expected some of"):
            large_client.pull_requests.list("api", states=states)


def test_pipelines_come_newest_first_on_every_page_although_next_forgets_the_order(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    for _ in range(103):
        client.pipelines.trigger("api", branch="main")
    bitbucket_emulator.reset_requests()
    numbers = []
    for row in client.pipelines.list("api"):
        numbers.append(row["build_number"])
        if len(numbers) == 100:
            client.pipelines.trigger("api", branch="main")  # pushes a row on to the next page
    assert numbers == [*range(103, 0, -1)]
    assert bitbucket_emulator.requests()[PIPELINES] == 2


class TestBranches:
    """Their list is a page number away from what was there a moment ago, and names are all that tells them apart."""

    @pytest.fixture
    def branches(self, bitbucket_emulator: BitbucketEmulator) -> dict[str, str]:
        """Of a repository, with 250 of them; what tests take out is gone."""
        found = next(bitbucket_emulator.state.repositories()).branches
        found.update({f"b{number:03}": found["main"] for number in range(249)})
        bitbucket_emulator.reset_requests()
        return found

    def read(self, client: BitbucketClient, at: int, change: Callable[[], object]) -> list[str]:
        names = []
        for row in client.refs.branches("api"):
            names.append(row["name"])
            if len(names) == at:
                change()
        assert len(names) == len(set(names))
        return names

    @pytest.mark.parametrize("at", [100, 200])
    @pytest.mark.parametrize("gone", [1, 50, 99])
    def test_none_is_lost_when_others_are_deleted_between_pages(
        self, client: BitbucketClient, branches: dict[str, str], at: int, gone: int
    ) -> None:
        names = self.read(client, at, lambda: [branches.pop(f"b{number:03}") for number in range(gone)])
        assert set(branches) <= set(names)

    def test_they_cost_one_request_for_every_hundred(
        self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, branches: dict[str, str]
    ) -> None:
        for surplus in (50, 0):
            while len(branches) > 200 + surplus:
                branches.popitem()
            bitbucket_emulator.reset_requests()
            assert self.read(client, 0, lambda: None) == sorted(branches)
            assert bitbucket_emulator.requests()[BRANCHES] == (3 if surplus else 2)

    def test_a_member_who_leaves_between_pages_takes_nobody_along(self, reader: BitbucketClient, server: WebServer) -> None:
        link = f"{server.api_url}/workspaces/acme/members?page=2"

        def page(*numbers: int, size: int, last: bool = False) -> Answer:
            people = [{"type": "workspace_membership", "user": {"uuid": f"{{{number}}}"}} for number in numbers]
            return Answer({"values": people, "size": size, "pagelen": 2, **({} if last else {"next": link})})

        server.answer(
            "/2.0/workspaces/acme/members",
            page(1, 2, size=5),
            page(4, 5, size=4, last=True),  # 1 has left, and 3 is now on the first page
            page(2, 3, size=4),
            page(4, 5, size=4, last=True),
        )
        assert [one["user"]["uuid"] for one in reader.workspaces.members("acme")] == ["{1}", "{2}", "{4}", "{5}", "{3}"]


def test_what_is_remembered_of_a_list_does_not_grow_with_it() -> None:
    def feed() -> Iterator[dict[str, Any]]:
        for number in range(100_000):
            yield {"uuid": f"{{{number}}}"}
            if number % 500 == 499:  # 300 new entries have pushed as many that were given on to the next page
                yield from ({"uuid": f"{{{again}}}"} for again in range(number - 299, number + 1))

    tracemalloc.start()
    rows = sum(1 for _ in deduplicate(feed()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == 100_000
    assert peak < 2_000_000


class TestTrouble:
    """What Bitbucket's lists have been seen doing."""

    @pytest.fixture
    def pages(self, reader: BitbucketClient, server: WebServer) -> Callable[..., list[Any]]:
        """Read a scripted list of two rows a page."""

        def read(*answers: dict[str, Any], **options: Any) -> list[Any]:
            server.answer("/2.0/list", *[Answer(one) for one in answers])
            return [*reader.paginate("/list", pagelen=2, **options)]

        return read

    def test_a_next_on_another_host_is_a_malformed_response(
        self, reader: BitbucketClient, server: WebServer, stranger: WebServer
    ) -> None:
        server.answer("/2.0/list", {"values": [{"id": 1}], "next": f"{stranger.api_url}/list?page=2"})
        with pytest.raises(bitbucket.BitbucketServerError, match="credentials go nowhere else"):
            next(reader.paginate("/list"))
        assert not stranger.asked

    def test_next_is_followed_as_it_is(self, pages: Callable[..., list[Any]], server: WebServer) -> None:
        link = f"{server.api_url}/list?ctx=a%2Bb&after=2026-01-01T00%3A00%3A00%2B00%3A00"
        assert pages({"values": [{"id": 1}], "next": link}, {"values": [{"id": 2}]}) == [{"id": 1}, {"id": 2}]
        assert server.asked[1].path == link.removeprefix(server.url)

    def test_a_list_that_shifts_gives_each_row_once(self, pages: Callable[..., list[Any]], server: WebServer) -> None:
        rows = [{"uuid": "{1}"}, {"uuid": "{2}"}, {"uuid": "{3}"}]
        assert pages({"values": rows[:2], "next": f"{server.api_url}/list?page=2"}, {"values": rows[1:]}) == rows

    def test_rows_that_can_not_be_told_apart_are_all_given(self, pages: Callable[..., list[Any]]) -> None:
        assert len(pages({"values": [{"update": {}}, {"update": {}}]})) == 2

    def test_a_list_that_leads_in_a_circle_ends_in_an_error(self, pages: Callable[..., list[Any]], server: WebServer) -> None:
        with pytest.raises(bitbucket.BitbucketServerError, match="leads in a circle"):
            pages({"values": [], "next": f"{server.api_url}/list?page=2"})

    def test_counted_pages_need_neither_size_nor_next(self, pages: Callable[..., list[Any]], server: WebServer) -> None:
        full = {"values": [{"id": 1}, {"id": 2}], "next": "https://internal.example/rest/1.0/x"}
        assert len(pages(full, {"values": [{"id": 3}, {"id": 4}]}, {"values": []}, count_pages=True)) == 4
        assert [one.path.rpartition("page=")[2] for one in server.asked] == ["1", "2", "3"]

    def test_a_short_page_is_the_last(self, pages: Callable[..., list[Any]], server: WebServer) -> None:
        assert len(pages({"values": [{"id": 1}], "next": f"{server.api_url}/list?page=2"}, count_pages=True)) == 1
        assert len(server.asked) == 1

    def test_pages_that_are_smaller_than_asked_for_are_all_read(self, pages: Callable[..., list[Any]]) -> None:
        assert len(pages({"values": [{"id": 1}], "pagelen": 1}, {"values": [], "pagelen": 1}, count_pages=True)) == 1

    def test_a_list_that_takes_no_page_numbers_is_an_error_and_no_endless_loop(self, pages: Callable[..., list[Any]]) -> None:
        with pytest.raises(bitbucket.BitbucketServerError, match="takes no page numbers"):
            pages({"values": [{"id": 1}, {"id": 2}]}, count_pages=True)

    @pytest.mark.parametrize("answer", [{"type": "repository"}, {"values": {"a": 1}}])
    def test_what_is_no_list_is_told(self, pages: Callable[..., list[Any]], answer: dict[str, Any]) -> None:
        with pytest.raises(bitbucket.BitbucketError, match="/list is not a list"):
            pages(answer)

    @pytest.mark.parametrize(
        ("asked", "sent"),
        [
            ("values.uuid", "values.uuid,next,page,pagelen,size"),
            ("+values.participants,-values.links", "+values.participants,-values.links"),
        ],
    )
    def test_a_partial_answer_keeps_what_leads_on(
        self, reader: BitbucketClient, server: WebServer, asked: str, sent: str
    ) -> None:
        server.answer("/2.0/list", {"values": []})
        assert not [*reader.paginate("/list", {"fields": asked})]
        assert f"fields={sent.replace(',', '%2C').replace('+', '%2B')}" in server.asked[0].path
