"""Lists are read completely, without duplicates, and with as few requests as Bitbucket allows."""

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
    """A client of this emulator, whose request counts start at zero."""
    large.reset_requests()
    return BitbucketClient(ApiToken(*large.api_token), "acme", large.api_url, clock=time.clock)


class TestPullRequests:
    """Bitbucket returns at most fifty pull requests per page."""

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

    def test_pages_are_requested_only_when_they_are_needed(self, large_client: BitbucketClient, large: BitbucketEmulator) -> None:
        assert len([*islice(large_client.pull_requests.list("api"), 50)]) == 50
        assert large.requests() == {PULL_REQUESTS: 1}

    def test_pull_requests_updated_between_pages_are_neither_missed_nor_duplicated(
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

    def test_a_sorted_list_that_fails_midway_is_continued_unsorted_without_duplicates(
        self, large_client: BitbucketClient, large: BitbucketEmulator
    ) -> None:
        large.fault("server_error", status=500, after=1, count=8, path="pullrequests")
        assert sorted(row["id"] for row in large_client.pull_requests.list("api")) == [*range(1, 121)]

    def test_other_server_errors_are_raised(self, large_client: BitbucketClient, large: BitbucketEmulator) -> None:
        large.fault("server_error", status=503, count=None)
        try:
            with pytest.raises(bitbucket.BitbucketServerError):
                next(large_client.pull_requests.list("api"))
        finally:
            large.clear_faults()

    def test_states_updated_since_and_a_custom_query_are_combined(self, large_client: BitbucketClient) -> None:
        rows = [*large_client.pull_requests.list("api")]
        middle = sorted(row["updated_on"] for row in rows)[60]
        wanted = {row["id"] for row in rows if row["state"] == "MERGED" and row["updated_on"] >= middle and row["id"] > 30}
        found = large_client.pull_requests.list(
            "api", states=["MERGED"], updated_since=NOW.fromisoformat(middle), q="id > 30 or id > 500"
        )
        assert {row["id"] for row in found} == wanted
        assert wanted

    @pytest.mark.parametrize("fields", ["values.title", "values.title,values.author.uuid"])
    def test_a_list_of_selected_fields_is_still_read_to_its_end(self, large_client: BitbucketClient, fields: str) -> None:
        rows = [*large_client.pull_requests.list("api", fields=fields)]
        assert len(rows) == 120
        assert set(rows[0]) == {"id", *(name.split(".")[1] for name in fields.split(","))}

    @pytest.mark.parametrize("states", [[], ["open"], ["DRAFT"], "OPEN"])
    def test_an_unknown_state_is_refused(self, large_client: BitbucketClient, states: Any) -> None:
        with pytest.raises(ValueError, match="expected some of"):
            large_client.pull_requests.list("api", states=states)


def test_pipelines_are_listed_newest_first_although_the_next_link_drops_the_order(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    for _ in range(103):
        client.pipelines.trigger("api", branch="main")
    bitbucket_emulator.reset_requests()
    numbers = []
    for row in client.pipelines.list("api"):
        numbers.append(row["build_number"])
        if len(numbers) == 100:
            client.pipelines.trigger("api", branch="main")  # moves a row to the next page
    assert numbers == [*range(103, 0, -1)]
    assert bitbucket_emulator.requests()[PIPELINES] == 2


class TestBranches:
    """Pages of this list are numbered, so rows move between pages; branches are identified by name only."""

    @pytest.fixture
    def branches(self, bitbucket_emulator: BitbucketEmulator) -> dict[str, str]:
        """The 250 branches of a repository in the emulator; a test deletes a branch by removing it here."""
        found = next(bitbucket_emulator.state.repositories()).branches
        found.update({f"b{number:03}": found["main"] for number in range(249)})
        bitbucket_emulator.reset_requests()
        return found

    def read(self, client: BitbucketClient, rows: int, change: Callable[[], object]) -> list[str]:
        names = []
        for row in client.refs.branches("api"):
            names.append(row["name"])
            if len(names) == rows:
                change()
        assert len(names) == len(set(names))
        return names

    @pytest.mark.parametrize("rows", [100, 200])
    @pytest.mark.parametrize("deleted", [1, 50, 99])
    def test_no_branch_is_missed_when_others_are_deleted_between_pages(
        self, client: BitbucketClient, branches: dict[str, str], rows: int, deleted: int
    ) -> None:
        names = self.read(client, rows, lambda: [branches.pop(f"b{number:03}") for number in range(deleted)])
        assert set(branches) <= set(names)

    def test_branches_cost_one_request_for_every_hundred(
        self, client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, branches: dict[str, str]
    ) -> None:
        for surplus in (50, 0):
            while len(branches) > 200 + surplus:
                branches.popitem()
            bitbucket_emulator.reset_requests()
            assert self.read(client, 0, lambda: None) == sorted(branches)
            assert bitbucket_emulator.requests()[BRANCHES] == (3 if surplus else 2)

    def test_no_member_is_missed_when_another_leaves_between_pages(
        self, server_client: BitbucketClient, server: WebServer
    ) -> None:
        link = f"{server.api_url}/workspaces/acme/members?page=2"

        def page(*numbers: int, size: int, last: bool = False) -> Answer:
            people = [{"type": "workspace_membership", "user": {"uuid": f"{{{number}}}"}} for number in numbers]
            return Answer({"values": people, "size": size, "pagelen": 2, **({} if last else {"next": link})})

        server.answer(
            "/2.0/workspaces/acme/members",
            page(1, 2, size=5),
            page(4, 5, size=4, last=True),  # 1 has left, which moves 3 to the first page
            page(2, 3, size=4),
            page(4, 5, size=4, last=True),
        )
        assert [one["user"]["uuid"] for one in server_client.workspaces.members("acme")] == ["{1}", "{2}", "{4}", "{5}", "{3}"]


def test_memory_for_deduplication_does_not_grow_with_the_list() -> None:
    def feed() -> Iterator[dict[str, Any]]:
        for number in range(100_000):
            yield {"uuid": f"{{{number}}}"}
            if number % 500 == 499:  # 300 new entries move as many known ones to the next page
                yield from ({"uuid": f"{{{again}}}"} for again in range(number - 299, number + 1))

    tracemalloc.start()
    rows = sum(1 for _ in deduplicate(feed()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == 100_000
    assert peak < 2_000_000


class TestUnusualLists:
    """Malformed and unusual lists, as Bitbucket has returned them."""

    @pytest.fixture
    def pages(self, server_client: BitbucketClient, server: WebServer) -> Callable[..., list[Any]]:
        """Return a function that reads a list of two rows per page, given its pages."""

        def read(*answers: dict[str, Any], **options: Any) -> list[Any]:
            server.answer("/2.0/list", *[Answer(one) for one in answers])
            return [*server_client.paginate("/list", pagelen=2, **options)]

        return read

    def test_a_next_link_to_another_host_is_a_malformed_response(
        self, server_client: BitbucketClient, server: WebServer, other_host: WebServer
    ) -> None:
        server.answer("/2.0/list", {"values": [{"id": 1}], "next": f"{other_host.api_url}/list?page=2"})
        with pytest.raises(bitbucket.BitbucketServerError, match="credentials go nowhere else"):
            next(server_client.paginate("/list"))
        assert not other_host.asked

    def test_the_next_link_is_followed_unchanged(self, pages: Callable[..., list[Any]], server: WebServer) -> None:
        link = f"{server.api_url}/list?ctx=a%2Bb&after=2026-01-01T00%3A00%3A00%2B00%3A00"
        assert pages({"values": [{"id": 1}], "next": link}, {"values": [{"id": 2}]}) == [{"id": 1}, {"id": 2}]
        assert server.asked[1].path == link.removeprefix(server.url)

    def test_a_row_that_moves_to_the_next_page_is_returned_once(self, pages: Callable[..., list[Any]], server: WebServer) -> None:
        rows = [{"uuid": "{1}"}, {"uuid": "{2}"}, {"uuid": "{3}"}]
        assert pages({"values": rows[:2], "next": f"{server.api_url}/list?page=2"}, {"values": rows[1:]}) == rows

    def test_rows_without_an_identity_are_all_returned(self, pages: Callable[..., list[Any]]) -> None:
        assert len(pages({"values": [{"update": {}}, {"update": {}}]})) == 2

    def test_a_next_link_to_a_page_already_read_is_an_error(self, pages: Callable[..., list[Any]], server: WebServer) -> None:
        with pytest.raises(bitbucket.BitbucketServerError, match="leads in a circle"):
            pages({"values": [], "next": f"{server.api_url}/list?page=2"})

    def test_numbered_pages_need_neither_size_nor_next(self, pages: Callable[..., list[Any]], server: WebServer) -> None:
        full = {"values": [{"id": 1}, {"id": 2}], "next": "https://internal.example/rest/1.0/x"}
        assert len(pages(full, {"values": [{"id": 3}, {"id": 4}]}, {"values": []}, count_pages=True)) == 4
        assert [one.path.rpartition("page=")[2] for one in server.asked] == ["1", "2", "3"]

    def test_a_numbered_page_with_fewer_rows_is_the_last(self, pages: Callable[..., list[Any]], server: WebServer) -> None:
        assert len(pages({"values": [{"id": 1}], "next": f"{server.api_url}/list?page=2"}, count_pages=True)) == 1
        assert len(server.asked) == 1

    def test_numbered_pages_smaller_than_requested_are_all_read(self, pages: Callable[..., list[Any]]) -> None:
        assert len(pages({"values": [{"id": 1}], "pagelen": 1}, {"values": [], "pagelen": 1}, count_pages=True)) == 1

    def test_a_list_that_ignores_page_numbers_is_an_error(self, pages: Callable[..., list[Any]]) -> None:
        with pytest.raises(bitbucket.BitbucketServerError, match="takes no page numbers"):
            pages({"values": [{"id": 1}, {"id": 2}]}, count_pages=True)

    @pytest.mark.parametrize("answer", [{"type": "repository"}, {"values": {"a": 1}}])
    def test_a_response_that_is_not_a_list_is_an_error(self, pages: Callable[..., list[Any]], answer: dict[str, Any]) -> None:
        with pytest.raises(bitbucket.BitbucketError, match="/list is not a list"):
            pages(answer)

    @pytest.mark.parametrize(
        ("requested", "sent"),
        [
            ("values.uuid", "values.uuid,next,page,pagelen,size"),
            ("+values.participants,-values.links", "+values.participants,-values.links"),
        ],
    )
    def test_a_selection_of_fields_keeps_the_paging_fields(
        self, server_client: BitbucketClient, server: WebServer, requested: str, sent: str
    ) -> None:
        server.answer("/2.0/list", {"values": []})
        assert not [*server_client.paginate("/list", {"fields": requested})]
        assert f"fields={sent.replace(',', '%2C').replace('+', '%2B')}" in server.asked[0].path
