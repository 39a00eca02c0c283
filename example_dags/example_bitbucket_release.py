"""Across systems: read what was merged, decide whether to release, deploy by a Bitbucket pipeline, comment on pull requests.

The comment goes to the pull requests that were released, at most ``notify`` of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Param, dag, task

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator
from airflow_provider_bitbucket.operators.pipelines import BitbucketTriggerPipelineOperator

if TYPE_CHECKING:
    import pandas as pd


@dag(
    schedule=None,
    tags=["bitbucket", "example"],
    params={
        "bitbucket_conn_id": Param(
            "bitbucket_default", type="string", title="Connection", description="Id of a connection of type Bitbucket Cloud."
        ),
        "repository": Param("api", type="string", title="Repository", description="Slug of the repository, or workspace/slug."),
        "branch": Param("main", type="string", title="Branch", description="Branch that is released."),
        "deploy": Param(
            "deploy-production",
            type="string",
            title="Custom pipeline",
            description="Name under custom: in bitbucket-pipelines.yml that deploys.",
        ),
        "days": Param(
            14, type="integer", title="Days", description="Pull requests updated in the last days are considered.", minimum=1
        ),
        "notify": Param(
            3, type="integer", title="Comments", description="Largest number of pull requests to comment on.", minimum=0
        ),
    },
    default_args={"bitbucket_conn_id": "{{ params.bitbucket_conn_id }}"},
    doc_md=__doc__,
)
def example_bitbucket_release() -> None:
    pull_requests = BitbucketExtractOperator(
        task_id="pull_requests",
        dataset="pull_requests",
        repositories=["{{ params.repository }}"],
        since="{{ (dag_run.run_after - macros.timedelta(days=params.days)).isoformat() }}",
    )

    @task.short_circuit
    def worth_releasing(frame: pd.DataFrame, params: dict | None = None) -> list[int]:
        """Return the pull requests merged into the branch; none of them skips the release."""
        merged = frame[(frame["state"] == "MERGED") & (frame["destination_branch"] == params["branch"])]
        print(merged[["id", "title", "closed_on"]].to_string())
        return [int(number) for number in merged.sort_values("closed_on", ascending=False)["id"]]

    deploy = BitbucketTriggerPipelineOperator(
        task_id="deploy",
        repository="{{ params.repository }}",
        branch="{{ params.branch }}",
        custom_pipeline="{{ params.deploy }}",
        deferrable=True,
        poll_interval=5,
        timeout=30 * 60,
    )

    @task
    def comment(merged: list[int], pipeline: dict, params: dict | None = None) -> list[str]:
        """Comment on the released pull requests, with the hook's client, because no operator does this."""
        client = BitbucketHook(params["bitbucket_conn_id"]).get_conn()
        text = f"Released by [pipeline #{pipeline['build_number']}]({pipeline['url']})."
        links = []
        for number in merged[: params["notify"]]:
            path = f"{client.repository_path(params['repository'])}/pullrequests/{number}/comments"
            links.append(client.request("POST", path, json={"content": {"raw": text}}).json()["links"]["html"]["href"])
        return links

    merged = worth_releasing(pull_requests.output)
    merged >> deploy
    comment(merged, deploy.output)


example_bitbucket_release()
