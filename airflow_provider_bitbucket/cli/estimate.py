"""``airflow bitbucket estimate``: the requests and the time of an extraction, without running it."""

from __future__ import annotations

from argparse import Namespace

from airflow.cli.simple_table import AirflowConsole

from airflow_provider_bitbucket.cli.commands import command
from airflow_provider_bitbucket.extraction.progress import minutes_for
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook


@command
def estimate(arguments: Namespace) -> None:
    """Print about how many requests each repository takes, and how long the request budget takes for all of them."""
    hook = BitbucketHook(arguments.conn_id, run_as=arguments.user)
    estimates = hook.datasets.estimate(
        arguments.dataset,
        repositories=arguments.repositories.split(",") if arguments.repositories else None,
        since=arguments.since,
        until=arguments.until,
        with_activity=arguments.with_activity,
        with_commits=arguments.with_commits,
        with_diffstat=arguments.with_diffstat,
    )
    rows = [{"repository": one.repository, "rows": _shown(one.rows), "requests": _shown(one.requests)} for one in estimates]
    AirflowConsole().print_as(rows, output="table")
    requests, budget = sum(one.requests or 0 for one in estimates), hook.get_conn().budget
    print(
        f"About {requests:,} requests; {budget.remaining:,} of {budget.limit:,} an hour are left: about "
        f"{minutes_for(requests, budget):,} min."
    )
    if unknown := [one.repository for one in estimates if one.requests is None]:
        print(f"Not included, because Bitbucket does not report the size of this list: {', '.join(unknown)}.")


def _shown(number: int | None) -> str:
    return "unknown" if number is None else f"{number:,}"
