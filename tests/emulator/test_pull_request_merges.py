"""Merge queues, timeouts and drafts over the wire."""

from __future__ import annotations

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call
from tests.emulator.pull_requests import PULLS, REVIEWER, change, create_pull_request


@pytest.fixture
def number(bitbucket_emulator: BitbucketEmulator) -> int:
    """An open pull request."""
    return create_pull_request(bitbucket_emulator, reviewers=[REVIEWER], description="Why")


@pytest.mark.parametrize("status", ["200", "202"])
def test_a_merge_queue_takes_a_pull_request_and_merges_it_after_its_build(
    bitbucket_emulator: BitbucketEmulator, call: Call, number: int, status: str
) -> None:
    bitbucket_emulator.settings(merge_queue=status, merge_queue_seconds=60)
    assert call(f"{PULLS}/{number}/merge", "POST").status_code == int(status)
    shown = call(f"{PULLS}/{number}").json()
    assert (shown["state"], shown["queued"]) == ("OPEN", True)
    bitbucket_emulator.clock(advance=60)
    shown = call(f"{PULLS}/{number}").json()
    assert (shown["state"], shown["queued"]) == ("MERGED", False)


def test_a_failed_build_removes_a_pull_request_from_the_merge_queue(
    bitbucket_emulator: BitbucketEmulator, call: Call, number: int
) -> None:
    bitbucket_emulator.settings(merge_queue="200", merge_queue_fails=True)
    call(f"{PULLS}/{number}/merge", "POST")
    bitbucket_emulator.clock(advance=60)
    shown = call(f"{PULLS}/{number}").json()
    assert (shown["state"], shown["queued"]) == ("OPEN", False)


def test_a_draft_is_not_merged(bitbucket_emulator: BitbucketEmulator, call: Call, number: int) -> None:
    change(bitbucket_emulator, number, draft=True)
    assert call(f"{PULLS}/{number}/merge", "POST").status_code == 400


def test_a_late_error_reports_a_failure_of_what_has_happened(
    bitbucket_emulator: BitbucketEmulator, call: Call, number: int
) -> None:
    bitbucket_emulator.fault("late_error", status=555, path="merge")
    assert call(f"{PULLS}/{number}/merge", "POST").status_code == 555
    assert call(f"{PULLS}/{number}").json()["state"] == "MERGED"


@pytest.mark.parametrize("clears", [True, False])
def test_an_update_clears_reviewers_and_description_only_if_set(
    bitbucket_emulator: BitbucketEmulator, call: Call, number: int, clears: bool
) -> None:
    bitbucket_emulator.settings(put_clears_what_is_not_sent=clears)
    shown = call(f"{PULLS}/{number}", "PUT", json={"title": "Newer"}).json()
    assert (len(shown["reviewers"]), shown["description"]) == ((0, "") if clears else (1, "Why"))
