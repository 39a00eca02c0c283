"""The control interface counts requests and sets clock and settings; answers carry Bitbucket's headers and are reproducible."""

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
HEADERS_THAT_DEPEND_ON_THE_PORT = ("etag", "content-length")


def test_requests_are_counted_by_route_even_if_they_are_refused(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
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


def test_requests_are_counted_by_credential(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    call(API)
    call(API, token="demo-access-token")
    call(API, auth=None)
    shown = bitbucket_emulator.control("GET", "requests")
    assert shown["total"] == 3
    assert shown["by_credential"] == {"acme.access.token": 1, "dana.demo": 1, "anonymous": 1}


def test_recent_requests_are_recorded_with_status_and_without_headers(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    call(f"{API}/refs/branches?pagelen=5")
    call(f"{API}/refs/branches", "POST", json={"name": "x"})
    first, second = bitbucket_emulator.control("GET", "requests?recent=10")["recent"]
    assert (first["method"], first["query"], first["status"]) == ("GET", "pagelen=5", 200)
    assert (second["body"], second["status"]) == ('{"name": "x"}', 400)
    assert set(first) == {"method", "path", "route", "query", "body", "status"}


def test_recorded_requests_do_not_contain_the_values_of_secured_variables(
    bitbucket_emulator: BitbucketEmulator, call: Call
) -> None:
    variables = [{"key": "PASSWORD", "value": "hush", "secured": True}, {"key": "REGION", "value": "here"}]
    call(f"{API}/pipelines/", "POST", json={"target": {"type": "pipeline_ref_target"}, "variables": variables})
    (recorded,) = bitbucket_emulator.control("GET", "requests?recent=10")["recent"]
    assert [one["value"] for one in json.loads(recorded["body"])["variables"]] == ["***", "here"]


def test_the_clock_stands_still_until_it_is_advanced(bitbucket_emulator: BitbucketEmulator) -> None:
    assert bitbucket_emulator.clock() == NOW
    assert bitbucket_emulator.clock(advance=90) == NOW + timedelta(seconds=90)
    timestamp = datetime.fromisoformat("2027-01-01T00:00:00+00:00")
    assert bitbucket_emulator.clock(set=timestamp) == timestamp


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
def test_an_unknown_name_is_answered_with_the_known_ones(
    bitbucket_emulator: BitbucketEmulator, method: str, path: str, body: dict[str, object], complaint: str
) -> None:
    refused = requests.request(method, f"{bitbucket_emulator.url}/_emulator/{path}", json=body, timeout=10)
    assert 400 <= refused.status_code < 500
    assert complaint in refused.json()["error"]["message"]


def test_control_requests_are_neither_counted_nor_rate_limited(bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.settings(rate_limit=1)
    for _ in range(5):
        assert bitbucket_emulator.requests() == {}


def test_an_unchanged_answer_is_a_304(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    tag = call(f"{API}/refs/branches/main").headers["ETag"]
    assert tag.startswith('W/"')
    same = call(f"{API}/refs/branches/main", headers={"If-None-Match": tag})
    assert (same.status_code, same.content) == (304, b"")
    call(f"{API}/src", "POST", data={"a.txt": "a"})
    assert call(f"{API}/refs/branches/main", headers={"If-None-Match": tag}).status_code == 200


def test_the_date_header_shows_the_emulated_time(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    assert call(API).headers["Date"] == "Mon, 02 Nov 2026 08:00:00 GMT"
    bitbucket_emulator.clock(advance=1)
    bitbucket_emulator.fault("rate_limit")
    assert call(API).headers["Date"] == "Mon, 02 Nov 2026 08:00:01 GMT"


def test_every_answer_has_a_request_id(call: Call) -> None:
    first, second = call(API).headers, call("/none").headers
    assert first["Atl-Traceid"] != second["Atl-Traceid"]
    assert (first["X-Request-Count"], second["X-Request-Count"]) == ("1", "2")
    assert "Authorization" in first["Vary"]


def test_equal_seed_clock_and_requests_yield_equal_bytes_and_headers() -> None:
    assert _all_answers() == _all_answers()


def _all_answers() -> tuple[list[Any], dict[str, str]]:
    """Return every answer of the tour, without the port, which differs."""
    seen: list[Any] = []
    with BitbucketEmulator("empty", speed=0, now=NOW) as bitbucket:
        port = f":{bitbucket.port}"

        def record(answer: requests.Response, **_: object) -> None:
            same = {
                name: value.replace(port, "")
                for name, value in answer.headers.items()
                if name.lower() not in HEADERS_THAT_DEPEND_ON_THE_PORT
            }
            seen.append((answer.status_code, answer.text.replace(port, ""), same))

        tour = Tour(bitbucket)
        tour.session.hooks["response"] = record
        tour.everything()
        return seen, bitbucket.control("GET", "digest")


def test_the_digest_changes_if_and_only_if_the_state_changes(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    before = bitbucket_emulator.control("GET", "digest")
    call(f"{API}/refs/branches")
    assert bitbucket_emulator.control("GET", "digest") == before
    call(f"{API}/src", "POST", data={"a.txt": "a"})
    assert bitbucket_emulator.control("GET", "digest") != before
