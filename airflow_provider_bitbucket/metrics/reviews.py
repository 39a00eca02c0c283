"""Who is asked to review, who does, how soon, and how the work is spread.

Where the field is divided, this is the choice:

- A review is an approval, a request for changes or a comment, by another person than the author, after the pull request was
  ready and before it was closed: what dataset ``reviews`` says. A person reviews a pull request once, however often they come
  back: this counts pull requests, not clicks. DevLake counts comments alone on Bitbucket.
- The response is measured from the request to that person, not from the opening: who was added on the third day is not
  blamed for two of them (Swarmia: from the review request; github/issue-metrics: from the opening, whoever answers first).
  The time as a draft is taken out, nights and weekends are not.
- A review that nobody asked for counts as a review and has no response time.
- Median and 90th percentile as in github/issue-metrics, without its mean.

Sources: github/issue-metrics (time to first response), Swarmia (review time), Apache DevLake (PR review depth);
docs/metrics.md has the links.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_bitbucket.metrics.groups import events, grouped, rate, spread

if TYPE_CHECKING:
    import pandas as pd

#: What is told of the response time beside its count.
QUANTILES = {"median": 0.5, "p90": 0.9}
_PERSON = ("reviewer_id", "reviewer")


def review_load(
    reviews: pd.DataFrame,
    by: Sequence[str] = ("reviewer_id", "reviewer", "week"),
    since: datetime | None = None,
    until: datetime | None = None,
) -> pd.DataFrame:
    """Return how much each person was asked and did, and how soon they responded.

    - ``requested``: pull requests that the person was asked to review, in the period of the request
    - ``unanswered``: those of them that the person has not reviewed up to when the frame was read, closed ones included
    - ``reviewed``: pull requests that the person reviewed, in the period of their first review of each; so are the next
    - ``approved``: those of them that they approved
    - ``comments``: what they wrote on them, later comments included
    - ``share_of_reviews`` = ``reviewed / sum of reviewed`` of the same period (and of the same of all else in ``by``), between
      0 and 1: who carries how much. Null where nobody reviewed
    - ``response_median_seconds``, ``response_p90_seconds``: from the request to the first review, interpolated linearly;
      ``response_count`` says of how many

    :param reviews: a frame of dataset ``reviews``; machines are not in it
    :param by: columns to group by, such as ``repository``, ``reviewer``, ``week`` or ``month``; none: one row over all.
        Accounts that are gone are one person without a name
    :param since: count nothing that happened before
    :param until: count nothing that happened then and later
    :return: the columns of ``by`` and those above
    :raises ValueError: ``by`` names a column that is not there
    """
    import pandas as pd

    happened = events(reviews, {"requested": reviews["requested_on"], "reviewed": reviews["first_response_on"]}, since, until)
    is_review = happened["reviewed"] == 1
    happened = happened.assign(
        unanswered=happened["first_response_on"].isna().astype("Int64"),
        approved=(is_review & happened["approved_on"].notna()).astype("Int64"),
        comments=happened["comments"].where(is_review).astype("Int64"),
        response_seconds=happened["response_seconds"].where(is_review).astype("Float64"),
    )
    groups = grouped(happened, by, period_of="happened_on")
    counted = ("requested", "unanswered", "reviewed", "approved", "comments")
    columns: dict[str, pd.Series] = {name: groups[name].sum().astype("Int64") for name in counted}
    columns["share_of_reviews"] = rate(columns["reviewed"], _of_all(columns["reviewed"], by))
    columns |= spread(groups, "response", "seconds", QUANTILES)
    return pd.DataFrame(columns).reset_index(drop=not by)


def _of_all(reviewed: pd.Series, by: Sequence[str]) -> pd.Series:
    """Return for each group how much all people of the same period did."""
    levels = [place for place, name in enumerate(by) if name not in _PERSON]
    if not levels:
        return reviewed * 0 + reviewed.sum()
    found: pd.Series = reviewed.groupby(level=levels, dropna=False).transform("sum")
    return found
