"""The control interface and what every answer carries: counts, clock, settings, headers, and the same bytes every time."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator.conftest import Call
from tests.emulator.tour import Tour

API = "/repositories/acme/api"
HAVE_PORT = ("etag", "content-length")


def test_requests_are_counted_by_route_even_those_that_are_refused(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    call(API)
    call(API, auth=None)
    call(f"{API}/refs/branches/feature/a")
    call(f"{API}/pipelines/")
    call(f"{API}/pipelines")
    call("/none")
    assert bitbucket_emulator.requests() == {
        "GET /none": 1,
        "GET /repositories/{workspace}/{repo_slug}": 2,
        "GET /repositories/{workspace}/{repo_slug}/pipelines": 2,
        "GET /repositories/{workspace}/{repo_slug}/refs/branches/{name}": 1,
    }
    bitbucket_emulator.reset_requests()
    assert bitbucket_emulator.requests() == {}


def test_requests_are_counted_by_who_asked(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    call(API)
    call(API, token="demo-access-token")
    call(API, auth=None)
    shown = bitbucket_emulator.control("GET", "requests")
    assert shown["total"] == 3
    assert shown["by_credential"] == {"acme.access.token": 1, "dana.demo": 1, "anonymous": 1}


def test_the_last_requests_are_kept_with_status_and_without_headers(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    call(f"{API}/refs/branches?pagelen=5")
    call(f"{API}/refs/branches", "POST", json={"name": "x"})
    first, second = bitbucket_emulator.control("GET", "requests?recent=10")["recent"]
    assert (first["method"], first["query"], first["status"]) == ("GET", "pagelen=5", 200)
    assert (second["body"], second["status"]) == ('{"name": "x"}', 400)
    assert set(first) == {"method", "path", "route", "query", "body", "status"}


def test_the_kept_requests_do_not_tell_the_values_of_secured_variables(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    variables = [{"key": "PASSWORD", "value": "hush", "secured": True}, {"key": "PLACE", "value": "here"}]
    call(f"{API}/pipelines/", "POST", json={"target": {"type": "pipeline_ref_target"}, "variables": variables})
    (kept,) = bitbucket_emulator.control("GET", "requests?recent=10")["recent"]
    assert [one["value"] for one in json.loads(kept["body"])["variables"]] == ["***", "here"]


def test_the_clock_stands_still_until_it_is_moved(bitbucket_emulator: BitbucketEmulator) -> None:
    assert bitbucket_emulator.clock() == NOW
    assert bitbucket_emulator.clock(advance=90) == NOW + timedelta(seconds=90)
    moment = datetime.fromisoformat("2027-01-01T00:00:00+00:00")
    assert bitbucket_emulator.clock(set=moment) == moment


def test_the_clock_can_run_faster(bitbucket_emulator: BitbucketEmulator) -> None:
    began = bitbucket_emulator.clock(speed=100_000)
    while bitbucket_emulator.clock() < began + timedelta(hours=1):
        pass


@pytest.mark.parametrize(
    ("method", "path", "body", "complaint"),
    [
        ("POST", "clock", {"forward": 1}, "forward"),
        ("POST", "clock", {"speed": -1}, "speed"),
        ("PATCH", "settings", {"rate_limits": 1}, "rate_limit"),
        ("POST", "scripts", {"repository": "none", "selector": "*"}, "acme/api"),
        ("POST", "scripts", {"repository": "api"}, "selector"),
        ("POST", "scripts", {"repository": "api", "selector": "*", "outcome": []}, "outcomes"),
        ("POST", "credentials", {"kind": "password", "secret": "x"}, "api_token"),
        ("POST", "credentials", {"kind": "oauth2"}, "secret"),
        ("POST", "repositories", {"repository": "none"}, "acme/api"),
    ],
)
def test_a_wrong_word_to_the_control_interface_is_answered_with_the_right_ones(
    bitbucket_emulator: BitbucketEmulator, method: str, path: str, body: dict[str, object], complaint: str
) -> None:
    refused = requests.request(method, f"{bitbucket_emulator.url}/_emulator/{path}", json=body, timeout=10)
    assert 400 <= refused.status_code < 500
    assert complaint in refused.json()["error"]["message"]


def test_control_calls_are_not_counted_and_cost_no_budget(bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.settings(rate_limit=1)
    for _ in range(5):
        assert bitbucket_emulator.requests() == {}


def test_an_answer_that_did_not_change_is_304(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    tag = call(f"{API}/refs/branches/main").headers["ETag"]
    assert tag.startswith('W/"')
    same = call(f"{API}/refs/branches/main", headers={"If-None-Match": tag})
    assert (same.status_code, same.content) == (304, b"")
    call(f"{API}/src", "POST", data={"a.txt": "a"})
    assert call(f"{API}/refs/branches/main", headers={"If-None-Match": tag}).status_code == 200


def test_answers_are_dated_by_the_emulated_clock(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    assert call(API).headers["Date"] == "Mon, 02 Nov 2026 08:00:00 GMT"
    bitbucket_emulator.clock(advance=1)
    bitbucket_emulator.fault("rate_limit")
    assert call(API).headers["Date"] == "Mon, 02 Nov 2026 08:00:01 GMT"


def test_every_answer_has_an_id_to_ask_atlassian_about(call: Call) -> None:
    first, second = call(API).headers, call("/none").headers
    assert first["Atl-Traceid"] != second["Atl-Traceid"]
    assert (first["X-Request-Count"], second["X-Request-Count"]) == ("1", "2")
    assert "Authorization" in first["Vary"]


def test_the_same_seed_clock_and_requests_give_the_same_bytes_and_headers() -> None:
    assert _all_answers() == _all_answers()


def _all_answers() -> tuple[list[Any], dict[str, str]]:
    """Every answer of the tour, without the port, which differs."""
    seen: list[Any] = []
    with BitbucketEmulator("empty", speed=0, now=NOW) as bitbucket:
        port = f":{bitbucket.port}"

        def keep(answer: requests.Response, **_: object) -> None:
            same = {name: value.replace(port, "") for name, value in answer.headers.items() if name.lower() not in HAVE_PORT}
            seen.append((answer.status_code, answer.text.replace(port, ""), same))

        tour = Tour(bitbucket)
        tour.session.hooks["response"] = keep
        tour.everything()
        return seen, bitbucket.control("GET", "digest")


def test_the_digest_tells_when_something_changed(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    before = bitbucket_emulator.control("GET", "digest")
    call(f"{API}/refs/branches")
    assert bitbucket_emulator.control("GET", "digest") == before
    call(f"{API}/src", "POST", data={"a.txt": "a"})
    assert bitbucket_emulator.control("GET", "digest") != before
