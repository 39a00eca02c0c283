"""Steps, logs and test reports of pipelines are served as by Bitbucket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator

TARGET = {
    "type": "pipeline_ref_target",
    "ref_type": "branch",
    "ref_name": "main",
    "selector": {"type": "custom", "pattern": "check"},
}
STEPS = [
    {"name": "Build", "seconds": 20.0, "script": ["make build"], "log": "\n".join(f"line {n}" for n in range(40))},
    {
        "name": "Test",
        "seconds": 20.0,
        "result": "FAILED",
        "log": "1 failed",
        "test_cases": [
            {"name": "tests.test_a.test_one", "status": "SUCCESSFUL", "seconds": 0.05},
            {"name": "tests.test_a.test_two", "status": "FAILED", "seconds": 1.5, "reason": "assert 1 == 2"},
        ],
    },
    {"name": "Deploy", "seconds": 20.0},
]
Call = Callable[..., requests.Response]


@pytest.fixture
def call(bitbucket_emulator: BitbucketEmulator) -> Call:
    """Call the API below pipeline 1 of ``acme/api``, whose second of three steps fails."""
    base = f"{bitbucket_emulator.api_url}/repositories/acme/api/pipelines/"
    bitbucket_emulator.script("api", "check", steps=STEPS)
    requests.post(base, json={"target": TARGET}, auth=bitbucket_emulator.api_token, timeout=10).raise_for_status()

    def call(path: str, **options: Any) -> requests.Response:
        options.setdefault("auth", bitbucket_emulator.api_token)
        options.setdefault("allow_redirects", False)
        return requests.get(f"{base}1/{path}", timeout=10, **options)

    return call


@pytest.fixture
def steps(call: Call, bitbucket_emulator: BitbucketEmulator) -> list[str]:
    """The uuids of the steps; the first one has been running for 10 s."""
    bitbucket_emulator.clock(advance=20)
    return [step["uuid"] for step in call("steps").json()["values"]]


def test_a_pipeline_has_no_steps_before_its_definition_is_parsed(call: Call):
    assert call("steps").json()["values"] == []


def test_all_steps_are_returned_for_any_requested_page(call: Call, bitbucket_emulator: BitbucketEmulator):
    bitbucket_emulator.clock(advance=100)
    body = call("steps?pagelen=1&page=2").json()
    assert (body["pagelen"], body["size"], len(body["values"])) == (1, 3, 3)
    assert [step["state"].get("result", {}).get("name") for step in body["values"]] == ["SUCCESSFUL", "FAILED", "NOT_RUN"]


def test_a_step_has_only_the_times_that_have_passed(call: Call, steps: list[str]):
    running, pending, _ = (call(f"steps/{step}").json() for step in steps)
    assert running["state"]["name"] == "IN_PROGRESS"
    assert "started_on" in running
    assert "completed_on" not in running
    assert "started_on" not in pending
    assert pending["state"]["stage"]["type"] == "pipeline_step_state_pending_pending"


def test_the_log_of_a_running_step_grows(call: Call, steps: list[str], bitbucket_emulator: BitbucketEmulator):
    early = call(f"steps/{steps[0]}/log")
    assert (early.status_code, early.headers["Content-Type"]) == (200, "application/octet-stream")
    bitbucket_emulator.clock(advance=8)
    later = call(f"steps/{steps[0]}/log")
    assert later.content.startswith(early.content)
    assert len(later.content) > len(early.content)


def test_the_log_of_a_completed_step_is_on_a_storage_host_that_refuses_credentials(
    call: Call, steps: list[str], bitbucket_emulator: BitbucketEmulator
):
    bitbucket_emulator.clock(advance=60)
    answer = call(f"steps/{steps[0]}/log")
    address = answer.headers["Location"]
    assert answer.status_code == 307
    assert urlsplit(address).hostname != urlsplit(bitbucket_emulator.url).hostname
    assert requests.get(address, timeout=10).text.splitlines()[-1] == "Step result: SUCCESSFUL"
    assert requests.get(address, auth=bitbucket_emulator.api_token, timeout=10).status_code == 400
    assert requests.get(address.replace("Signature=", "Signature=0"), timeout=10).status_code == 403


def test_following_the_redirect_without_credentials_returns_the_log(
    call: Call, steps: list[str], bitbucket_emulator: BitbucketEmulator
):
    bitbucket_emulator.clock(advance=60)
    answer = call(f"steps/{steps[0]}/log", allow_redirects=True)
    assert answer.status_code == 200
    assert "line 39" in answer.text


@pytest.mark.parametrize(
    ("wanted", "part"), [("bytes=0-9", slice(0, 10)), ("bytes=-7", slice(-7, None)), ("bytes=20-", slice(20, None))]
)
def test_a_range_of_a_log_can_be_read(
    call: Call, steps: list[str], bitbucket_emulator: BitbucketEmulator, wanted: str, part: slice
):
    bitbucket_emulator.clock(advance=60)
    whole = call(f"steps/{steps[0]}/log", allow_redirects=True).content
    answer = call(f"steps/{steps[0]}/log", allow_redirects=True, headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (206, whole[part])
    assert answer.headers["Content-Range"].endswith(f"/{len(whole)}")


def test_a_range_after_the_end_of_a_log_is_refused(call: Call, steps: list[str]):
    assert call(f"steps/{steps[0]}/log", headers={"Range": "bytes=999999-"}).status_code == 416


@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
def test_a_log_is_available_as_bytes_only(call: Call, steps: list[str], accept: str):
    assert call(f"steps/{steps[0]}/log", headers={"Accept": accept}).status_code == 406


def test_a_step_that_did_not_run_has_no_log(call: Call, steps: list[str], bitbucket_emulator: BitbucketEmulator):
    bitbucket_emulator.clock(advance=60)
    answer = call(f"steps/{steps[2]}/log")
    assert (answer.status_code, answer.json()["error"]["detail"]) == (404, f"Log in step {steps[2]} does not exist.")


def test_a_test_report_contains_the_number_of_cases(call: Call, steps: list[str], bitbucket_emulator: BitbucketEmulator):
    assert call(f"steps/{steps[1]}/test_reports").status_code == 404
    bitbucket_emulator.clock(advance=60)
    report = call(f"steps/{steps[1]}/test_reports").json()
    assert (report["number_of_test_cases"], report["number_of_failed_test_cases"]) == (2, 1)
    assert call(f"steps/{steps[0]}/test_reports").status_code == 404


def test_a_failed_test_case_has_a_reason(call: Call, steps: list[str], bitbucket_emulator: BitbucketEmulator):
    bitbucket_emulator.clock(advance=60)
    passed, failed = call(f"steps/{steps[1]}/test_reports/test_cases").json()["values"]
    assert (failed["fully_qualified_name"], failed["status"], failed["duration"]) == (
        "tests.test_a.test_two",
        "FAILED",
        "PT1.5S",
    )
    cases = f"steps/{steps[1]}/test_reports/test_cases"
    assert call(f"{cases}/{failed['uuid']}/test_case_reasons").json()["message"] == "assert 1 == 2"
    assert call(f"{cases}/{passed['uuid']}/test_case_reasons").status_code == 404


def test_an_unknown_step_is_not_found(call: Call, steps: list[str]):
    assert call("steps/{00000000-0000-0000-0000-000000000000}").status_code == 404
