"""The example of a deployment shows its success and its failure on the pull request."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator

EXAMPLE = Path(__file__).parents[2] / "example_dags" / "example_bitbucket_deploy.py"


@pytest.fixture
def demo(connect: Callable[..., None]) -> Iterator[BitbucketEmulator]:
    """The demo company, whose pipelines take no time, behind ``bitbucket_default``."""
    with BitbucketEmulator("demo", speed=1000) as emulator:
        connect(connection_json(emulator))
        yield emulator


@pytest.mark.parametrize(
    ("pipeline", "state", "comments"), [("deploy-staging", "SUCCESSFUL", 0), ("unknown", "FAILED", 1)], ids=["success", "failure"]
)
def test_a_deployment_is_a_status_of_the_pull_request_and_a_failed_one_a_comment(
    demo: BitbucketEmulator, sync_dag: Callable[[DAG], None], pipeline: str, state: str, comments: int
) -> None:
    client = BitbucketClient(ApiToken(*demo.api_token), "acme", demo.api_url)
    newest = max(client.pull_requests.list("api", states=["OPEN"]), key=lambda one: one["id"])
    dag: Any = runpy.run_path(str(EXAMPLE))["example_bitbucket_deploy"]()
    sync_dag(dag)

    dag.test(run_conf={"deploy": pipeline})

    statuses = client.pull_requests.statuses("api", newest["id"])
    assert [one["state"] for one in statuses if one["name"] == "example_bitbucket_deploy.deploy"] == [state]
    texts = [one["content"]["raw"] for one in client.pull_request_comments.list("api", newest["id"])]
    assert len([text for text in texts if text.startswith("**`example_bitbucket_deploy.deploy` failed**")]) == comments
