"""Review load and response, each number computed by hand beside the code's answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_bitbucket.datasets.reviews import SCHEMA
from airflow_provider_bitbucket.metrics.reviews import review_load
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import OWNER, REVIEWER, frame_of, open_pull_request

HOUR = 3600.0
MONDAY = datetime(2026, 10, 5, 8, tzinfo=UTC)
COUNTS = ["requested", "unanswered", "reviewed", "approved", "comments"]


def at(hours: float | None) -> datetime | None:
    return None if hours is None else MONDAY + timedelta(hours=hours)


def review(
    who: str | None, asked: float | None, answered: float | None, approved: float | None = None, **more: Any
) -> dict[str, Any]:
    """A reviewer of a pull request, by the hours at which they were asked, answered and approved."""
    is_measured = asked is not None and answered is not None and answered >= asked
    return {
        "repository": "acme/api",
        "pull_request_id": 1,
        "reviewer_id": who and f"{{{who}}}",
        "reviewer": who,
        "requested_on": at(asked),
        "first_response_on": at(answered),
        "response_seconds": (answered - asked) * HOUR if is_measured else None,  # type: ignore[operator]  # both are numbers
        "approved_on": at(approved),
        "comments": 0,
        **more,
    }


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return SCHEMA.frame(rows)


def test_a_week_of_reviews_by_hand():
    """Robin was asked three times and answered two, after 1 and 3 h; Dana reviewed once without being asked."""
    rows = [
        review("Robin", 0, 1, 1, comments=2),
        review("Robin", 0, 3, comments=5),
        review("Robin", 10, None),
        review("Dana", None, 5, 6, comments=1),
    ]
    found = review_load(frame(*rows)).set_index("reviewer")
    assert found["week"].unique().tolist() == [pd.Timestamp("2026-10-05", tz="UTC")]
    assert found.loc["Robin", COUNTS].tolist() == [3, 1, 2, 1, 7]
    assert found.loc["Dana", COUNTS].tolist() == [0, 0, 1, 1, 1]
    assert found["share_of_reviews"].to_dict() == {"Robin": pytest.approx(2 / 3), "Dana": pytest.approx(1 / 3)}
    robin = found.loc["Robin"]
    assert (robin["response_count"], robin["response_median_seconds"]) == (2, 2 * HOUR)
    assert robin["response_p90_seconds"] == pytest.approx((1 + 0.9 * 2) * HOUR)
    assert (found.loc["Dana", "response_count"], found.isna().loc["Dana", "response_median_seconds"]) == (0, True)


def test_a_request_and_its_answer_count_each_in_their_week():
    """Asked on Monday, answered 168 h later: the request is of the first week, the review and its time of the next."""
    found = review_load(frame(review("Robin", 0, 168, comments=4)))
    assert found[COUNTS].to_numpy().tolist() == [[1, 0, 0, 0, 0], [0, 0, 1, 0, 4]]
    assert found["response_count"].tolist() == [0, 1]
    assert found["share_of_reviews"].fillna(-1).tolist() == [-1, 1]


def test_the_share_is_of_the_same_period_and_repository():
    rows = [review("Robin", None, 0), review("Dana", None, 1), review("Robin", None, 200)]
    rows.append(review("Robin", None, 2, repository="acme/web"))
    found = review_load(frame(*rows), by=["repository", "reviewer", "week"])
    assert found["share_of_reviews"].tolist() == [0.5, 0.5, 1, 1]
    assert review_load(frame(*rows), by=["reviewer"])["share_of_reviews"].tolist() == [0.25, 0.75]
    assert review_load(frame(*rows), by=())["share_of_reviews"].tolist() == [1]


def test_what_happened_outside_an_interval_does_not_count():
    found = review_load(frame(review("Robin", 0, 2), review("Robin", 1, 5)), by=(), since=at(1), until=at(5))
    assert found[["requested", "reviewed"]].to_numpy().tolist() == [[1, 1]]


def test_accounts_that_are_gone_are_one_person_without_a_name():
    found = review_load(frame(review(None, None, 1), review(None, None, 2)), by=["reviewer_id", "month"])
    assert found["reviewer_id"].isna().tolist() == [True]
    assert (found["reviewed"].tolist(), found["share_of_reviews"].tolist()) == ([2], [1])
    with pytest.raises(ValueError, match="Cannot summarize by team"):
        review_load(frame(), by=["team"])


def test_no_reviews_give_a_frame_with_the_same_columns_and_dtypes():
    for by in (("reviewer_id", "reviewer", "week"), ("repository", "month"), ("reviewer",), ()):
        some, none = review_load(frame(review("Robin", 0, 1)), by), review_load(SCHEMA.empty(), by)
        assert none.empty
        assert none.dtypes.to_dict() == some.dtypes.to_dict()


maybe = st.none() | st.integers(-100, 400)
rows = st.builds(review, st.sampled_from([None, "Robin", "Dana"]), maybe, maybe, maybe, comments=st.none() | st.integers(0, 9))


@settings(deadline=None, max_examples=30)
@given(st.lists(rows, max_size=8), st.sampled_from([("reviewer_id", "reviewer", "week"), ("reviewer",), ()]))
def test_whatever_the_rows_every_request_and_review_counts_once(listed: list[dict[str, Any]], by: tuple[str, ...]):
    found = review_load(frame(*listed), by)
    assert found["requested"].sum() == sum(row["requested_on"] is not None for row in listed)
    assert found["reviewed"].sum() == sum(row["first_response_on"] is not None for row in listed)
    assert (found["unanswered"] <= found["requested"]).all()
    assert found["share_of_reviews"].dropna().between(0, 1).all()


def test_from_bitbucket_to_the_load_without_a_step_by_hand(bitbucket_emulator: BitbucketEmulator):
    """Robin is asked at the opening, comments after 2 h and approves after 4; Dana approves unasked after 6."""
    open_pull_request(
        bitbucket_emulator, (2, "comment", REVIEWER), (4, "approve", REVIEWER), (6, "approve", OWNER), reviewers=[REVIEWER]
    )
    found = review_load(frame_of(bitbucket_emulator, "reviews")).set_index("reviewer")
    assert found.loc["Robin Reviewer", COUNTS].tolist() == [1, 0, 1, 1, 1]
    assert found.loc["Robin Reviewer", "response_median_seconds"] == 2 * HOUR
    assert found.loc["Dana Demo", COUNTS].tolist() == [0, 0, 1, 1, 0]
