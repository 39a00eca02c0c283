"""Faults can be switched on and have the effects that a client observes on a network."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call

API = "/repositories/acme/api"
BRANCH = {"name": "new", "target": {"hash": "main"}}


def test_a_fault_affects_one_request_by_default(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.fault("rate_limit")
    assert [call(API).status_code for _ in range(2)] == [429, 200]


def test_a_fault_can_last_for_a_number_of_requests_or_a_time(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.fault("server_error", count=2, status=502)
    assert [call(API).status_code for _ in range(3)] == [502, 502, 200]
    bitbucket_emulator.fault("rate_limit", seconds=60)
    assert {call(API).status_code for _ in range(5)} == {429}
    bitbucket_emulator.clock(advance=60)
    assert call(API).status_code == 200


def test_a_fault_can_be_delayed_and_restricted_to_requests(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.fault("server_error", method="GET", path="/refs/branches$", after=1)
    assert call(API).status_code == 200
    assert [call(f"{API}/refs/branches").status_code for _ in range(3)] == [200, 503, 200]


def test_a_fault_without_an_end_lasts_until_it_is_cleared(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.fault("server_error", count=None)
    assert call(API).status_code == 503
    assert bitbucket_emulator.control("GET", "faults")[0]["struck"] == 1
    bitbucket_emulator.clear_faults()
    assert call(API).status_code == 200


@pytest.mark.parametrize("status", [500, 502, 503, 504, 555])
def test_server_errors_are_html_pages_or_json(bitbucket_emulator: BitbucketEmulator, call: Call, status: int) -> None:
    bitbucket_emulator.fault("server_error", status=status)
    bitbucket_emulator.fault("server_error", status=status, html=False)
    page, json = call(API), call(API)
    assert (page.status_code, page.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert (json.status_code, json.json()["type"]) == (status, "error")


def test_a_late_answer_is_sent_after_the_effect(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.fault("late_answer", latency=0.3)
    before = time.monotonic()
    assert call(f"{API}/refs/branches", "POST", json=BRANCH).status_code == 201
    assert time.monotonic() - before >= 0.3


@pytest.mark.parametrize("kind", ["latency", "late_answer"])
def test_a_delayed_request_continues_when_the_fault_is_cleared(
    bitbucket_emulator: BitbucketEmulator, call: Call, kind: str
) -> None:
    bitbucket_emulator.fault(kind, latency=30, path="/refs/branches$")
    bitbucket_emulator.fault("server_error", path="/other")
    with ThreadPoolExecutor() as pool:
        held = pool.submit(call, f"{API}/refs/branches")
        while not bitbucket_emulator.control("GET", "faults")[0]["struck"]:
            pass
        bitbucket_emulator.clear_faults(path="/refs/branches$")
        assert held.result(timeout=10).status_code == 200
    assert [one["path"] for one in bitbucket_emulator.control("GET", "faults")] == ["/other"]


def test_a_reset_has_no_effect_and_a_lost_answer_has(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.fault("reset")
    with pytest.raises(requests.ConnectionError):
        call(f"{API}/refs/branches", "POST", json=BRANCH)
    assert call(f"{API}/refs/branches/new").status_code == 404
    bitbucket_emulator.fault("lost_answer")
    with pytest.raises(requests.ConnectionError):
        call(f"{API}/refs/branches", "POST", json=BRANCH)
    assert call(f"{API}/refs/branches/new").status_code == 200


def test_a_truncated_body_is_shorter_than_its_content_length(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.fault("truncated")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        call(API)


def test_the_html_fault_sends_a_page_with_status_200_instead_of_json(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.fault("html")
    answer = call(API)
    assert answer.status_code == 200
    assert answer.text.startswith("<!DOCTYPE html>")


def test_a_request_is_served_after_the_latency(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.fault("latency", latency=0.2)
    began = time.monotonic()
    assert call(API).status_code == 200
    assert time.monotonic() - began >= 0.2


def test_a_request_affected_by_a_fault_is_counted(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.fault("rate_limit")
    call(API)
    assert bitbucket_emulator.requests() == {"GET /repositories/{workspace}/{repo_slug}": 1}


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({"kind": "earthquake"}, "earthquake"),
        ({}, "kind"),
        ({"kind": "reset", "often": 3}, "often"),
        ({"kind": "reset", "path": "("}, "regular expression"),
    ],
)
def test_a_malformed_fault_is_refused_with_an_explanation(
    bitbucket_emulator: BitbucketEmulator, fault: dict[str, object], complaint: str
) -> None:
    refused = requests.post(f"{bitbucket_emulator.url}/_emulator/faults", json=fault, timeout=10)
    assert refused.status_code == 400
    assert complaint in refused.json()["error"]["message"]
