"""The example that proposes a change runs from the branch to the merge."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from bitbucket_cloud_emulator import BitbucketEmulator

EXAMPLE = Path(__file__).parents[2] / "example_dags" / "example_bitbucket_propose_change.py"


def propose_and_approve(bitbucket: BitbucketEmulator, client: BitbucketClient) -> None:
    """Do what an earlier run has done, and approve its pull request as a person."""
    path = f"{client.repository_path('api')}/src"
    body = {"branch": "config/limits", "config/limits.yml": "limit: 100\n"}
    client.request("POST", path, data=body, headers={"Accept": "*/*"})
    number = client.pull_requests.create("api", title="Earlier", source="config/limits", destination="main")["id"]
    bitbucket.control("POST", f"pullrequests/acme/api/{number}/events", {"events": [{"do": "approve", "user": "robin.reviewer"}]})


@pytest.mark.airflow
def test_a_proposed_change_is_merged_after_the_approval(bitbucket: BitbucketEmulator, sync_dag: Callable[[Any], None]) -> None:
    client = BitbucketClient(ApiToken(*bitbucket.api_token), "acme", bitbucket.api_url)
    propose_and_approve(bitbucket, client)
    dag = runpy.run_path(str(EXAMPLE))["example_bitbucket_propose_change"]()
    sync_dag(dag)

    run = dag.test()

    assert {one.task_id: str(one.state) for one in run.get_task_instances()} == dict.fromkeys(dag.task_ids, "success")
    (merged,) = client.pull_requests.list("api")
    assert (merged["state"], merged["title"]) == ("MERGED", "Set the limit to 100")
    assert [branch["name"] for branch in client.refs.branches("api")] == ["main"]
