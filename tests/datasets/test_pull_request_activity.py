"""The timeline as rows."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitbucket.datasets.pull_request_activity import SCHEMA
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import AUTHOR, OWNER, REVIEWER, after, asked, client_of, frame_of, open_pull_request


def entries(bitbucket: BitbucketEmulator, **options: Any) -> Any:
    return frame_of(bitbucket, "pull_request_activity", **options)


def test_every_entry_is_a_row_with_what_it_says(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(
        bitbucket_emulator,
        (1, "edit", AUTHOR, {"draft": False}),
        (2, "comment", REVIEWER, {"inline": {"path": "README.md", "to": 1}}),
        (3, "request_changes", OWNER),
        (4, "approve", REVIEWER),
        (5, "merge", OWNER),
        draft=True,
    )
    frame = entries(bitbucket_emulator).sort_values("date", ignore_index=True)
    assert list(frame["kind"]) == ["update", "update", "update", "comment", "changes_requested", "approval", "update"]
    assert list(frame["date"][2:]) == [after(hours) for hours in (1, 2, 3, 4, 5)]
    assert set(frame["repository"]) == {"acme/api"}
    ready, comment, merge = frame.iloc[2], frame.iloc[3], frame.iloc[6]
    assert (bool(ready["was_draft"]), bool(ready["is_draft"])) == (True, False)
    assert (comment["actor"], comment["actor_type"]) == ("Robin Reviewer", "user")
    assert [bool(comment[name]) for name in ("is_inline", "is_reply", "is_deleted", "is_pending")] == [True, False, False, False]
    assert (merge["state"], merge["old_status"], merge["new_status"], merge["actor"]) == (
        "MERGED",
        "open",
        "fulfilled",
        "Dana Demo",
    )
    assert len(merge["source_commit"]) == 12


def test_kinds_that_bitbucket_adds_are_rows_under_their_own_name(bitbucket_emulator: BitbucketEmulator):
    number = open_pull_request(bitbucket_emulator)
    path = f"pullrequests/acme/api/{number}/activity"
    bitbucket_emulator.control("POST", path, {"kind": "rebased", "payload": {"date": "2026-10-02T08:00:00+00:00"}})
    bitbucket_emulator.control("POST", path, {})
    kinds = entries(bitbucket_emulator)["kind"]
    assert sorted(kinds) == ["rebased", "update", "update"]  # the one without a date has no key
    assert list(entries(bitbucket_emulator, since=after(20))["kind"]) == ["rebased"]


def test_since_and_until_bound_the_date(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(bitbucket_emulator, *[(hours, "comment", REVIEWER) for hours in (1, 2, 3, 4)])
    found = entries(bitbucket_emulator, since=after(2), until=after(4))
    assert sorted(found["date"]) == [after(2), after(3)]


def test_reading_stops_after_a_page_that_is_older_than_asked_for(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(bitbucket_emulator, *[(hours, "comment", REVIEWER) for hours in range(1, 299)])
    bitbucket_emulator.reset_requests()
    assert len(entries(bitbucket_emulator, since=after(290))) == 9
    assert asked(bitbucket_emulator) == {"/activity": 2}
    bitbucket_emulator.reset_requests()
    assert len(entries(bitbucket_emulator)) == 300
    assert asked(bitbucket_emulator) == {"/activity": 6}


def test_no_entries_are_a_frame_with_every_column(bitbucket_emulator: BitbucketEmulator):
    assert entries(bitbucket_emulator).dtypes.to_dict() == SCHEMA.empty().dtypes.to_dict()


def test_entries_that_a_growing_feed_pushes_on_to_the_next_page_come_once(bitbucket_emulator: BitbucketEmulator):
    number = open_pull_request(bitbucket_emulator, *[(hours, "comment", REVIEWER) for hours in range(1, 120)])
    feed = client_of(bitbucket_emulator).pull_requests.activity("api")
    read = [next(feed)]
    for hours in (130, 131, 132):  # while the walk stands on its first page
        date = after(hours).isoformat()
        bitbucket_emulator.control(
            "POST", f"pullrequests/acme/api/{number}/activity", {"kind": "rebased", "payload": {"date": date}}
        )
    read += feed
    comments = [entry["comment"]["id"] for entry in read if "comment" in entry]
    assert len(comments) == len(set(comments)) == 119
    dates = [entry["update"]["date"] for entry in read if "update" in entry]
    assert len(dates) == len(set(dates)) == 2
