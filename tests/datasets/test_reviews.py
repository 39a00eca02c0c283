"""Reviewers and comments as rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pandas as pd

from airflow_provider_bitbucket.datasets import comments, reviews
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import AUTHOR, BOT, OWNER, REVIEWER, after, asked, client_of, frame_of, open_pull_request

HOUR = 3600.0


def read(bitbucket: BitbucketEmulator, **options: Any) -> dict[str, dict[str, Any]]:
    """The rows by the reviewer's name, their nulls as None."""
    frame = frame_of(bitbucket, "reviews", **options)
    rows = [{str(name): None if pd.isna(value) else value for name, value in row.items()} for _, row in frame.iterrows()]
    found = {row["reviewer"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def delete_comments(bitbucket: BitbucketEmulator, before: datetime) -> None:
    client = client_of(bitbucket)
    for comment in [*client.pull_request_comments.list("api", 1)]:
        if datetime.fromisoformat(comment["created_on"]) < before:
            client.request("DELETE", f"{client.repository_path('api')}/pullrequests/1/comments/{comment['id']}")


def test_each_reviewer_is_a_row_with_when_they_were_asked_and_what_they_said(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(
        bitbucket_emulator,
        (2, "comment", REVIEWER),
        (3, "comment", REVIEWER),
        (5, "approve", REVIEWER),
        (6, "request_changes", OWNER),
        reviewers=[REVIEWER],
    )
    rows = read(bitbucket_emulator)
    robin, dana = rows["Robin Reviewer"], rows["Dana Demo"]
    assert (robin["is_requested"], robin["requested_on"]) == (True, after(0))
    assert (robin["first_response_on"], robin["first_response_kind"]) == (after(2), "comment")
    assert (robin["response_seconds"], robin["approved_on"], robin["comments"]) == (2 * HOUR, after(5), 2)
    assert robin["changes_requested_on"] is None
    assert (dana["is_requested"], dana["requested_on"], dana["response_seconds"]) == (False, None, None)
    assert (dana["first_response_on"], dana["changes_requested_on"], dana["comments"]) == (after(6), after(6), 0)


def test_who_was_asked_and_said_nothing_is_a_row(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(bitbucket_emulator, reviewers=[REVIEWER])
    row = read(bitbucket_emulator)["Robin Reviewer"]
    assert row["is_requested"]
    assert {row[name] for name in ("first_response_on", "first_response_kind", "response_seconds", "approved_on")} == {None}


def test_who_is_asked_later_has_from_then_on(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(
        bitbucket_emulator, (4, "edit", AUTHOR, {"reviewers": [REVIEWER]}), (5, "approve", REVIEWER), (6, "comment", OWNER)
    )
    row = read(bitbucket_emulator)["Robin Reviewer"]
    assert (row["requested_on"], row["response_seconds"]) == (after(4), HOUR)


def test_who_reviewed_before_being_asked_has_no_response_time(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(bitbucket_emulator, (1, "comment", REVIEWER), (4, "edit", AUTHOR, {"reviewers": [REVIEWER]}))
    row = read(bitbucket_emulator)["Robin Reviewer"]
    assert (row["requested_on"], row["first_response_on"], row["response_seconds"]) == (after(4), after(1), None)


def test_the_time_as_a_draft_is_no_waiting_for_the_reviewer(bitbucket_emulator: BitbucketEmulator):
    """Asked at 0 h as a draft, ready at 3 h, answered at 5 h; what was said about the draft is no review."""
    open_pull_request(
        bitbucket_emulator,
        (1, "comment", REVIEWER),
        (3, "edit", AUTHOR, {"draft": False}),
        (5, "approve", REVIEWER),
        draft=True,
        reviewers=[REVIEWER],
    )
    row = read(bitbucket_emulator)["Robin Reviewer"]
    assert (row["first_response_on"], row["response_seconds"], row["comments"]) == (after(5), 2 * HOUR, 0)


def test_neither_the_author_nor_machines_are_reviewers(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(
        bitbucket_emulator, (1, "comment", AUTHOR), (2, "comment", BOT), (3, "approve", REVIEWER), (4, "comment", OWNER)
    )
    assert set(read(bitbucket_emulator)) == {"Robin Reviewer", "Dana Demo"}
    assert set(read(bitbucket_emulator, bots=["Dana Demo"])) == {"Robin Reviewer"}


def test_deleted_comments_and_those_after_the_merge_are_no_reviews(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(
        bitbucket_emulator, (1, "comment", OWNER), (3, "approve", REVIEWER), (4, "merge", AUTHOR), (5, "comment", OWNER)
    )
    delete_comments(bitbucket_emulator, before=after(2))
    assert set(read(bitbucket_emulator)) == {"Robin Reviewer"}


def test_reviews_cost_the_list_and_the_timelines(bitbucket_emulator: BitbucketEmulator):
    for _ in range(5):
        open_pull_request(bitbucket_emulator, (1, "comment", REVIEWER), (2, "approve", OWNER), reviewers=[REVIEWER])
    bitbucket_emulator.reset_requests()
    frame = frame_of(bitbucket_emulator, "reviews")
    assert len(frame) == 10
    assert not frame.duplicated(list(reviews.SCHEMA.key)).any()
    assert asked(bitbucket_emulator) == {"": 1, "/activity": 1}
    assert sum(bitbucket_emulator.requests().values()) == 2


def test_comments_are_rows_with_what_they_say_and_where(bitbucket_emulator: BitbucketEmulator):
    number = open_pull_request(
        bitbucket_emulator,
        (1, "comment", REVIEWER, {"text": "Why *this*?", "inline": {"path": "README.md", "to": 1}}),
        (2, "comment", OWNER, {"text": "Old line", "inline": {"path": "README.md", "from": 3}}),
        (3, "approve", REVIEWER),
    )
    bitbucket_emulator.reset_requests()
    frame = frame_of(bitbucket_emulator, "comments").sort_values("created_on", ignore_index=True)
    assert asked(bitbucket_emulator) == {"/activity": 1}
    assert len(frame) == 2
    row = frame.iloc[0]
    assert (row["repository"], row["pull_request_id"], row["author"]) == ("acme/api", number, "Robin Reviewer")
    assert (row["created_on"], row["text"], row["path"], row["line"]) == (after(1), "Why *this*?", "README.md", 1)
    assert row["url"].endswith(f"#comment-{row['id']}")
    assert not row[["is_deleted", "is_pending", "is_resolved"]].any()
    assert frame["line"][1] == 3


def test_deleted_comments_stay_and_are_flagged(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(bitbucket_emulator, (1, "comment", REVIEWER))
    delete_comments(bitbucket_emulator, before=after(2))
    row = frame_of(bitbucket_emulator, "comments").iloc[0]
    assert (row["is_deleted"], row.isna()["text"]) == (True, True)


def test_pending_resolved_and_answering_comments_of_accounts_that_are_gone():
    comment = {"id": 2, "user": None, "pending": True, "resolution": {"type": "comment_resolution"}, "parent": {"id": 1}}
    frame = comments.SPEC.to_frame([{"repository": "acme/api", "pull_request_id": 1, "comment": one} for one in (comment, {})])
    row = frame.iloc[0]
    assert (row["is_pending"], row["is_resolved"], row["parent_id"]) == (True, True, 1)
    assert frame[["author_id", "author", "text", "path", "line", "created_on"]].isna().all(axis=None)


def test_since_and_until_bound_comments_and_reading_stops(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(bitbucket_emulator, *[(hours, "comment", REVIEWER) for hours in range(1, 199)])
    bitbucket_emulator.reset_requests()
    found = frame_of(bitbucket_emulator, "comments", since=after(190), until=after(195))
    assert sorted(found["created_on"]) == [after(hours) for hours in range(190, 195)]
    assert asked(bitbucket_emulator) == {"/activity": 2}


def test_nothing_is_a_frame_with_every_column(bitbucket_emulator: BitbucketEmulator):
    for module in (reviews, comments):
        found = frame_of(bitbucket_emulator, module.SCHEMA.dataset)
        assert found.dtypes.to_dict() == module.SCHEMA.empty().dtypes.to_dict()
