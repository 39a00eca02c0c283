"""Which metrics the report draws from. All of them together read each dataset once."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_bitbucket.metrics.catalog import Question
from airflow_provider_bitbucket.report.period import Period

#: What is told of the period, of the one before, by week and by repository.
GROUPED = ("throughput", "cycle_time", "pipeline_health", "dora")
#: ... and who reviewed, which ones took longest, and which ones lie around.
PERSONS, TIMES, STALE = "review_load", "pull_request_times", "stale_pull_requests"


def asked(period: Period, bots: Sequence[str] = ()) -> dict[str, tuple[str, Question]]:
    """Return what the report needs to know: a name for each -> the metric, and what is asked of it.

    :param period: what the report is about
    :param bots: names and ids of machines that have an account of a person
    """
    machines, since, until = tuple(bots), period.since, period.until
    wanted: dict[str, tuple[str, Question]] = {}
    for metric in GROUPED:
        wanted[metric] = metric, Question((), since, until, machines)
        wanted[f"{metric}_before"] = metric, Question((), period.before.since, since, machines)
        wanted[f"{metric}_by_week"] = metric, Question(("week",), period.before.since, until, machines)
        wanted[f"{metric}_by_repository"] = metric, Question(("repository",), since, until, machines)
    wanted[PERSONS] = PERSONS, Question(("reviewer_id", "reviewer"), since, until, machines)
    for metric in (TIMES, STALE):
        wanted[metric] = metric, Question((), since, until, machines)
    return wanted
