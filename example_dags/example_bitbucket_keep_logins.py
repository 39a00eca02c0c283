"""Keep OAuth logins alive: renew each once a week, because Bitbucket lets an unused one lapse after three months.

For connections of auth type ``oauth``. A login that cannot be renewed fails the task after the others are renewed; its user has
to log in again (``airflow bitbucket login``).
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import AirflowException
from airflow.sdk import Param, dag, task

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook


@dag(
    schedule="@weekly",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    tags=["bitbucket", "example"],
    params={
        "bitbucket_conn_id": Param(
            "bitbucket_oauth", type="string", title="Connection", description="Id of a connection with auth type oauth."
        ),
    },
    doc_md=__doc__,
)
def example_bitbucket_keep_logins() -> None:
    @task
    def renew(params: dict | None = None) -> list[str]:
        """Renew every login of the connection and return the users."""
        logins = BitbucketHook(params["bitbucket_conn_id"]).renew_logins()
        for login in logins:
            print(f"{login['user']}: {login['problem'] or 'renewed'}")
        if problems := [login["user"] for login in logins if login["problem"]]:
            raise AirflowException(f"Not renewed, see above: {', '.join(problems)}")
        return [login["user"] for login in logins]

    renew()


example_bitbucket_keep_logins()
