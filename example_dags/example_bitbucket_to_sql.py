"""Every night: the pull requests and branches of a workspace into tables of a SQL database, a mapped task for each repository.

Needs `pip install 'airflow-provider-bitbucket[sql]'`, Airflow's provider of the database, and a connection `warehouse` to it.
Costs one request for every 100 repositories, and for each of them one for every 50 pull requests of two days, one for every 50
entries of their timelines, and one for every 100 branches.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, Param, dag, task

from airflow_provider_bitbucket.operators.repositories import BitbucketListRepositoriesOperator
from airflow_provider_bitbucket.operators.sql import BitbucketToSqlOperator

PULL_REQUESTS = Asset("bitbucket_pull_requests")

# Two days, so that a night that was missed costs nothing: rows of the same key take each other's place.
SINCE = "{{ (dag_run.run_after - macros.timedelta(days=params.days)).isoformat() }}"
UNTIL = "{{ dag_run.run_after.isoformat() }}"


@dag(
    schedule="0 2 * * *",
    catchup=False,
    tags=["bitbucket", "example"],
    params={
        "days": Param(2, type="integer", title="Days", description="Pull requests updated in the last days are read.", minimum=1),
        "sql_conn_id": Param("warehouse", type="string", title="Database", description="Id of the connection of the database."),
    },
    doc_md=__doc__,
)
def example_bitbucket_to_sql() -> None:
    repositories = BitbucketListRepositoriesOperator(task_id="repositories")

    pull_requests = BitbucketToSqlOperator.partial(
        task_id="pull_requests",
        dataset="pull_requests",
        since=SINCE,
        until=UNTIL,
        with_activity=True,
        sql_conn_id="{{ params.sql_conn_id }}",
        table="bitbucket_pull_requests",
        max_active_tis_per_dag=8,
    ).expand(repositories=repositories.output)

    # Branches come and go: what is there now takes the place of what was there last night.
    BitbucketToSqlOperator.partial(
        task_id="branches",
        dataset="branches",
        mode="replace",
        sql_conn_id="{{ params.sql_conn_id }}",
        table="bitbucket_branches",
        max_active_tis_per_dag=8,
    ).expand(repositories=repositories.output)

    @task(outlets=[PULL_REQUESTS])
    def publish(loaded: list[dict[str, Any]], outlet_events: Any = None, dag_run: Any = None) -> int:
        """Emit a single asset event after all repositories were written."""
        rows = sum(one["rows"] for one in loaded)
        outlet_events[PULL_REQUESTS].extra = {"rows": rows, "watermark": dag_run.run_after.isoformat()}
        return rows

    publish(pull_requests.output)


example_bitbucket_to_sql()
