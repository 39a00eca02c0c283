"""Addresses and parameters are accepted in the forms that other clients send."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.core.http import API as PREFIX
from tests.emulator.conftest import Call
from tests.emulator.tour import Tour

API = "/repositories/acme/api"


def test_a_trailing_slash_is_accepted_on_every_route(bitbucket_emulator: BitbucketEmulator) -> None:
    tour = Tour(bitbucket_emulator)
    gets = {one.path: one for one in tour.everything() if one.method == "GET" and one.status == 200}
    paths = [path.removeprefix(PREFIX) for path in gets if path.startswith(PREFIX) and not path.endswith("/")]
    assert len(paths) > 40
    expected = {path: tour("GET", path, _final_status(tour, path)).status_code for path in paths}
    assert {path: tour("GET", f"{path}/", status).status_code for path, status in expected.items()} == expected


def _final_status(tour: Tour, path: str) -> int:
    """Return the status of a path after the tour, which deletes some of the resources it created."""
    return tour.session.get(f"{tour.bitbucket.api_url}{path}", allow_redirects=False, timeout=10).status_code


def test_a_name_with_slashes_ends_before_the_trailing_slash(call: Call) -> None:
    head = call(f"{API}/commit/HEAD").json()["hash"]
    assert call(f"{API}/refs/branches", "POST", json={"name": "feature/x", "target": {"hash": head}}).status_code == 201
    assert call(f"{API}/refs/branches/feature/x/").json()["name"] == "feature/x"
    assert call(f"{API}/src/HEAD/README.md/").text == call(f"{API}/src/HEAD/README.md").text


def test_head_is_resolved_to_the_head_of_the_main_branch(call: Call) -> None:
    head = call(f"{API}/refs/branches/main").json()["target"]["hash"]
    assert call(f"{API}/commit/HEAD").json()["hash"] == head
    assert call(f"{API}/commits/HEAD").json()["values"][0]["hash"] == head
    assert call(f"{API}/diffstat/HEAD").status_code == 200


def test_a_branch_with_the_name_head_has_precedence_over_the_revision(call: Call) -> None:
    older = call(f"{API}/commits").json()["values"][-1]["hash"]
    assert call(f"{API}/refs/branches", "POST", json={"name": "HEAD", "target": {"hash": older}}).status_code == 201
    assert call(f"{API}/commit/HEAD").json()["hash"] == older


@pytest.mark.parametrize("path", [f"{API}/src/HEAD/", f"{API}/commits", f"{API}/pullrequests/activity"])
def test_lists_with_opaque_tokens_accept_page_numbers(call: Call, path: str, bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.control("POST", "pullrequests/acme/api", {"title": "Add search"})
    everything = call(path, params={"pagelen": 50}).json()["values"]
    assert len(everything) > 1
    pages = [call(path, params={"pagelen": 1, "page": number + 1}).json()["values"] for number in range(len(everything))]
    assert [row for page in pages for row in page] == everything
    assert call(path, params={"page": len(everything) + 1}).json()["values"] == []


def test_a_page_with_an_opaque_token_contains_its_number(call: Call) -> None:
    first = call(f"{API}/src/HEAD/", params={"pagelen": 1}).json()
    assert first["page"] == 1
    assert not first["next"].endswith("page=2")
    assert call(first["next"]).json()["page"] == 2


DEEP = 3000


@pytest.mark.parametrize(
    "query",
    [
        f"q={'(' * DEEP}state%3D%22OPEN%22{')' * DEEP}",
        f"fields={'.'.join(['a'] * DEEP)}",
        f"fields=%2B{'.'.join(['a'] * DEEP)},{'.'.join(['a'] * DEEP)}",
        f"q=id%3D{'9' * 5000}",
        f"pagelen={'9' * 5000}",
        f"page={'9' * 5000}",
    ],
)
def test_excessively_long_or_nested_parameters_are_refused(call: Call, query: str) -> None:
    assert call(f"{API}/pullrequests?{query}").status_code == 400


NUMBERED = ("pullrequests/{}", "pullrequests/1/comments/{}", "pullrequests/1/tasks/{}", "pipelines/{}")


@pytest.mark.parametrize("path", [*NUMBERED, "diff/HEAD?from_pullrequest_id={}"])
def test_a_number_that_is_too_large_is_not_found(call: Call, path: str, bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.control("POST", "pullrequests/acme/api", {"title": "Add search"})
    assert call(f"{API}/{path.format('9' * 5000)}").status_code in (200, 404)


def test_sorting_by_an_object_is_refused(call: Call) -> None:
    call(f"{API}/refs/branches", "POST", json={"name": "other", "target": {"hash": "HEAD"}})
    assert call(f"{API}/refs/branches", params={"sort": "links"}).status_code == 400
    assert call(f"{API}/refs/branches", params={"sort": quote("target.date")}).status_code == 200
