"""How long the parts of a pull request's life take, how many come and go, and a summary of many.

A pull request's life is cut at five moments. The parts follow one another without a gap, so those of one that was reviewed add up
to the total; the way to production comes behind it:

========  ======================================  ==========================  ====================================
part      from                                    to                          null when
========  ======================================  ==========================  ====================================
coding    first commit                            opened                      commits were not read
pickup    opened, ready for review                first review                nobody reviewed it
review    first review                            last approval, else merged  nobody reviewed it, or not merged
merge     last approval                           merged                      nobody approved it, or not merged
total     first commit, else opened               merged                      not merged
deploy    merged                                  in production               not merged, or not seen to be deployed
========  ======================================  ==========================  ====================================

Where the field is divided, this is the choice:

- A review is an approval, a request for changes or a comment. DevLake counts comments alone on Bitbucket, so that an
  approval without words never ends the pickup.
- Neither the author nor a machine reviews. DevLake and LinearB let the first bot comment end the pickup.
- The time as a draft is taken out of the parts in which it lies, and what was said about a draft is no review. LinearB
  begins at ready; github/issue-metrics takes it out.
- What came after the merge is no review.
- A part whose end lies before its beginning is null, neither negative nor 0: a squash or rebase rewrites commit dates.
- Declined pull requests have no review, merge and total time. Nothing is rounded.
- In production is a pull request with the first successful production deployment whose commit leads back to its merge commit,
  as in DevLake; not with the next deployment in time, which may be of something else.
- What was not read is null; without the timeline (``with_activity``) the total contains the time as a draft.

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
#: ... and the way to production, which needs deployments.
DELIVERY = ("deploy", "to_production")
#: What :func:`summarize` tells of every measure beside its count.
QUANTILES = {"median": 0.5, "p75": 0.75, "p90": 0.9}

_KEPT = ("repository", "id", "title", "author", "author_is_bot", "state", "url", "created_on", "closed_on")
_MEASURES = dict.fromkeys((*PARTS, *DELIVERY), "seconds") | {"size": "lines"}
_SHORT_HASH = 12


def pull_request_times(pull_requests: pd.DataFrame, changes: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return one row for every pull request with the time of each part.

    In seconds (``Float64``), ``drafted(a, b)`` being the time as a draft between two moments:

    - ``coding_seconds`` = ``created_on - first_commit_on`` (LinearB, DevLake)
    - ``pickup_seconds`` = ``first_review_on - created_on - drafted(created_on, first_review_on)`` (LinearB;
      github/issue-metrics' time to first response)
    - ``review_seconds`` = ``last_approval_on - first_review_on - drafted(first_review_on, last_approval_on)``; up to
      ``closed_on`` when nobody approved (Swarmia: until the final approval; LinearB: until the merge)
    - ``merge_seconds`` = ``closed_on - last_approval_on - drafted(last_approval_on, closed_on)`` (Swarmia)
    - ``total_seconds`` = ``closed_on - first_commit_on - drafted(created_on, closed_on)``; from ``created_on`` when that is
      earlier or commits were not read (LinearB's cycle time up to the merge; without commits issue-metrics' time to merge)
    - ``deploy_seconds`` = ``deployed_on - closed_on`` (DevLake's deploy time)
    - ``to_production_seconds`` = ``total_seconds + deploy_seconds`` (DevLake's and LinearB's cycle time with the deployment)

    :param pull_requests: a frame of dataset ``pull_requests``
    :param changes: what :func:`~airflow_provider_bitbucket.metrics.changes.changes` returns; None: the last two are null
    :return: ``repository``, ``id``, ``title``, ``author``, ``author_is_bot``, ``state``, ``url``, ``created_on``,
        ``closed_on``, the parts, ``deploy_seconds``, ``to_production_seconds``, ``size_lines`` (lines added and removed),
        ``files_changed``, ``reviewers``, ``review_rounds``, ``is_self_merged`` and ``is_merged_unapproved`` (nobody but the
        author or a machine had approved by then); the last two null unless merged
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
    """Return how many pull requests were merged, and the spread of each measure among them.

    The period is that of the merge, because only then all parts are known: ``week`` is the ISO week of ``closed_on`` in
    UTC, given by its Monday. The median stands beside the 75th and 90th percentile and there is no mean, because these
    times have long tails and a mean would tell of the tail. Percentiles are interpolated linearly between neighbours.
    Nulls do not count, and ``<measure>_count`` says how many did.

    :param times: what :func:`pull_request_times` returns; leave rows out before, such as those of machines by
        ``times[~times["author_is_bot"]]``
    :param by: columns to group by, such as ``repository``, ``week``, ``month`` or ``author``; none: one row over all
    :return: the columns of ``by``; ``merged``; for each part, ``deploy`` and ``to_production`` ``<part>_count``,
        ``<part>_median_seconds``, ``<part>_p75_seconds``, ``<part>_p90_seconds``; likewise ``size_count``,
        ``size_median_lines``, ...; ``self_merged`` and ``merged_unapproved``, the number of such pull requests
    :raises ValueError: ``by`` names a column that is not there
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
    """Return how many pull requests were opened, merged and declined in each period, and how much they changed.

    Each event counts in the period in which it happened: one that is opened on Sunday and merged on Monday is opened in the
    one week and merged in the next. A superseded one was declined. A closed one of which nobody knows when is only opened.
    Periods without an event have no row. (Apache DevLake's PR count and PR merge rate; LinearB's PRs opened and merged.)

    :param pull_requests: a frame of dataset ``pull_requests``
    :param by: columns to group by, such as ``repository``, ``week``, ``month`` or ``author``; none: one row over all
    :param since: count nothing that happened before
    :param until: count nothing that happened then and later
    :return: the columns of ``by``; ``opened``, ``merged``, ``declined``; ``authors``, the people whose pull requests were
        merged, accounts that are gone not counted; ``lines_added``, ``lines_removed`` and ``files_changed`` of the merged
        ones, null where no diffstat was read
    :raises ValueError: ``by`` names a column that is not there
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
    """Return when the merge commit of each pull request, of which Bitbucket tells 12 characters, came into production."""
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
    """Return the seconds between moments without those as a draft; null when one is missing or the end comes first."""
    # Rounded to Bitbucket's microseconds, so that what adds up to 0 is not a hair less.
    seconds = ((end - begin).dt.total_seconds().astype("Float64") - draft).round(6)
    return seconds.where(seconds >= 0)
