"""Deployments and environments follow the steps of pipelines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator

Call = Callable[..., requests.Response]
STEPS = [
    {"name": "Build", "seconds": 10.0},
    {"name": "Test", "seconds": 10.0, "environment": "test"},
    {"name": "Production", "seconds": 10.0, "environment": "production", "manual": True},
]


@pytest.fixture
def call(bitbucket_emulator: BitbucketEmulator) -> Call:
    """Call the API below ``acme/api``, where a pipeline that deploys to test and production has just been started."""
    base = f"{bitbucket_emulator.api_url}/repositories/acme/api"

    def call(method: str, path: str, **options: Any) -> requests.Response:
        return requests.request(method, f"{base}/{path}", auth=bitbucket_emulator.api_token, timeout=10, **options)

    bitbucket_emulator.script("api", "release", steps=STEPS)
    selector = {"type": "custom", "pattern": "release"}
    target = {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main", "selector": selector}
    call("POST", "pipelines/", json={"target": target}).raise_for_status()
    return call


@pytest.fixture
def states(call: Call) -> Callable[[], list[str]]:
    """A function that returns state and status of the deployments, oldest first."""

    def states() -> list[str]:
        found = reversed(call("GET", "deployments/").json()["values"])
        return [
            "/".join([one["state"]["name"], *([one["state"]["status"]["name"]] if "status" in one["state"] else [])])
            for one in found
        ]

    return states


def test_deployments_appear_together_and_follow_their_steps(
    call: Call, states: Callable[[], list[str]], bitbucket_emulator: BitbucketEmulator
):
    seen = [states()]
    for seconds in (15, 7, 10):
        bitbucket_emulator.clock(advance=seconds)
        seen.append(states())
    bitbucket_emulator.control("POST", "pipelines/acme/api/1/continue", {})
    bitbucket_emulator.clock(advance=10)
    seen.append(states())
    assert seen == [
        [],
        [],
        ["IN_PROGRESS", "UNDEPLOYED"],
        ["COMPLETED/SUCCESSFUL", "UNDEPLOYED"],
        ["COMPLETED/SUCCESSFUL", "COMPLETED/SUCCESSFUL"],
    ]


def test_a_deployment_names_its_pipeline_step_commit_and_environment(call: Call, bitbucket_emulator: BitbucketEmulator):
    bitbucket_emulator.clock(advance=60)
    deployment = call("GET", "deployments/").json()["values"][-1]
    pipeline = call("GET", "pipelines/1").json()
    step = call("GET", "pipelines/1/steps").json()["values"][1]
    assert deployment["release"]["pipeline"]["uuid"] == pipeline["uuid"]
    assert deployment["release"]["name"] == "#1"
    assert deployment["release"]["created_on"] == "2026-11-02T08:00:20Z"
    assert deployment["step"] == {"uuid": step["uuid"]}
    assert deployment["commit"]["hash"] == pipeline["target"]["commit"]["hash"]
    assert deployment["state"]["completed_on"] == deployment["last_update_time"] == step["completed_on"]
    assert list(deployment["environment"]) == ["uuid"]
    environment = call("GET", f"environments/{deployment['environment']['uuid']}").json()
    assert (environment["name"], environment["environment_type"]["name"]) == ("Test", "Test")
    assert call("GET", f"deployments/{deployment['uuid']}").json() == deployment


def test_an_undeployed_deployment_has_no_times(call: Call, bitbucket_emulator: BitbucketEmulator):
    bitbucket_emulator.clock(advance=60)
    undeployed = call("GET", "deployments/").json()["values"][0]
    assert undeployed["state"] == {"type": "deployment_state_undeployed", "name": "UNDEPLOYED"}
    assert "last_update_time" not in undeployed


def test_the_list_ignores_q_and_refuses_to_sort(call: Call, bitbucket_emulator: BitbucketEmulator):
    bitbucket_emulator.clock(advance=60)
    assert call("GET", 'deployments/?q=created_on > "2100-01-01"').json()["size"] == 2
    assert call("GET", "deployments/?sort=created_on").status_code == 400


def test_environments_are_listed_by_rank_with_the_user_who_locked_them(call: Call, bitbucket_emulator: BitbucketEmulator):
    repository = next(bitbucket_emulator.state.repositories())
    owner = next(iter(bitbucket_emulator.state.users.values()))
    repository.environments[0].locked_by = owner
    test, production = call("GET", "environments/").json()["values"]
    assert [(one["name"], one["rank"], one["lock"]["name"]) for one in (test, production)] == [
        ("Test", 0, "LOCKED"),
        ("Production", 2, "OPEN"),
    ]
    assert test["lock"]["triggerer"]["display_name"] == owner.display_name


def test_an_unknown_deployment_or_environment_is_not_found(call: Call):
    assert call("GET", "deployments/{00000000-0000-0000-0000-000000000000}").status_code == 404
    assert call("GET", "environments/{00000000-0000-0000-0000-000000000000}").status_code == 404
