"""Times of pull requests, each computed by hand beside the code's answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_bitbucket.datasets.pull_requests import SCHEMA, SPEC
from airflow_provider_bitbucket.datasets.timeline import Entry
from airflow_provider_bitbucket.metrics.changes import CHANGES, changes
from airflow_provider_bitbucket.metrics.pull_requests import PARTS, pull_request_times, summarize, throughput
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import AUTHOR, OWNER, REVIEWER, deploy, frame_of, open_pull_request

HOUR = 3600.0
OPENED = datetime(2026, 10, 1, 8, tzinfo=UTC)  # a Thursday


def at(hours: float | None) -> datetime | None:
    return None if hours is None else OPENED + timedelta(hours=hours)


def pull_request(
    *,
    commit: float | None = None,
    review: float | None = None,
    approval: float | None = None,
    closed: float | None = 30,
    draft: float | None = 0,
    draft_before_review: float | None = 0,
    draft_before_approval: float | None = None,
    state: str | None = "MERGED",
    **more: Any,
) -> dict[str, Any]:
    """A row by the hours between its opening and what happened."""
    return {
        "repository": "acme/api",
        "id": 1,
        "state": state,
        "created_on": OPENED,
        "first_commit_on": at(commit),
        "first_review_on": at(review),
        "last_approval_on": at(approval),
        "closed_on": at(closed),
        "draft_seconds": None if draft is None else draft * HOUR,
        "draft_before_approval_seconds": None if draft_before_approval is None else draft_before_approval * HOUR,
        "draft_before_review_seconds": None if review is None or draft_before_review is None else draft_before_review * HOUR,
        **more,
    }


def hours(**fields: Any) -> dict[str, float | None]:
    """The parts of one pull request, in hours."""
    row = pull_request_times(SCHEMA.frame([pull_request(**fields)])).iloc[0]
    return {part: None if row.isna()[f"{part}_seconds"] else row[f"{part}_seconds"] / HOUR for part in PARTS}


def test_a_whole_life_by_hand():
    """Committed 3 h before it was opened, reviewed after 2 h, approved after 26 h, merged after 30 h."""
    assert hours(commit=-3, review=2, approval=26, closed=30) == {
        "coding": 3,
        "pickup": 2,
        "review": 24,
        "merge": 4,
        "total": 33,
    }


def test_time_as_a_draft_by_hand():
    """Opened as a draft, ready after 5 h, reviewed at 7 h, a draft again from 8 to 11 h, approved at 20 h, merged at 30 h."""
    assert hours(commit=-3, review=7, approval=20, closed=30, draft=8, draft_before_review=5) == {
        "coding": 3,
        "pickup": 2,  # 7 - 5
        "review": 10,  # 20 - 7 - 3
        "merge": 10,
        "total": 25,  # 33 - 8
    }


def test_time_as_a_draft_after_the_approval_by_hand():
    """Opened, a comment after 2 h, approved after 3 h, a draft again from 4 to 28 h, merged after 30 h: 2 + 1 + (27 - 24)."""
    parts = hours(review=2, approval=3, closed=30, draft=24, draft_before_approval=0)
    assert parts == {"coding": None, "pickup": 2, "review": 1, "merge": 3, "total": 6}


def test_an_immediate_approval_has_no_review_time():
    assert hours(review=2, approval=2, closed=3) == {"coding": None, "pickup": 2, "review": 0, "merge": 1, "total": 3}


def test_without_an_approval_the_review_lasts_until_the_merge():
    assert hours(review=2, closed=10) == {"coding": None, "pickup": 2, "review": 8, "merge": None, "total": 10}


def test_a_merge_without_review_has_a_total_only():
    assert hours(commit=-1, closed=10) == {"coding": 1, "pickup": None, "review": None, "merge": None, "total": 11}


def test_commits_that_are_younger_than_the_pull_request_give_no_coding_time():
    """A rebase or squash rewrites their dates; the total then begins at the opening."""
    assert hours(commit=4, closed=10) == {"coding": None, "pickup": None, "review": None, "merge": None, "total": 10}


def test_a_declined_pull_request_has_coding_and_pickup_only():
    assert hours(commit=-1, review=2, approval=3, closed=10, state="DECLINED") == {
        "coding": 1,
        "pickup": 2,
        "review": None,
        "merge": None,
        "total": None,
    }


def test_an_open_pull_request_has_coding_and_pickup_only():
    assert hours(commit=-1, review=2, approval=3, closed=None, state="OPEN")["pickup"] == 2
    assert hours(commit=-1, review=2, approval=3, closed=None, state="OPEN")["merge"] is None


def test_a_part_that_ends_before_it_begins_is_null():
    assert hours(review=-1, approval=12, closed=10) == {"coding": None, "pickup": None, "review": 13, "merge": None, "total": 10}


def test_without_the_timeline_the_total_has_the_time_as_a_draft_in_it():
    assert hours(closed=10, draft=None)["total"] == 10


def test_size_and_who_merged_by_hand():
    rows = [
        pull_request(
            lines_added=30, lines_removed=12, files_changed=3, reviewers=2, approvals_before_close=1, is_self_merged=False
        ),
        pull_request(lines_added=5, approvals=1, approvals_before_close=0, is_self_merged=True),  # approved after the merge
        pull_request(approvals_before_close=0, closed=None, state="OPEN"),
        pull_request(),
    ]
    times = pull_request_times(SCHEMA.frame(rows))
    assert times["size_lines"].fillna(-1).tolist() == [42, -1, -1, -1]
    assert times["reviewers"].fillna(-1).tolist() == [2, -1, -1, -1]
    assert times["is_self_merged"].astype("string").fillna("-").tolist() == ["False", "True", "-", "-"]
    assert times["is_merged_unapproved"].astype("string").fillna("-").tolist() == ["False", "True", "-", "-"]


def test_the_way_to_production_by_hand():
    """Committed 3 h before the opening, merged 30 h after it, in production 2 h later: 33 h and 2 h are 35 h."""
    rows = [pull_request(id=number, commit=-3, merge_commit=name * 12) for number, name in enumerate("abcd", 1)]
    rows[2] |= {"repository": "acme/web"}
    brought = [
        {"hash": name * 40, "repository": "acme/api", "deployed_on": at(on)} for name, on in (("a", 32), ("b", 29), ("c", 40))
    ]
    times = pull_request_times(SCHEMA.frame([*rows, pull_request()]), CHANGES.frame(brought))
    deployed, whole = (times[f"{name}_seconds"].div(HOUR).fillna(-1).tolist() for name in ("deploy", "to_production"))
    # b was in production before it was merged, c is of another repository, d was not deployed, and one has no merge commit
    assert deployed == [2, -1, -1, -1, -1]
    assert whole == [35, -1, -1, -1, -1]
    row = summarize(times, by=()).iloc[0]
    assert (row["deploy_count"], row["deploy_median_seconds"], row["to_production_p90_seconds"]) == (1, 2 * HOUR, 35 * HOUR)


def test_without_deployments_nothing_is_known_of_the_way_to_production():
    times = pull_request_times(SCHEMA.frame([pull_request()]))
    assert times[["deploy_seconds", "to_production_seconds"]].isna().all(axis=None)
    none = pull_request_times(SCHEMA.empty(), CHANGES.empty())
    assert none.dtypes.to_dict() == times.dtypes.to_dict()


def test_a_summary_by_hand():
    """Five pull requests merged in one week after 1, 2, 3, 4 and 10 h; two of them reviewed, after 0.5 and 1.5 h."""
    rows = [
        pull_request(closed=closed, review=review) for closed, review in ((1, None), (2, 0.5), (3, 1.5), (4, None), (10, None))
    ]
    rows += [pull_request(closed=5, state="DECLINED"), pull_request(closed=None, state="OPEN"), pull_request(state=None)]
    summary = summarize(pull_request_times(SCHEMA.frame(rows)))
    assert len(summary) == 1
    row = summary.iloc[0]
    assert (row["repository"], row["week"], row["merged"]) == ("acme/api", pd.Timestamp("2026-09-28", tz="UTC"), 5)
    assert row["total_count"] == 5
    assert row["total_median_seconds"] == 3 * HOUR
    assert row["total_p75_seconds"] == 4 * HOUR  # position 0.75 * 4 = 3
    assert row["total_p90_seconds"] == pytest.approx((4 + 0.6 * 6) * HOUR)  # position 0.9 * 4 = 3.6, between 4 and 10
    assert row["pickup_count"] == 2
    assert row["pickup_median_seconds"] == 1 * HOUR
    assert row["pickup_p75_seconds"] == 1.25 * HOUR
    assert (row["merge_count"], row.isna()["merge_median_seconds"]) == (0, True)


def test_sizes_and_merges_are_summed_up_by_hand():
    rows = [
        pull_request(lines_added=lines, lines_removed=0, approvals_before_close=approvals, is_self_merged=approvals == 0)
        for lines, approvals in ((10, 1), (20, 0), (60, 0))
    ]
    row = summarize(pull_request_times(SCHEMA.frame(rows))).iloc[0]
    assert (row["size_count"], row["size_median_lines"], row["size_p75_lines"]) == (3, 20, 40)
    assert (row["self_merged"], row["merged_unapproved"]) == (2, 2)


@pytest.mark.parametrize(
    ("merged", "monday"),
    [
        ("2026-10-04T23:59:59.999999+00:00", "2026-09-28"),  # Sunday
        ("2026-10-05T00:00:00+00:00", "2026-10-05"),  # Monday
        ("2026-10-05T01:00:00+02:00", "2026-09-28"),  # Monday there, Sunday in UTC
        ("2027-01-01T12:00:00+00:00", "2026-12-28"),  # ISO week 53 of 2026
    ],
)
def test_a_week_is_the_iso_week_of_the_merge_in_utc(merged: str, monday: str):
    row = {**pull_request(), "closed_on": merged}
    assert summarize(pull_request_times(SCHEMA.frame([row])))["week"].tolist() == [pd.Timestamp(monday, tz="UTC")]


def test_a_summary_can_be_by_other_columns_or_over_all():
    rows = [pull_request(closed=closed, author=author) for closed, author in ((1, "Alex"), (3, "Alex"), (10, None))]
    times = pull_request_times(SCHEMA.frame(rows))
    by_author = summarize(times, by=["author"])
    assert by_author["author"].fillna("(left)").tolist() == ["Alex", "(left)"]
    assert by_author["merged"].tolist() == [2, 1]
    over_all = summarize(times, by=())
    assert (len(over_all), over_all["merged"][0], over_all["total_median_seconds"][0]) == (1, 3, 3 * HOUR)
    assert list(over_all.columns) == list(by_author.columns[1:])
    with pytest.raises(ValueError, match="Cannot summarize by team"):
        summarize(times, by=["team"])


def test_machines_can_be_left_out():
    rows = [pull_request(author_is_bot=bot) for bot in (True, False, False)]
    times = pull_request_times(SCHEMA.frame(rows))
    assert summarize(times[~times["author_is_bot"]])["merged"].tolist() == [2]


def test_throughput_by_hand():
    """Opened on Thursday, merged or declined after 1, 5 and 100 hours (on Monday), one still open."""
    rows = [
        pull_request(closed=1, lines_added=10, lines_removed=2, files_changed=3, author_id="{1}"),
        pull_request(closed=5, lines_added=5, lines_removed=0, files_changed=1, author_id="{1}"),
        pull_request(closed=100, author_id=None),
        pull_request(closed=100, state="SUPERSEDED", lines_added=99),
        pull_request(closed=None, state="MERGED"),
        pull_request(closed=None, state="OPEN"),
        pull_request(state="PARKED"),
    ]
    found = throughput(SCHEMA.frame(rows))
    assert found["week"].tolist() == [pd.Timestamp("2026-09-28", tz="UTC"), pd.Timestamp("2026-10-05", tz="UTC")]
    assert found[["opened", "merged", "declined", "authors"]].to_numpy().tolist() == [[7, 2, 0, 1], [0, 1, 1, 0]]
    assert found[["lines_added", "lines_removed", "files_changed"]].fillna(-1).to_numpy().tolist() == [[15, 2, 4], [-1, -1, -1]]
    by_month = throughput(SCHEMA.frame(rows), by=["month"])
    assert by_month[["opened", "merged", "declined"]].to_numpy().tolist() == [[7, 3, 1]]


def test_throughput_counts_what_happened_in_an_interval_only():
    rows = [pull_request(closed=1), pull_request(closed=5), pull_request(closed=100)]
    found = throughput(SCHEMA.frame(rows), by=(), since=at(1), until=at(100))
    assert found[["opened", "merged"]].to_numpy().tolist() == [[0, 2]]


def test_no_pull_requests_give_frames_with_the_same_columns_and_dtypes():
    some, none = pull_request_times(SCHEMA.frame([pull_request(review=1)])), pull_request_times(SCHEMA.empty())
    assert none.dtypes.to_dict() == some.dtypes.to_dict()
    for by in (("repository", "week"), ("author",), ()):
        assert summarize(none, by).dtypes.to_dict() == summarize(some, by).dtypes.to_dict()
        assert summarize(none, by).empty
        listed = SCHEMA.frame([pull_request()])
        assert throughput(SCHEMA.empty(), by).dtypes.to_dict() == throughput(listed, by).dtypes.to_dict()
        assert throughput(SCHEMA.empty(), by).empty


maybe_hours = st.none() | st.integers(-50, 200)
rows = st.builds(
    pull_request,
    commit=maybe_hours,
    review=maybe_hours,
    approval=maybe_hours,
    closed=maybe_hours,
    draft=st.none() | st.integers(0, 60),
    draft_before_review=st.none() | st.integers(0, 60),
    draft_before_approval=st.none() | st.integers(0, 60),
    state=st.sampled_from([None, "OPEN", "MERGED", "DECLINED", "SUPERSEDED", "PARKED"]),
    author=st.sampled_from([None, "Alex"]),
    repository=st.sampled_from(["acme/api", "acme/web"]),
    approvals_before_close=st.none() | st.integers(0, 3),
)


@settings(deadline=None, max_examples=30)
@given(st.lists(rows, max_size=6), st.sampled_from([("repository", "week"), ("author",), ()]))
def test_whatever_the_rows_no_time_is_negative_and_every_merge_is_counted_once(listed: list[dict[str, Any]], by: tuple[str, ...]):
    times = pull_request_times(SCHEMA.frame(listed))
    assert len(times) == len(listed)
    assert all((times[f"{part}_seconds"].dropna() >= 0).all() for part in PARTS)
    merged = sum(row["state"] == "MERGED" for row in listed)
    summary, flow = summarize(times, by), throughput(SCHEMA.frame(listed), by)
    assert summary["merged"].sum() == merged
    assert flow["opened"].sum() == len(listed)
    assert flow["merged"].sum() + flow["declined"].sum() == sum(
        row["closed_on"] is not None and row["state"] in ("MERGED", "DECLINED", "SUPERSEDED") for row in listed
    )
    assert (summary["total_count"] <= summary["merged"]).all()
    assert (summary["total_median_seconds"] <= summary["total_p90_seconds"]).fillna(True).all()


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.integers(1, 99), st.sampled_from(["draft", "ready", "comment", "approval"])), max_size=8),
    st.booleans(),
    st.integers(0, 50) | st.none(),
)
def test_the_parts_of_a_reviewed_pull_request_add_up_to_the_total(
    story: list[tuple[int, str]], opened_as_draft: bool, coding: int | None
):
    """Whenever it was a draft, and whatever was said when."""
    entries, is_draft = [], opened_as_draft
    for hour, what in sorted(story):
        dated = {"date": str(at(hour)), "created_on": str(at(hour)), "user": {"uuid": "{2}"}}
        if what in ("draft", "ready"):
            changed = {"old": is_draft, "new": what == "draft"}
            is_draft = what == "draft"
            entries.append({"update": {**dated, "changes": {"draft": changed} if changed["old"] != is_draft else {}}})
        else:
            entries.append({what: dated})
    row = {"id": 1, "state": "MERGED", "created_on": str(OPENED), "closed_on": str(at(100)), "draft": is_draft}
    record = {"repository": "acme/api", "pull_request": {**row, "author": {"uuid": "{1}"}}, "timeline": map(Entry.of, entries)}
    written = None if coding is None else [{"date": str(at(-coding))}]
    times = pull_request_times(SPEC.to_frame([{**record, "commits": written}]))
    if times["pickup_seconds"].notna().all():
        parts = times[[f"{part}_seconds" for part in PARTS[:-1]]].sum(axis=1)
        assert parts.tolist() == pytest.approx(times["total_seconds"].tolist())


def test_who_approves_after_the_merge_did_not_approve_the_merge(bitbucket_emulator: BitbucketEmulator):
    """One approval an hour after the merge, and one before the merge with a comment after it: exact with the timeline, and null
    with the list alone where a reviewer's last activity may hide an earlier one."""
    open_pull_request(bitbucket_emulator, (30, "merge", OWNER), (31, "approve", REVIEWER))
    open_pull_request(bitbucket_emulator, (29, "approve", REVIEWER), (30, "merge", OWNER), (31, "comment", REVIEWER))
    open_pull_request(bitbucket_emulator, (29, "approve", REVIEWER), (30, "merge", OWNER), (31, "comment", OWNER))
    for known, unapproved in ((True, ["True", "False", "False"]), (False, ["-", "-", "False"])):
        frame = frame_of(bitbucket_emulator, with_activity=known).sort_values("id")
        assert frame["approvals"].tolist() == [1, 1, 1]
        found = pull_request_times(frame)["is_merged_unapproved"]
        assert found.astype("string").fillna("-").tolist() == unapproved


def test_from_bitbucket_to_the_times_without_a_step_by_hand(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(
        bitbucket_emulator,
        (1, "comment", REVIEWER),
        (2, "edit", AUTHOR, {"draft": False}),
        (5, "comment", OWNER),
        (6, "push", AUTHOR),
        (8, "approve", REVIEWER),
        (9, "approve", OWNER),
        (10, "merge", OWNER),
        draft=True,
    )
    row = pull_request_times(frame_of(bitbucket_emulator, with_activity=True, with_commits=True, with_diffstat=True)).iloc[0]
    assert [row[f"{part}_seconds"] / HOUR for part in PARTS] == [0, 3, 4, 1, 8]
    assert (row["review_rounds"], row["is_self_merged"], row["is_merged_unapproved"]) == (1, False, False)
    assert row["size_lines"] == 1


def test_from_bitbucket_to_production_without_a_step_by_hand(bitbucket_emulator: BitbucketEmulator):
    """Merged 10 h after the opening; the first deployment draws the line before, the next one is done after the merge."""
    deploy(bitbucket_emulator)
    now = bitbucket_emulator.state.clock.now()
    number = open_pull_request(bitbucket_emulator, (10, "merge", OWNER), opened=now)
    bitbucket_emulator.clock(advance=12 * HOUR)
    deploy(bitbucket_emulator)
    frame = frame_of(bitbucket_emulator)
    brought = changes(frame_of(bitbucket_emulator, "commits"), frame_of(bitbucket_emulator, "deployments"))
    assert set(brought["build_number"]) == {2}
    row = pull_request_times(frame[frame["id"] == number], brought).iloc[0]
    assert row["deploy_seconds"] == 2 * HOUR + 30  # 10 s to build, 10 s to test, 10 s to production


def test_the_example_in_the_docs_by_hand():
    """Monday: commit 9:00, opened as a draft 12:00, ready 14:00, comment 17:00; Tuesday: approval 10:00, merge 11:30."""
    parts = hours(commit=-3, review=5, approval=22, closed=23.5, draft=2, draft_before_review=2)
    assert parts == {"coding": 3, "pickup": 3, "review": 17, "merge": 1.5, "total": 24.5}
    row = pull_request(commit=-3, review=5, closed=23.5, draft=2, draft_before_review=2, merge_commit="a" * 12)
    brought = [{"repository": "acme/api", "hash": "a" * 40, "deployed_on": at(23.5 + 24)}]
    times = pull_request_times(SCHEMA.frame([row]), CHANGES.frame(brought)).iloc[0]
    assert (times["deploy_seconds"], times["to_production_seconds"]) == (24 * HOUR, 48.5 * HOUR)
