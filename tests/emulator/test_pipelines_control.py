"""Scripts and the control interface determine how pipelines run and end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(bitbucket_emulator: BitbucketEmulator) -> Run:
    """A function that starts a custom pipeline, advances the clock and returns the pipeline."""
    base = f"{bitbucket_emulator.api_url}/repositories/acme/api/pipelines/"

    def run(selector: str, seconds: float = 60) -> dict[str, Any]:
        target = {
            "type": "pipeline_ref_target",
            "ref_type": "branch",
            "ref_name": "main",
            "selector": {"type": "custom", "pattern": selector},
        }
        made = requests.post(base, json={"target": target}, auth=bitbucket_emulator.api_token, timeout=10).json()
        bitbucket_emulator.clock(advance=seconds)
        shown: dict[str, Any] = requests.get(base + made["uuid"], auth=bitbucket_emulator.api_token, timeout=10).json()
        return shown

    return run


@pytest.fixture
def current_state(bitbucket_emulator: BitbucketEmulator) -> Callable[[], Any]:
    """A function that returns the state of pipeline 1."""
    address = f"{bitbucket_emulator.api_url}/repositories/acme/api/pipelines/1"

    def current_state() -> Any:
        state = requests.get(address, auth=bitbucket_emulator.api_token, timeout=10).json()["state"]
        return (state.get("result") or state.get("stage") or {}).get("name", state)

    return current_state


def result(pipeline: dict[str, Any]) -> str:
    return str(pipeline["state"]["result"]["name"])


def test_a_script_defines_its_selector(bitbucket_emulator: BitbucketEmulator, run: Run):
    bitbucket_emulator.script("api", "brand-new", steps=[{"name": "Only", "seconds": 1.0}])
    assert result(run("brand-new")) == "SUCCESSFUL"


def test_outcomes_are_used_in_order_and_the_last_one_is_repeated(bitbucket_emulator: BitbucketEmulator, run: Run):
    bitbucket_emulator.script("api", "nightly", outcomes=[{"steps": {"Nightly": {"result": "FAILED"}}}, {}])
    assert [result(run("nightly")) for _ in range(3)] == ["FAILED", "SUCCESSFUL", "SUCCESSFUL"]


def test_a_script_can_end_with_an_error_and_its_message(bitbucket_emulator: BitbucketEmulator, run: Run):
    error = {"key": "plan-service.quota", "message": "Build minutes limit reached"}
    bitbucket_emulator.script("api", "nightly", result="ERROR", error=error)
    assert run("nightly")["state"]["result"]["error"] == {"type": "pipeline_error", **error}


def test_the_newest_script_of_a_selector_applies(bitbucket_emulator: BitbucketEmulator, run: Run):
    bitbucket_emulator.script("api", "nightly", steps=[{"name": "A", "seconds": 1.0, "result": "FAILED"}])
    bitbucket_emulator.script("api", "nightly", steps=[{"name": "A", "seconds": 1.0}])
    assert result(run("nightly")) == "SUCCESSFUL"


@pytest.mark.parametrize("outcome", ["SUCCESSFUL", "FAILED", "STOPPED", "EXPIRED", "ERROR"])
def test_a_pipeline_can_be_completed_with_any_result(
    bitbucket_emulator: BitbucketEmulator, run: Run, current_state: Any, outcome: str
):
    run("nightly", seconds=12)
    bitbucket_emulator.control("POST", "pipelines/acme/api/1/finish", {"result": outcome})
    assert current_state() == outcome


def test_a_pipeline_can_be_paused_and_continued(bitbucket_emulator: BitbucketEmulator, run: Run, current_state: Any):
    run("nightly", seconds=12)
    bitbucket_emulator.control("POST", "pipelines/acme/api/1/pause", {})
    assert current_state() == "PAUSED"
    bitbucket_emulator.control("POST", "pipelines/acme/api/1/continue", {})
    assert current_state() == "RUNNING"


def test_a_pipeline_can_be_halted_and_released(bitbucket_emulator: BitbucketEmulator, run: Run, current_state: Any):
    run("nightly", seconds=3)
    bitbucket_emulator.control("POST", "pipelines/acme/api/1/halt", {})
    bitbucket_emulator.clock(advance=3600)
    assert current_state() == "HALTED"
    bitbucket_emulator.control("POST", "pipelines/acme/api/1/continue", {})
    bitbucket_emulator.clock(advance=60)
    assert current_state() == "SUCCESSFUL"


def test_an_unknown_state_can_be_set(bitbucket_emulator: BitbucketEmulator, run: Run, current_state: Any):
    run("nightly", seconds=12)
    unknown = {"name": "MEDITATING", "type": "pipeline_state_meditating"}
    bitbucket_emulator.control("PUT", "pipelines/acme/api/1/state", {"state": unknown})
    assert current_state() == unknown
    bitbucket_emulator.control("PUT", "pipelines/acme/api/1/state", {"state": None})
    assert current_state() == "RUNNING"


def test_a_pipeline_can_be_deleted(bitbucket_emulator: BitbucketEmulator, run: Run, current_state: Any):
    run("deploy-staging")
    bitbucket_emulator.control("DELETE", "pipelines/acme/api/1")
    repository = f"{bitbucket_emulator.api_url}/repositories/acme/api"
    for path in ("pipelines/", "deployments/"):
        assert requests.get(f"{repository}/{path}", auth=bitbucket_emulator.api_token, timeout=10).json()["size"] == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "pipelines/acme/api/1/finish", {"result": "GREAT"}, 400),
        ("POST", "pipelines/acme/api/1/continue", {}, 409),
        ("GET", "pipelines/acme/api/9", None, 404),
        ("GET", "pipelines/acme/nope/1", None, 404),
    ],
)
def test_an_impossible_request_is_refused_with_its_status(
    bitbucket_emulator: BitbucketEmulator, run: Run, method: str, path: str, body: Any, status: int
):
    run("nightly", seconds=12)
    with pytest.raises(HTTPError) as refused:
        bitbucket_emulator.control(method, path, body)
    assert refused.value.code == status


def test_a_completed_pipeline_cannot_be_completed_again(bitbucket_emulator: BitbucketEmulator, run: Run):
    run("nightly")
    with pytest.raises(HTTPError, match="409"):
        bitbucket_emulator.control("POST", "pipelines/acme/api/1/finish", {"result": "FAILED"})
