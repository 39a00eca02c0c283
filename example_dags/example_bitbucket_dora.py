"""Every night: the DORA metrics of the last weeks, by repository and week, into a table of a SQL database.

Needs `pip install 'airflow-provider-bitbucket[sql]'`, Airflow's provider of the database, and a connection to it. Costs one
request for every 100 deployments and for every 100 commits of 90 days.
"""

from __future__ import annotations

from airflow.sdk import Param, dag

from airflow_provider_bitbucket.operators.sql import BitbucketToSqlOperator


@dag(
    schedule="0 3 * * *",
    catchup=False,
    tags=["bitbucket", "example"],
    params={
        "days": Param(35, type="integer", minimum=1, title="Days", description="Weeks of this many days are computed again."),
        "sql_conn_id": Param("warehouse", type="string", title="Connection", description="Airflow connection of the database."),
        "table": Param("bitbucket_dora", type="string", title="Table", description="Created if it is missing."),
    },
    doc_md=__doc__,
)
def example_bitbucket_dora() -> None:
    # Weeks are computed again until late changes are in: a failure of one week is fixed in the next.
    BitbucketToSqlOperator(
        task_id="dora",
        metric="dora",
        since="{{ (dag_run.run_after - macros.timedelta(days=params.days)).isoformat() }}",
        until="{{ dag_run.run_after.isoformat() }}",
        sql_conn_id="{{ params.sql_conn_id }}",
        table="{{ params.table }}",
    )


example_bitbucket_dora()
