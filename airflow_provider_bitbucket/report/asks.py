"""The metrics that the report requests. Computed together they read each dataset once."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_bitbucket.metrics.catalog import Question
from airflow_provider_bitbucket.report.period import Period

#: Metrics of the period, of the period before, by week and by repository.
GROUPED = ("throughput", "cycle_time", "pipeline_health", "dora")
#: Metrics of the period only: review load by person, the slowest merged and the stale pull requests.
PERSONS, TIMES, STALE = "review_load", "pull_request_times", "stale_pull_requests"


def asked(period: Period, bots: Sequence[str] = ()) -> dict[str, tuple[str, Question]]:
    """Return the metrics that the report needs: name in the report -> metric and its options.

    :param period: period of the report
    :param bots: names and ids of bots that use an ordinary user account
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
