"""Compute the cycle time of pull requests and its parts, their throughput, and summaries.

The cycle time is divided into parts without gaps, so that for a reviewed pull request they add up to the total; the time to
production follows after it:

========  ======================================  ==========================  ====================================
part      from                                    to                          null when
========  ======================================  ==========================  ====================================
coding    first commit                            opened                      commits were not read
pickup    opened, ready for review                first review                not reviewed
review    first review                            last approval, else merged  not reviewed, or not merged
merge     last approval                           merged                      not approved, or not merged
total     first commit, else opened               merged                      not merged
deploy    merged                                  in production               not merged, or no deployment found
========  ======================================  ==========================  ====================================

Definitions differ between tools; the decisions here are:

- A review is an approval, a request for changes or a comment. DevLake counts only comments on Bitbucket, so that an
  approval without a comment never ends the pickup.
- Activity of the author or a bot is not a review. In DevLake and LinearB the first comment of a bot ends the pickup.
- The time as a draft is subtracted from the parts in which it lies, and comments on a draft are not reviews. LinearB
  begins at ready; github/issue-metrics subtracts it.
- Activity after the merge is not a review.
- A part whose end is before its start is null, neither negative nor 0: a squash or rebase rewrites commit dates.
- Declined pull requests have no review, merge and total time. Nothing is rounded.
- A pull request is in production with the first successful production deployment that contains its merge commit,
  as in DevLake; not with the next deployment by date, which may be of a different branch.
- Data that was not read is null; without the timeline (``with_activity``) the total includes the time as a draft.

Sources: LinearB "How is cycle time calculated", Swarmia "Pull request cycle time", Apache DevLake's PR metrics, and
github/issue-metrics; docs/metrics.md has the links.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from airflow_provider_bitbucket.metrics.groups import events, grouped, spread, total

if TYPE_CHECKING:
    import pandas as pd

#: The parts, in order; each is a column ``<part>_seconds``.
PARTS = ("coding", "pickup", "review", "merge", "total")
#: Further parts, which need deployments.
DELIVERY = ("deploy", "to_production")
#: Percentiles of each measure.
QUANTILES = {"median": 0.5, "p75": 0.75, "p90": 0.9}

_KEPT = ("repository", "id", "title", "author", "author_is_bot", "state", "url", "created_on", "closed_on")
_MEASURES = dict.fromkeys((*PARTS, *DELIVERY), "seconds") | {"size": "lines"}
_SHORT_HASH = 12


def pull_request_times(pull_requests: pd.DataFrame, changes: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row for every pull request with the duration of each part.

    In seconds (``Float64``), where ``drafted(a, b)`` is the time as a draft between two timestamps:

    - ``coding_seconds`` = ``created_on - first_commit_on`` (LinearB, DevLake)
    - ``pickup_seconds`` = ``first_review_on - created_on - drafted(created_on, first_review_on)`` (LinearB;
      github/issue-metrics' time to first response)
    - ``review_seconds`` = ``last_approval_on - first_review_on - drafted(first_review_on, last_approval_on)``; up to
      ``closed_on`` without an approval (Swarmia: until the final approval; LinearB: until the merge)
    - ``merge_seconds`` = ``closed_on - last_approval_on - drafted(last_approval_on, closed_on)`` (Swarmia)
    - ``total_seconds`` = ``closed_on - first_commit_on - drafted(created_on, closed_on)``; from ``created_on`` if that is
      earlier or commits were not read (LinearB's cycle time up to the merge; without commits issue-metrics' time to merge)
    - ``deploy_seconds`` = ``deployed_on - closed_on`` (DevLake's deploy time)
    - ``to_production_seconds`` = ``total_seconds + deploy_seconds`` (DevLake's and LinearB's cycle time with the deployment)

    :param pull_requests: a frame of dataset ``pull_requests``
    :param changes: what :func:`~airflow_provider_bitbucket.metrics.changes.changes` returns; None: the last two are null
    :return: ``repository``, ``id``, ``title``, ``author``, ``author_is_bot``, ``state``, ``url``, ``created_on``,
        ``closed_on``, the parts, ``deploy_seconds``, ``to_production_seconds``, ``size_lines`` (lines added and removed),
        ``files_changed``, ``reviewers``, ``review_rounds``, ``is_self_merged`` and ``is_merged_unapproved`` (no person other
        than the author had approved before the merge); the last two null unless merged
    """
    frame = pull_requests
    is_merged = _is_merged(frame)
    merged_on = frame["closed_on"].where(is_merged)
    began = frame["first_commit_on"].where(frame["first_commit_on"] < frame["created_on"], frame["created_on"])
    review_end = frame["last_approval_on"].where(frame["last_approval_on"].notna(), merged_on).where(is_merged)
    draft = frame["draft_seconds"].fillna(0.0)
    draft_in_pickup = frame["draft_before_review_seconds"].fillna(0.0)
    draft_until_approval = frame["draft_before_approval_seconds"].fillna(draft)

    times = frame[list(_KEPT)].copy()
    times["coding_seconds"] = _seconds(frame["first_commit_on"], frame["created_on"])
    times["pickup_seconds"] = _seconds(frame["created_on"], frame["first_review_on"], draft_in_pickup)
    times["review_seconds"] = _seconds(frame["first_review_on"], review_end, draft_until_approval - draft_in_pickup)
    times["merge_seconds"] = _seconds(frame["last_approval_on"], merged_on, draft - draft_until_approval)
    times["total_seconds"] = _seconds(began, merged_on, draft)
    times["deploy_seconds"] = _seconds(merged_on, _deployed_on(frame, changes))
    times["to_production_seconds"] = times["total_seconds"] + times["deploy_seconds"]
    times["size_lines"] = frame["lines_added"] + frame["lines_removed"]
    for name in ("files_changed", "reviewers", "review_rounds", "is_self_merged"):
        times[name] = frame[name]
    times["is_merged_unapproved"] = (frame["approvals_before_close"] == 0).where(is_merged)
    return times


def summarize(times: pd.DataFrame, by: Sequence[str] = ("repository", "week")) -> pd.DataFrame:
    """Return the number of merged pull requests and the percentiles of each measure.

    The period is that of the merge, because only then all parts are known: ``week`` is the ISO week of ``closed_on`` in
    UTC, given by its Monday. There are the median and the 75th and 90th percentile but no mean, because these
    times have long tails that dominate a mean. Percentiles are interpolated linearly between neighbours;
    ``<measure>_count`` is the number of non-null values.

    :param times: what :func:`pull_request_times` returns; filter it before if needed, for example to exclude bots by
        ``times[~times["author_is_bot"]]``
    :param by: columns to group by, such as ``repository``, ``week``, ``month`` or ``author``; none: one row over all
    :return: the columns of ``by``; ``merged``; for each part, ``deploy`` and ``to_production`` ``<part>_count``,
        ``<part>_median_seconds``, ``<part>_p75_seconds``, ``<part>_p90_seconds``; likewise ``size_count``,
        ``size_median_lines``, ...; ``self_merged`` and ``merged_unapproved``, the number of such pull requests
    :raises ValueError: ``by`` names an unknown column
    """
    import pandas as pd

    groups = grouped(times[_is_merged(times)], by, period_of="closed_on")
    columns: dict[str, pd.Series] = {"merged": groups.size().astype("Int64")}
    for measure, unit in _MEASURES.items():
        columns |= spread(groups, measure, unit, QUANTILES)
    for name in ("self_merged", "merged_unapproved"):
        columns[name] = groups[f"is_{name}"].sum().astype("Int64")
    return pd.DataFrame(columns).reset_index(drop=not by)


def throughput(
    pull_requests: pd.DataFrame,
    by: Sequence[str] = ("repository", "week"),
    since: datetime | None = None,
    until: datetime | None = None,
) -> pd.DataFrame:
    """Return the number of pull requests that were opened, merged and declined in each period, and the size of the changes.

    Each event counts in its own period: a pull request opened on Sunday and merged on Monday counts as opened in
    one week and as merged in the next. Superseded counts as declined. Without a known close time only the opening counts.
    Periods without an event have no row. (Apache DevLake's PR count and PR merge rate; LinearB's PRs opened and merged.)

    :param pull_requests: a frame of dataset ``pull_requests``
    :param by: columns to group by, such as ``repository``, ``week``, ``month`` or ``author``; none: one row over all
    :param since: inclusive start; None: no limit
    :param until: exclusive end; None: no limit
    :return: the columns of ``by``; ``opened``, ``merged``, ``declined``; ``authors``, the number of people whose pull requests
        were merged, without deleted accounts; ``lines_added``, ``lines_removed`` and ``files_changed`` of the merged
        ones, null if no diffstat was read
    :raises ValueError: ``by`` names an unknown column
    """
    import pandas as pd

    frame, is_merged = pull_requests, _is_merged(pull_requests)
    is_declined = frame["state"].astype("string").isin(["DECLINED", "SUPERSEDED"]).astype(bool)
    kinds = {
        "opened": frame["created_on"],
        "merged": frame["closed_on"].where(is_merged),
        "declined": frame["closed_on"].where(is_declined),
    }
    happened = events(frame, kinds, since, until)
    of_merges = ("author_id", "lines_added", "lines_removed", "files_changed")
    merges = {f"merged_{name}": happened[name].where(happened["merged"] == 1) for name in of_merges}
    groups = grouped(happened.assign(**merges), by, period_of="happened_on")
    columns: dict[str, pd.Series] = {kind: groups[kind].sum().astype("Int64") for kind in kinds}
    columns["authors"] = groups["merged_author_id"].nunique().astype("Int64")
    columns |= {name: total(groups, f"merged_{name}").astype("Int64") for name in of_merges[1:]}
    return pd.DataFrame(columns).reset_index(drop=not by)


def _deployed_on(frame: pd.DataFrame, changes: pd.DataFrame | None) -> pd.Series:
    """Return when the merge commit of each pull request was deployed; Bitbucket returns 12 characters of its hash."""
    import pandas as pd

    if changes is None:
        return pd.Series(pd.NaT, index=frame.index, dtype=frame["closed_on"].dtype)
    known = changes.assign(merge_commit=changes["hash"].str[:_SHORT_HASH])[["repository", "merge_commit", "deployed_on"]]
    wanted = frame[["repository"]].assign(merge_commit=frame["merge_commit"].str[:_SHORT_HASH])
    known = known.dropna(subset="merge_commit").drop_duplicates(["repository", "merge_commit"])
    found: pd.Series = wanted.merge(known, on=["repository", "merge_commit"], how="left")["deployed_on"].set_axis(frame.index)
    return found


def _is_merged(frame: pd.DataFrame) -> pd.Series[bool]:
    return frame["state"].astype("string").eq("MERGED").fillna(False).astype(bool)


def _seconds(begin: pd.Series, end: pd.Series, draft: pd.Series | float = 0.0) -> pd.Series:
    """Return the seconds between timestamps minus the time as a draft; null if one is missing or the result is negative."""
    # Rounded to Bitbucket's microseconds, so that floating-point errors do not make a sum of 0 negative.
    seconds = ((end - begin).dt.total_seconds().astype("Float64") - draft).round(6)
    return seconds.where(seconds >= 0)
