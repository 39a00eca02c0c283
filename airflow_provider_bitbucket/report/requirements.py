"""The metrics that the report requests. Computed together they read each dataset once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_bitbucket.metrics.catalog import Question
from airflow_provider_bitbucket.report.period import Period

if TYPE_CHECKING:
    import pandas as pd

#: Metrics of the period, of the period before, by week and by repository.
GROUPED = ("throughput", "cycle_time", "pipeline_health", "dora")
#: Metrics of the period only: review load by person, the slowest merged and the stale pull requests.
PERSONS, TIMES, STALE = "review_load", "pull_request_times", "stale_pull_requests"


def required_metrics(
    period: Period, bots: Sequence[str] = (), incidents: pd.DataFrame | None = None
) -> dict[str, tuple[str, Question]]:
    """Return the metrics that the report needs: name in the report -> metric and its options.

    :param period: period of the report
    :param bots: names and ids of bots that use an ordinary user account
    :param incidents: incidents that define failures; None: failures are proxies
    """
    whole, before = (period.since, period.until), (period.before.since, period.since)
    both = (period.before.since, period.until)
    wanted: dict[str, tuple[str, Question]] = {}
    for metric in GROUPED:
        known = incidents if metric == "dora" else None
        for name, by, interval in (
            (metric, (), whole),
            (f"{metric}_before", (), before),
            (f"{metric}_by_week", ("week",), both),
            (f"{metric}_by_repository", ("repository",), whole),
            (f"{metric}_by_repository_before", ("repository",), before),
        ):
            wanted[name] = metric, Question(by, *interval, tuple(bots), known)
    wanted[PERSONS] = PERSONS, Question(("reviewer_id", "reviewer"), *whole, tuple(bots))
    for metric in (TIMES, STALE):
        wanted[metric] = metric, Question((), *whole, tuple(bots))
    return wanted
