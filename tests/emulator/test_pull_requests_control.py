"""The control interface creates pull requests with a history, and states that the API cannot create."""

from __future__ import annotations

import json
import urllib.error
from typing import Any

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call
from tests.emulator.pull_requests import AUTHOR, OWNER, PULLS, REVIEWER, change, create_pull_request, values


def refusal(bitbucket: BitbucketEmulator, method: str, path: str, body: Any) -> str:
    with pytest.raises(urllib.error.HTTPError) as error:
        bitbucket.control(method, f"pullrequests/acme/{path}", body)
    assert error.value.code == 400
    message: str = json.loads(error.value.read())["error"]["message"]
    return message


def test_a_pull_request_is_created_with_its_history_in_one_request(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    number = create_pull_request(
        bitbucket_emulator,
        "Add search",
        at="2026-09-01T08:00:00+00:00",
        reviewers=[REVIEWER],
        files={"search.py": "FOUND = []\n"},
        draft=True,
        events=[
            {"do": "edit", "draft": False, "at": "2026-09-01T09:00:00+00:00"},
            {"do": "comment", "user": REVIEWER, "text": "Why?", "at": "2026-09-01T10:00:00+00:00"},
            {"do": "push", "files": {"search.py": "FOUND = [1]\n"}, "at": "2026-09-01T11:00:00+00:00"},
            {"do": "request_changes", "user": REVIEWER, "at": "2026-09-01T12:00:00+00:00"},
            {"do": "approve", "user": REVIEWER, "at": "2026-09-01T13:00:00+00:00"},
            {"do": "merge", "user": OWNER, "strategy": "squash", "at": "2026-09-01T14:00:00+00:00"},
        ],
    )
    timeline = []
    for entry in values(call, f"{PULLS}/{number}/activity"):
        kind, details = next((key, value) for key, value in entry.items() if key != "pull_request")
        user = details.get("author") or details["user"]
        timeline.append((details.get("date") or details["created_on"], kind, user["nickname"]))
    assert [(date[11:21], *rest) for date, *rest in reversed(timeline)] == [
        ("08:00:00.0", "update", AUTHOR),
        ("08:00:00.1", "update", AUTHOR),
        ("09:00:00.0", "update", AUTHOR),
        ("10:00:00.0", "comment", REVIEWER),
        ("11:00:00.0", "update", AUTHOR),
        ("13:00:00.0", "approval", REVIEWER),
        ("14:00:00.0", "update", OWNER),
    ]
    shown = call(f"{PULLS}/{number}").json()
    assert (shown["state"], shown["closed_by"]["nickname"], shown["updated_on"][:19]) == ("MERGED", OWNER, "2026-09-01T14:00:00")


def test_pull_requests_can_be_updated_between_the_pages_of_a_list(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    for day in range(1, 10):
        create_pull_request(bitbucket_emulator, at=f"2026-09-0{day}T08:00:00+00:00")
    listed = call(PULLS, params={"pagelen": 5, "sort": "created_on"}).json()
    touched = bitbucket_emulator.control("POST", "pullrequests/acme/api/touch", {"count": 4})["touched"]
    listed["values"] += call(listed["next"]).json()["values"]
    assert [one["id"] for one in listed["values"]] == list(range(1, 10)), "created_on is not changed"
    now = {one["id"] for one in values(call, PULLS, q="updated_on >= 2026-11-02T08:00:00+00:00")}
    assert sorted(now) == touched
    assert len(touched) == 4


def test_superseded_and_queued_pull_requests_can_be_created(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    number = create_pull_request(bitbucket_emulator)
    change(bitbucket_emulator, number, queued=True)
    assert (call(f"{PULLS}/{number}").json()["queued"], call(f"{PULLS}/{number}").json()["state"]) == (True, "OPEN")
    change(bitbucket_emulator, number, queued=False, state="SUPERSEDED", updated_on="2020-01-01T00:00:00+00:00")
    (old,) = values(call, PULLS, state="SUPERSEDED")
    assert old["updated_on"] == "2020-01-01T00:00:00.000000+00:00"


def test_errors_name_the_malformed_value_and_the_expected_ones(bitbucket_emulator: BitbucketEmulator) -> None:
    number = create_pull_request(bitbucket_emulator)
    events_path = f"api/{number}/events"
    assert "expected one of approve, unapprove" in refusal(bitbucket_emulator, "POST", events_path, {"events": [{"do": "sing"}]})
    assert "robin.reviewer" in refusal(
        bitbucket_emulator, "POST", events_path, {"events": [{"do": "approve", "user": "unknown"}]}
    )
    assert "loudly" in refusal(bitbucket_emulator, "POST", events_path, {"events": [{"do": "approve", "loudly": True}]})
    naive = {"events": [{"do": "approve", "at": "2026-09-01T08:00:00"}]}
    assert "has no time zone" in refusal(bitbucket_emulator, "POST", events_path, naive)
    assert "Cannot set 'color'" in refusal(bitbucket_emulator, "PATCH", f"api/{number}", {"color": "red"})
    assert "use events" in refusal(bitbucket_emulator, "POST", f"api/{number}/activity", {"kind": "comment"})
    assert "title" in refusal(bitbucket_emulator, "POST", "api", {})
