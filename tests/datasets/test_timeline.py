"""What the timeline of a pull request says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_bitbucket.datasets.people import NO_ACCOUNT, Account
from airflow_provider_bitbucket.datasets.timeline import (
    KINDS,
    Entry,
    closed_on,
    drafts,
    oldest_first,
    review_rounds,
    reviews,
)

OPENED = datetime(2026, 10, 1, 8, tzinfo=UTC)
AUTHOR = Account("{author}", "Alex Author", "user", "alex")
REVIEWER = Account("{reviewer}", "Robin Reviewer", "user", "robin", "712020:robin")
APP = Account("{app}", "Build Bot", "app_user", "build")


def at(hours: float) -> datetime:
    return OPENED + timedelta(hours=hours)


def entry(hours: float, kind: str, actor: Account = REVIEWER, **more: Any) -> Entry:
    return Entry(1, kind, at(hours), actor, **more)


def dated(*entries: Entry) -> list[tuple[datetime, Entry]]:
    return oldest_first(entries)


def test_an_update_is_read_with_what_it_changed():
    json = {
        "pull_request": {"type": "pullrequest", "id": 3, "title": "Add search", "links": {}},
        "update": {
            "state": "MERGED",
            "date": "2024-09-06T12:46:42.082003+00:00",
            "author": {"display_name": "Robin", "uuid": "{r}", "type": "user", "nickname": "robin"},
            "draft": False,
            "source": {"commit": {"hash": "57573467babb"}, "branch": {"name": "one-more"}, "repository": None},
            "changes": {"status": {"old": "open", "new": "fulfilled"}, "draft": {"old": True, "new": False}},
        },
    }
    assert Entry.of(json) == Entry(
        3,
        "update",
        datetime(2024, 9, 6, 12, 46, 42, 82003, UTC),
        Account("{r}", "Robin", "user", "robin"),
        state="MERGED",
        old_status="open",
        new_status="fulfilled",
        is_draft=False,
        was_draft=True,
        source_commit="57573467babb",
    )


def test_a_comment_is_dated_by_its_creation_and_an_approval_by_itself():
    comment = {"comment": {"id": 5, "created_on": "2024-09-06T13:29:00.798953+00:00", "updated_on": "2025-01-01T00:00:00+00:00"}}
    approval = {"approval": {"date": "2024-09-06T13:29:00+00:00", "user": {"uuid": "{r}"}, "pullrequest": {"id": 3}}}
    assert Entry.of(comment).date == datetime(2024, 9, 6, 13, 29, 0, 798953, UTC)
    assert Entry.of(approval).date == datetime(2024, 9, 6, 13, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("json", "kind"),
    [
        ({"pull_request": {"id": 1}}, "unknown"),  # seen in recordings: an entry with nothing in it
        ({"pull_request": {"id": 1}, "rebased": {"date": "2024-09-06T13:29:00Z", "user": {}}}, "rebased"),
        ({"pull_request": None, "approval": {"date": None, "user": None}}, "approval"),
        ({"update": {"source": None, "changes": None, "author": None}}, "update"),
        ({}, "unknown"),
    ],
)
def test_entries_of_unknown_shape_are_read_too(json: dict[str, Any], kind: str):
    assert Entry.of(json).kind == kind
    assert Entry.of(json).actor == NO_ACCOUNT


def test_a_pull_request_is_closed_by_the_change_of_status_not_by_a_later_edit():
    merged = entry(5, "update", state="MERGED", new_status="fulfilled")
    edited = entry(9, "update", state="MERGED")
    assert closed_on(dated(edited, merged)) == at(5)
    assert closed_on(dated(edited, entry(6, "update", state="MERGED"))) == at(6)
    assert closed_on(dated(entry(1, "update", state="OPEN"))) is None


def test_a_pull_request_that_never_was_a_draft_is_ready_from_its_opening():
    opened = entry(0, "update", AUTHOR, is_draft=False)
    assert drafts(dated(opened), OPENED, at(5), False).ready_on == OPENED
    assert drafts([], OPENED, None, False).ready_on == OPENED
    assert drafts(dated(opened), OPENED, at(5), False).seconds() == 0


def test_the_time_as_a_draft_is_counted_each_time_it_was_one():
    flags = [(0, True), (0.001, True), (2, False), (3, False), (5, True), (6, False)]
    found = drafts(dated(*[entry(hours, "update", AUTHOR, is_draft=flag) for hours, flag in flags]), OPENED, at(9), False)
    assert found.ready_on == at(2)
    assert found.seconds() == 3 * 3600
    assert found.seconds(before=at(5.5)) == 2.5 * 3600
    assert found.seconds(before=at(1)) == 3600


def test_a_change_of_the_draft_flag_says_what_it_was_before():
    ready = entry(2, "update", AUTHOR, was_draft=True, is_draft=False)
    assert drafts(dated(ready), OPENED, None, False).periods == ((OPENED, at(2)),)


def test_a_draft_that_was_declined_never_was_ready():
    declined = drafts(dated(entry(0, "update", AUTHOR, is_draft=True)), OPENED, at(4), True)
    assert (declined.ready_on, declined.seconds()) == (None, 4 * 3600)
    still_open = drafts([], OPENED, None, True)
    assert (still_open.ready_on, still_open.seconds()) == (None, 0)


def who(
    *entries: Entry, author: Account = AUTHOR, bots: tuple[str, ...] = (), ready: float | None = 0, closed: float | None = 10
) -> list[str]:
    found = reviews(dated(*entries), author, bots, None if ready is None else at(ready), None if closed is None else at(closed))
    return [f"{one.kind} {(date - OPENED).total_seconds() / 3600:g}" for date, one in found]


def test_an_approval_without_a_comment_counts_as_a_review():
    assert who(entry(2, "comment"), entry(1, "approval"), entry(3, "changes_requested")) == [
        "approval 1",
        "comment 2",
        "changes_requested 3",
    ]


def test_neither_the_author_nor_a_machine_reviews():
    assert who(entry(1, "comment", AUTHOR), entry(2, "approval", APP), entry(3, "update")) == []
    for name in ("{reviewer}", "Robin Reviewer", "robin", "712020:robin"):
        assert who(entry(1, "approval"), bots=(name,)) == []
    assert who(entry(1, "approval"), bots=("another name",)) == ["approval 1"]


def test_what_was_deleted_or_not_sent_is_no_review():
    assert who(entry(1, "comment", is_deleted=True), entry(2, "comment", is_pending=True)) == []


def test_what_was_said_about_a_draft_or_after_the_end_is_no_review():
    assert who(entry(1, "comment"), entry(3, "comment"), entry(11, "approval"), ready=2) == ["comment 3"]
    assert who(entry(1, "comment"), ready=None) == []
    assert who(entry(11, "approval"), closed=None) == ["approval 11"]


def test_a_deleted_account_is_another_person_unless_the_author_is_deleted_too():
    assert who(entry(1, "approval", NO_ACCOUNT)) == ["approval 1"]
    assert who(entry(1, "approval", NO_ACCOUNT), author=NO_ACCOUNT) == []
    assert who(entry(1, "approval"), author=NO_ACCOUNT) == ["approval 1"]


def rounds(*entries: Entry) -> int:
    return review_rounds(dated(*entries), reviews(dated(*entries), AUTHOR, (), OPENED, None))


def push(hours: float, head: str) -> Entry:
    return entry(hours, "update", AUTHOR, source_commit=head)


def test_a_round_is_a_push_after_remarks():
    opened = push(0, "a")
    assert rounds(opened, push(1, "b")) == 0  # no review before
    assert rounds(opened, entry(1, "comment"), entry(2, "changes_requested")) == 0  # no push after
    assert rounds(opened, entry(1, "comment"), entry(2, "changes_requested"), push(3, "b")) == 1
    assert rounds(opened, entry(1, "comment"), push(2, "b"), push(3, "c"), entry(4, "changes_requested"), push(5, "d")) == 2
    assert rounds(opened, entry(1, "comment"), push(2, "a")) == 0  # an edit of the title repeats the head
    assert rounds(opened, entry(1, "approval"), push(2, "b")) == 0


accounts = st.sampled_from([AUTHOR, REVIEWER, APP, NO_ACCOUNT])
entries = st.builds(
    Entry,
    pull_request_id=st.just(1),
    kind=st.sampled_from([*KINDS, "unknown"]),
    date=st.none() | st.integers(-5, 50).map(at),
    actor=accounts,
    state=st.sampled_from([None, "OPEN", "MERGED"]),
    new_status=st.sampled_from([None, "fulfilled", "rejected", "open"]),
    is_draft=st.sampled_from([None, True, False]),
    was_draft=st.sampled_from([None, True, False]),
    source_commit=st.sampled_from([None, "a", "b"]),
    is_deleted=st.sampled_from([None, True, False]),
)


@settings(deadline=None)
@given(st.lists(entries, max_size=8), accounts, st.none() | st.integers(0, 40).map(at), st.booleans())
def test_any_timeline_gives_times_in_order(listed: list[Entry], author: Account, closed: datetime | None, draft_now: bool):
    timeline = dated(*listed)
    found = drafts(timeline, OPENED, closed, draft_now)
    reviewed = reviews(timeline, author, (), found.ready_on, closed)
    assert found.ready_on is None or found.ready_on >= OPENED
    assert all(begin <= end or end == closed for begin, end in found.periods)
    assert 0 <= found.seconds(before=at(10)) <= found.seconds()
    assert [date for date, _ in reviewed] == sorted(date for date, _ in reviewed)
    assert all(date >= OPENED and (closed is None or date <= closed) for date, _ in reviewed)
    assert 0 <= review_rounds(timeline, reviewed) <= len(listed)
