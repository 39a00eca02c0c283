"""Compute the review load and the response time of each reviewer.

Definitions differ between tools; the decisions here are:

- A review is an approval, a request for changes or a comment, by a person other than the author, after the pull request was
  ready and before it was closed, as in dataset ``reviews``. Each person reviews a pull request once, regardless of the number
  of actions. DevLake counts only comments on Bitbucket.
- The response time starts with the request to that person, not with the opening: the days before a reviewer was added do not
  count (Swarmia: from the review request; github/issue-metrics: from the opening to the first response of any person).
  The time as a draft is subtracted, nights and weekends are not.
- An unrequested review counts as a review and has no response time.
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

#: Percentiles of the response time.
QUANTILES = {"median": 0.5, "p90": 0.9}
_PERSON = ("reviewer_id", "reviewer")


def review_load(
    reviews: pd.DataFrame,
    by: Sequence[str] = ("reviewer_id", "reviewer", "week"),
    since: datetime | None = None,
    until: datetime | None = None,
) -> pd.DataFrame:
    """Return the review requests, reviews and response times of each person.

    - ``requested``: pull requests that the person was asked to review, in the period of the request
    - ``unanswered``: those of them that the person had not reviewed when the frame was read, including closed ones
    - ``reviewed``: pull requests that the person reviewed, in the period of their first review of each; the following columns
      use the same period
    - ``approved``: those of them that the person approved
    - ``comments``: number of the person's comments on them, including later comments
    - ``share_of_reviews`` = ``reviewed / sum of reviewed`` over all people of the same period (and the same other columns of
      ``by``), between 0 and 1; null without reviews
    - ``response_median_seconds``, ``response_p90_seconds``: from the request to the first review, interpolated linearly;
      ``response_count`` is the number of response times

    :param reviews: a frame of dataset ``reviews``, which does not contain bots
    :param by: columns to group by, such as ``repository``, ``reviewer``, ``week`` or ``month``; none: one row over all.
        Deleted accounts are one person without a name
    :param since: inclusive start; None: no limit
    :param until: exclusive end; None: no limit
    :return: the columns of ``by`` and those above
    :raises ValueError: ``by`` names an unknown column
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
    """Return for each group the reviews of all people in the same period."""
    levels = [place for place, name in enumerate(by) if name not in _PERSON]
    if not levels:
        return reviewed * 0 + reviewed.sum()
    found: pd.Series = reviewed.groupby(level=levels, dropna=False).transform("sum")
    return found
