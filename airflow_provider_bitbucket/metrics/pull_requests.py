"""How long the parts of a pull request's life take, and a summary of many.

A pull request's life is cut as teams are used to from LinearB, Swarmia and DORA tools:

=======  =================================================================  ============================
part     from -> to                                                         null when
=======  =================================================================  ============================
coding   first commit -> opened                                             commits were not read
pickup   ready for review -> first review                                   nobody reviewed
review   first review -> last approval before the close (else the merge)    nobody reviewed, or not merged
merge    last approval -> merged                                            not approved, or not merged
total    first commit (else opened) -> merged, without time as a draft      not merged
=======  =================================================================  ============================

Choices, where the field is divided: an approval or a request for changes counts as a review, not comments alone (as
DevLake does on Bitbucket); machines and the author do not review; ready is when it stopped being a draft, else its
opening; a declined pull request has no review, merge and total time; a part whose end lies before its beginning is null,
not negative and not 0 (a squash rewrites commit dates, an approval can come after the merge); nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("coding", "pickup", "review", "merge", "total")
QUANTILES = {"median": 0.5, "p75": 0.75, "p90": 0.9}


def pull_request_times(pull_requests: pd.DataFrame) -> pd.DataFrame:
    """Return one row for every pull request with the time of each part.

    Formulas (all in seconds, ``Float64``; see the module for the choices):

    - ``coding_seconds`` = ``created_on - first_commit_on`` (DevLake; LinearB)
    - ``pickup_seconds`` = ``first_review_on - ready_on`` (LinearB: ready; github/issue-metrics: by others, no bots)
    - ``review_seconds`` = ``min(last_approval_on, closed_on) - first_review_on`` (Swarmia: until the final approval)
    - ``merge_seconds`` = ``closed_on - last_approval_on`` of merged ones (Swarmia)
    - ``total_seconds`` = ``closed_on - min(first_commit_on, created_on) - draft_seconds`` of merged ones
    - ``size_lines`` = ``lines_added + lines_removed`` (``Int64``)

    :param pull_requests: a frame of dataset ``pull_requests``; what was not read (``with_activity`` ...) leaves its parts null
    :return: ``repository``, ``id``, ``title``, ``author``, ``state``, ``url``, ``created_on``, ``closed_on``, the parts,
        ``size_lines``, ``files_changed``, ``reviewers``, ``review_rounds``, ``is_self_merged`` and
        ``is_merged_unapproved`` (``boolean``)
    """
    frame = pull_requests
    merged = frame["state"].astype("string").eq("MERGED").fillna(False)
    closed = frame["closed_on"].where(merged)
    # Without the timeline it is not known when a draft became ready, so there is no pickup time either.
    review_end = frame["last_approval_on"].where(frame["last_approval_on"].notna(), closed)
    begin = frame["first_commit_on"].where(frame["first_commit_on"] < frame["created_on"], frame["created_on"])
    times = frame[["repository", "id", "title", "author", "state", "url", "created_on", "closed_on"]].copy()
    times["coding_seconds"] = _seconds(frame["first_commit_on"], frame["created_on"])
    times["pickup_seconds"] = _seconds(frame["ready_on"], frame["first_review_on"])
    times["review_seconds"] = _seconds(frame["first_review_on"], review_end.where(merged))
    times["merge_seconds"] = _seconds(frame["last_approval_on"], closed)
    total = _seconds(begin, closed) - frame["draft_seconds"].fillna(0)
    times["total_seconds"] = total.where(total >= 0)
    times["size_lines"] = frame["lines_added"] + frame["lines_removed"]
    for name in ("files_changed", "reviewers", "review_rounds"):
        times[name] = frame[name]
    times["is_self_merged"] = (frame["closed_by_id"] == frame["author_id"]).astype("boolean").where(merged)
    times["is_merged_unapproved"] = (frame["approvals"] == 0).astype("boolean").where(merged)
    return times


def summarize(times: pd.DataFrame, by: Sequence[str] = ("repository", "week")) -> pd.DataFrame:
    """Return count and quantiles of each part of the merged pull requests.

    The period is that of the merge: ``week`` is the Monday (UTC) of the ISO week in which it was merged, because only then
    all its parts are known. Medians beside the 75th and 90th percentile, because times have long tails and a mean is ruled
    by them; linear interpolation between neighbours. Nulls do not count.

    :param times: what :func:`pull_request_times` returns
    :param by: columns to group by: ``repository``, ``week``, ``author``, or none for one row over all
    :return: the columns of ``by``, ``merged`` (``Int64``), and for each part ``<part>_median_seconds``, ``_p75_``, ``_p90_``;
        ``size_median_lines``; ``self_merged`` and ``merged_unapproved`` (``Int64``)
    :raises ValueError: ``by`` names a column that is not there
    """
    import pandas as pd

    merged = times[times["state"].astype("string").eq("MERGED").fillna(False)].copy()
    merged["week"] = _monday(merged["closed_on"])
    if unknown := [name for name in by if name not in merged.columns]:
        raise ValueError(f"Can not group by {unknown}; expected some of repository, week, author")
    keys = list(by) or ["_all"]
    if not by:
        merged["_all"] = 0
    groups = merged.groupby(keys, observed=True, sort=True)
    summary = pd.DataFrame({"merged": groups.size().astype("Int64")})
    for part in PARTS:
        for name, share in QUANTILES.items():
            summary[f"{part}_{name}_seconds"] = (
                groups[f"{part}_seconds"].quantile(share, interpolation="linear").astype("Float64")
            )
    summary["size_median_lines"] = groups["size_lines"].quantile(0.5).astype("Float64")
    summary["self_merged"] = groups["is_self_merged"].sum().astype("Int64")
    summary["merged_unapproved"] = groups["is_merged_unapproved"].sum().astype("Int64")
    result = summary.reset_index()
    return result if by else result.drop(columns="_all")


def _seconds(begin: pd.Series, end: pd.Series) -> pd.Series:
    """Return seconds from one moment to another; null when one is missing or they are the wrong way round."""
    seconds = (end - begin).dt.total_seconds()
    return seconds.where(seconds >= 0).astype("Float64")


def _monday(moments: pd.Series) -> pd.Series:
    """Return the beginning of the ISO week of each moment."""
    import pandas as pd

    days = moments.dt.floor("D")
    monday: pd.Series = days - pd.to_timedelta(days.dt.weekday, unit="D")
    return monday
