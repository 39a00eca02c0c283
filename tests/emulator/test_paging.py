"""Lists have the page sizes, next links, filters and orders of Bitbucket."""

from __future__ import annotations

from typing import Any

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call

API = "/repositories/acme/api"


@pytest.fixture
def branches(call: Call) -> list[str]:
    """Names of 24 branches including main, in natural order."""
    head = call(f"{API}/refs/branches/main").json()["target"]["hash"]
    names = [f"v{number}" for number in range(1, 24)]
    for name in names:
        assert call(f"{API}/refs/branches", "POST", json={"name": name, "target": {"hash": head}}).status_code == 201
    return ["main", *names]


def walk(call: Call, path: str, **params: Any) -> list[dict[str, Any]]:
    """Return all pages by following ``next``."""
    pages = [call(path, params=params).json()]
    while "next" in pages[-1]:
        pages.append(call(pages[-1]["next"]).json())
    return pages


def test_the_keys_of_a_page_are_in_the_order_of_bitbucket(call: Call, branches: list[str]) -> None:
    first, second, third = walk(call, f"{API}/refs/branches")
    assert list(first) == ["values", "pagelen", "size", "next", "page"]
    assert list(third) == ["values", "pagelen", "size", "page", "previous"]
    assert (first["pagelen"], first["size"], second["page"]) == (10, 24, 2)


def test_following_next_returns_every_row_once(call: Call, branches: list[str]) -> None:
    for params in ({}, {"pagelen": 1}, {"pagelen": 7}, {"pagelen": 100}):
        names = [one["name"] for page in walk(call, f"{API}/refs/branches", **params) for one in page["values"]]
        assert names == branches


def test_the_next_link_keeps_host_and_query_of_the_request(
    bitbucket_emulator: BitbucketEmulator, call: Call, branches: list[str]
) -> None:
    other = bitbucket_emulator.api_url.replace("127.0.0.1", "localhost")
    link = call(f"{other}{API}/refs/branches", params={"q": 'name ~ "v"', "pagelen": 3, "sort": "-name"}).json()["next"]
    assert link == f"{other}{API}/refs/branches?q=name+~+%22v%22&sort=-name&pagelen=3&page=2"


def test_a_page_after_the_last_is_empty(call: Call) -> None:
    answer = call(f"{API}/refs/branches", params={"page": 9})
    assert answer.status_code == 200
    assert answer.json()["values"] == []
    assert "next" not in answer.json()


@pytest.mark.parametrize("page", ["0", "-1", "2/", "x", "²", ""])
def test_a_malformed_page_number_is_refused(call: Call, page: str) -> None:
    answer = call(f"{API}/refs/branches", params={"page": page})
    assert answer.status_code == 400
    assert answer.text == '{"type": "error", "error": {"message": "Invalid page"}}'


@pytest.mark.parametrize(
    ("path", "default", "largest"),
    [
        ("/repositories/acme", 10, 100),
        (f"{API}/refs/branches", 10, 100),
        (f"{API}/refs/tags", 10, 100),
        (f"{API}/commits", 30, 100),
        (f"{API}/pullrequests", 10, 50),
        ("/user/workspaces", 30, 100),
        ("/workspaces/acme/members", 10, 100),
        (f"{API}/pipelines", 10, 100),
        (f"{API}/deployments", 10, 100),
    ],
)
def test_default_and_maximum_page_sizes_are_those_of_bitbucket(call: Call, path: str, default: int, largest: int) -> None:
    assert call(path).json()["pagelen"] == default
    assert call(path, params={"pagelen": largest}).json()["pagelen"] == largest


def test_an_excessive_page_size_is_refused_for_pull_requests_and_reduced_elsewhere(call: Call) -> None:
    for path in (f"{API}/pullrequests", f"{API}/pullrequests/activity"):
        refused = call(path, params={"pagelen": 51})
        assert (refused.status_code, refused.json()["error"]["message"]) == (400, "Invalid pagelen")
    assert call(f"{API}/refs/branches", params={"pagelen": 1000}).json()["pagelen"] == 100


def test_pages_of_commits_have_no_size_and_a_ctx_token(call: Call) -> None:
    pages = walk(call, f"{API}/commits", pagelen=1)
    assert list(pages[0]) == ["values", "pagelen", "next"]
    assert "ctx=" in pages[0]["next"]
    assert [page["values"][0]["message"] for page in pages] == ["Add module 2", "Add module 1", "Initial commit"]


def test_pages_of_folders_have_an_opaque_token(call: Call) -> None:
    pages = walk(call, f"{API}/src/main/", pagelen=1)
    token = pages[0]["next"].rpartition("page=")[2]
    assert not token.isdigit()
    assert [page["values"][0]["path"] for page in pages] == ["README.md", "bitbucket-pipelines.yml", "src"]
    assert call(f"{API}/src/main/", params={"page": "2/"}).status_code == 400


def test_names_of_refs_are_sorted_naturally(call: Call, branches: list[str]) -> None:
    names = [one["name"] for one in call(f"{API}/refs/branches", params={"sort": "-name", "pagelen": 3}).json()["values"]]
    assert names == ["v23", "v22", "v21"]


def test_a_filter_and_an_order_can_be_combined(call: Call, branches: list[str]) -> None:
    found = call(f"{API}/refs/branches", params={"q": 'name ~ "2" AND name != "v12"', "sort": "name", "pagelen": 100}).json()
    assert [one["name"] for one in found["values"]] == ["v2", "v20", "v21", "v22", "v23"]
    assert found["size"] == 5


def test_commits_silently_ignore_a_filter(call: Call) -> None:
    assert len(call(f"{API}/commits", params={"q": 'message = "none"'}).json()["values"]) == 3


def test_an_unknown_filter_on_members_is_refused(call: Call) -> None:
    refused = call("/workspaces/acme/members", params={"q": 'display_name = "Dana"'})
    assert refused.json()["error"]["message"] == 'Field "display_name" does not support filtering'


def test_selected_fields_exclude_the_next_link_unless_it_is_selected(call: Call, branches: list[str]) -> None:
    assert call(f"{API}/refs/branches", params={"fields": "values.name", "pagelen": 2}).json() == {
        "values": [{"name": "main"}, {"name": "v1"}]
    }
    assert "next" in call(f"{API}/refs/branches", params={"fields": "values.name,next", "pagelen": 2}).json()
