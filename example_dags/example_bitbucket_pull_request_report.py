"""Every Monday: the pull requests of the last weeks as Parquet, their cycle times, and a summary by repository and week.

Costs one request for every 50 pull requests and one for every 50 entries of their timelines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Param, dag, task

from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator

if TYPE_CHECKING:
    import pandas as pd

SINCE = "{{ (dag_run.run_after - macros.timedelta(weeks=params.weeks)).isoformat() }}"


@dag(
    schedule="0 6 * * 1",
    catchup=False,
    tags=["bitbucket", "example"],
    params={
        "bitbucket_conn_id": Param(
            "bitbucket_default", type="string", title="Connection", description="Id of a connection of type Bitbucket Cloud."
        ),
        "weeks": Param(13, type="integer", title="Weeks", description="Number of weeks before the run to report.", minimum=1),
        "output": Param(
            "file:///tmp/bitbucket-report",
            type="string",
            title="Output folder",
            description="Any path of ObjectStoragePath, such as s3://bucket/report.",
        ),
    },
    default_args={"bitbucket_conn_id": "{{ params.bitbucket_conn_id }}"},
    doc_md=__doc__,
)
def example_bitbucket_pull_request_report() -> None:
    pull_requests = BitbucketExtractOperator(task_id="pull_requests", dataset="pull_requests", since=SINCE, with_activity=True)

    BitbucketExtractOperator(
        task_id="timeline",
        dataset="pull_request_activity",
        since=SINCE,
        output_path="{{ params.output }}/pull_request_activity.parquet",
    )

    @task
    def summary(frame: pd.DataFrame, params: dict | None = None) -> pd.DataFrame:
        """Write the times of every pull request and return the summary by repository and week."""
        from airflow.sdk import ObjectStoragePath

        from airflow_provider_bitbucket.metrics.pull_requests import pull_request_times, summarize

        times = pull_request_times(frame)
        by_week = summarize(times)
        folder = ObjectStoragePath(params["output"])
        folder.mkdir(parents=True, exist_ok=True)
        for name, result in {"pull_requests": frame, "pull_request_times": times, "summary": by_week}.items():
            with (folder / f"{name}.parquet").open("wb") as file:
                result.to_parquet(file, index=False)
        print(by_week.to_string())
        print(f"Wrote pull_requests, pull_request_times and summary to {folder}")
        return by_week

    summary(pull_requests.output)


example_bitbucket_pull_request_report()
