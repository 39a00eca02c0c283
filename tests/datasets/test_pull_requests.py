"""Pull requests as rows: what each column says, and what reading it costs."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from airflow_provider_bitbucket.client import NO_RETRIES, BitbucketServerError
from airflow_provider_bitbucket.datasets.pull_requests import SCHEMA, SPEC, read
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import AUTHOR, BOT, OWNER, REVIEWER, after, asked, change, client_of, frame_of, open_pull_request, row_of

EVIDENCE = SCHEMA.names[SCHEMA.names.index("commits") :]


def test_the_list_alone_has_state_people_reviews_and_close_time(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(
        bitbucket_emulator,
        (1, "comment", OWNER),
        (2, "approve", REVIEWER),
        (3, "request_changes", OWNER),
        (5, "merge", OWNER),
        (9, "comment", REVIEWER),
        reviewers=[REVIEWER],
        source_branch="feature/search",
    )
    bitbucket_emulator.reset_requests()
    row = row_of(bitbucket_emulator)
    assert asked(bitbucket_emulator) == {"": 1}
    assert {name: row[name] for name in ("repository", "id", "title", "state", "is_draft", "author", "author_is_bot")} == {
        "repository": "acme/api",
        "id": 1,
        "title": "Add search",
        "state": "MERGED",
        "is_draft": False,
        "author": "Alex Author",
        "author_is_bot": False,
    }
    assert (row["source_branch"], row["destination_branch"]) == ("feature/search", "main")
    assert (row["created_on"], row["closed_on"], row["updated_on"]) == (after(0), after(5), after(9))
    assert row["closed_on_source"] == "closed_on"
    assert (row["closed_by"], row["is_self_merged"]) == ("Dana Demo", False)
    assert (row["reviewers"], row["approvals"], row["changes_requested"], row["comment_count"]) == (1, 1, 1, 2)
    assert len(row["source_commit"]) == len(row["merge_commit"]) == 12
    assert row["url"] == f"{bitbucket_emulator.url}/acme/api/pull-requests/1"
    assert [row[name] for name in EVIDENCE] == [None] * len(EVIDENCE)


def test_the_timeline_has_first_review_approvals_drafts_and_rounds(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(
        bitbucket_emulator,
        (1, "comment", REVIEWER),  # about a draft: no review
        (2, "edit", AUTHOR, {"draft": False}),
        (3, "comment", AUTHOR),
        (3.5, "comment", BOT),
        (4, "request_changes", REVIEWER),
        (5, "edit", AUTHOR, {"draft": True}),
        (6, "push", AUTHOR),
        (7, "edit", AUTHOR, {"draft": False}),
        (8, "comment", OWNER),
        (9, "push", AUTHOR),
        (10, "approve", OWNER),
        (12, "comment", REVIEWER),
        (13, "merge", AUTHOR),
        (14, "comment", OWNER),
        draft=True,
    )
    row = row_of(bitbucket_emulator, with_activity=True)
    assert (row["ready_on"], row["draft_seconds"], row["draft_before_review_seconds"]) == (after(2), 4 * 3600, 2 * 3600)
    assert (row["first_review_on"], row["first_review_kind"], row["first_review_by"]) == (
        after(4),
        "changes_requested",
        "Robin Reviewer",
    )
    assert (row["first_approval_on"], row["last_approval_on"], row["review_rounds"]) == (after(10), after(10), 2)
    assert row["is_self_merged"]


def test_an_approval_without_a_comment_counts_as_first_review(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(bitbucket_emulator, (2, "approve", REVIEWER), (3, "comment", OWNER))
    row = row_of(bitbucket_emulator, with_activity=True)
    assert (row["first_review_on"], row["first_review_kind"]) == (after(2), "approval")


def test_machines_with_an_account_of_a_person_can_be_named(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(bitbucket_emulator, (1, "comment", REVIEWER), (2, "approve", REVIEWER), (3, "comment", OWNER))
    row = row_of(bitbucket_emulator, with_activity=True, bots=["Robin Reviewer"])
    assert (row["first_review_by"], row["approvals"], row["last_approval_on"]) == ("Dana Demo", 0, None)
    assert row_of(bitbucket_emulator, bots="alex.author")["author_is_bot"]
    assert not row_of(bitbucket_emulator, bots="not.alex.author.but.a.longer.name")["author_is_bot"]


def test_commits_and_diffstat_are_summed_when_asked_for(bitbucket_emulator: BitbucketEmulator):
    files = {"a.py": "1\n2\n3\n", "README.md": "# api\nmore\n"}
    open_pull_request(bitbucket_emulator, (2, "push", AUTHOR, {"files": {"b.py": "1\n"}}), files=files)
    bitbucket_emulator.reset_requests()
    row = row_of(bitbucket_emulator, with_commits=True, with_diffstat=True)
    assert (row["commits"], row["first_commit_on"]) == (2, after(0))
    assert (row["files_changed"], row["lines_added"], row["lines_removed"]) == (3, 5, 0)
    assert asked(bitbucket_emulator) == {"": 1, "/one/commits": 1, "/one/diffstat": 1}


@pytest.mark.parametrize(
    ("in_list", "with_activity", "ends", "source", "hours"),
    [
        (True, False, "merge", "closed_on", 5),
        (False, True, "merge", "activity", 5),
        (False, True, "decline", "activity", 5),
        (False, False, "merge", "merge_commit", 5),
        (False, False, "decline", "updated_on", 9),
    ],
)
def test_the_close_time_comes_from_the_best_evidence_there_is(
    bitbucket_emulator: BitbucketEmulator, in_list: bool, with_activity: bool, ends: str, source: str, hours: float
):
    bitbucket_emulator.settings(closed_on_in_list=in_list)
    open_pull_request(bitbucket_emulator, (5, ends, OWNER), (9, "comment", REVIEWER))
    row = row_of(bitbucket_emulator, with_activity=with_activity)
    assert (row["closed_on_source"], row["closed_on"]) == (source, after(hours))


def test_an_open_pull_request_has_no_close_time(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(bitbucket_emulator)
    row = row_of(bitbucket_emulator)
    assert (row["closed_on"], row["closed_on_source"], row["is_self_merged"]) == (None, None, None)


def test_deleted_people_and_forks_leave_nulls_and_do_not_stop_anything(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(bitbucket_emulator, (1, "approve", REVIEWER), (2, "merge", OWNER))
    change(bitbucket_emulator, 1, author=None, closed_by=None, source_deleted=True, source_branch=None)
    open_pull_request(bitbucket_emulator, title="Legacy")
    change(bitbucket_emulator, 2, state="SUPERSEDED")
    row = row_of(bitbucket_emulator, with_activity=True, with_commits=True, with_diffstat=True)
    assert [row[name] for name in ("author", "author_id", "closed_by", "source_branch", "is_self_merged")] == [None] * 5
    assert row["first_review_by"] == "Robin Reviewer"
    assert row_of(bitbucket_emulator, 2)["state"] == "SUPERSEDED"


def test_a_pull_request_without_common_history_has_no_size_and_the_others_have(bitbucket_emulator: BitbucketEmulator):
    for _ in range(2):
        open_pull_request(bitbucket_emulator)
    change(bitbucket_emulator, 1, unrelated_histories=True)
    assert row_of(bitbucket_emulator, 1, with_diffstat=True)["lines_added"] is None
    assert row_of(bitbucket_emulator, 2, with_diffstat=True)["lines_added"] == 1


def test_a_diff_too_large_for_bitbucket_is_unknown_but_an_outage_is_an_error(
    bitbucket_emulator: BitbucketEmulator, caplog: pytest.LogCaptureFixture
):
    open_pull_request(bitbucket_emulator)
    impatient = client_of(bitbucket_emulator, retries=NO_RETRIES)
    bitbucket_emulator.fault("server_error", path="diffstat", status=555)
    assert [one["diffstat"] for one in read(impatient, "api", with_diffstat=True)] == [None]
    assert "pull request 1 of acme/api has no diffstat" in caplog.text
    bitbucket_emulator.fault("server_error", path="diffstat", status=503)
    with pytest.raises(BitbucketServerError):
        list(read(impatient, "api", with_diffstat=True))


def test_entries_of_unknown_kinds_change_nothing(bitbucket_emulator: BitbucketEmulator):
    number = open_pull_request(bitbucket_emulator, (2, "approve", REVIEWER))
    for body in ({}, {"kind": "rebased", "payload": {"date": "2026-10-01T08:10:00+00:00"}}):
        bitbucket_emulator.control("POST", f"pullrequests/acme/api/{number}/activity", body)
    assert row_of(bitbucket_emulator, with_activity=True)["first_review_on"] == after(2)


def test_no_pull_requests_are_a_frame_with_every_column(bitbucket_emulator: BitbucketEmulator):
    frame = frame_of(bitbucket_emulator, with_activity=True, with_commits=True, with_diffstat=True)
    assert asked(bitbucket_emulator) == {"": 1}
    assert frame.dtypes.to_dict() == SCHEMA.empty().dtypes.to_dict()


def test_a_state_that_bitbucket_invents_tomorrow_is_kept():
    record = {"repository": "acme/api", "pull_request": {"id": 1, "state": "PARKED", "created_on": None}}
    frame = SPEC.to_frame([record, {"repository": "acme/api", "pull_request": {"id": 2}, "timeline": []}])
    assert list(frame["state"].astype("string").fillna("-")) == ["PARKED", "-"]


@pytest.fixture
def four(bitbucket_emulator: BitbucketEmulator) -> BitbucketEmulator:
    """Four pull requests, updated 0, 10, 20 and 30 hours after the first was opened."""
    for number, hours in enumerate((0, 10, 20, 30)):
        begin = number / 60
        open_pull_request(bitbucket_emulator, (hours - begin, "comment", REVIEWER), opened=after(begin))
    bitbucket_emulator.reset_requests()
    return bitbucket_emulator


@pytest.mark.parametrize(
    ("since", "until", "numbers"),
    [(None, None, [1, 2, 3, 4]), (10, None, [2, 3, 4]), (10, 30, [2, 3]), (None, 10, [1]), (31, None, []), (10, 10, [])],
)
def test_since_and_until_bound_the_last_update(
    four: BitbucketEmulator, since: float | None, until: float | None, numbers: list[int]
):
    bounds: dict[str, datetime | None] = {
        name: None if hours is None else after(hours) for name, hours in (("since", since), ("until", until))
    }
    assert list(frame_of(four, **bounds)["id"]) == numbers


def test_neighbouring_intervals_share_no_row_and_miss_none(four: BitbucketEmulator):
    edges = [None, after(9), after(20), after(30), None]
    parts = [list(frame_of(four, since=begin, until=end)["id"]) for begin, end in pairwise(edges)]
    assert parts == [[1], [2], [3], [4]]


def test_the_same_interval_gives_the_same_rows_again(four: BitbucketEmulator):
    options: dict[str, Any] = {"since": after(5), "until": after(25), "with_activity": True}
    first = frame_of(four, **options)
    assert first.equals(frame_of(four, **options))
