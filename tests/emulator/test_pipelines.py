"""Pipelines are started, read, listed and stopped as on Bitbucket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator

MAIN = {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main"}
Call = Callable[..., requests.Response]


@pytest.fixture
def call(bitbucket_emulator: BitbucketEmulator) -> Call:
    """Call the API below the repository ``acme/api``."""
    base = f"{bitbucket_emulator.api_url}/repositories/acme/api"

    def call(method: str, path: str, **options: Any) -> requests.Response:
        options.setdefault("auth", bitbucket_emulator.api_token)
        return requests.request(method, f"{base}/{path}", timeout=10, allow_redirects=False, **options)

    return call


@pytest.fixture
def start(call: Call) -> Callable[..., dict[str, Any]]:
    """A function that starts a pipeline on main, optionally a custom one."""

    def start(custom: str | None = None, **more: Any) -> dict[str, Any]:
        target = {**MAIN, "selector": {"type": "custom", "pattern": custom}} if custom else MAIN
        answer = call("POST", "pipelines/", json={"target": target, **more})
        assert answer.status_code == 201, answer.text
        pipeline: dict[str, Any] = answer.json()
        return pipeline

    return start


def problem(answer: requests.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["message"], error.get("detail")


def test_a_new_pipeline_is_being_parsed_and_its_selector_is_not_known(call: Call):
    answer = call("POST", "pipelines/", json={"target": MAIN})
    pipeline = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/pipelines/{requests.utils.quote(pipeline['uuid'])}")
    assert pipeline["state"] == {
        "name": "PARSING",
        "type": "pipeline_state_parsing",
        "stage": {"name": "PARSING", "type": "pipeline_state_parsing_parsing"},
    }
    assert pipeline["target"]["selector"] is None
    assert "completed_on" not in pipeline


def test_a_pipeline_advances_with_the_clock_until_it_is_completed(call: Call, start: Any, bitbucket_emulator: BitbucketEmulator):
    pipeline = start()
    names = []
    for seconds in (3, 8, 30):
        bitbucket_emulator.clock(advance=seconds)
        pipeline = call("GET", f"pipelines/{pipeline['uuid']}").json()
        state = pipeline["state"]
        names.append((state["name"], (state.get("stage") or state["result"])["name"]))
    assert names == [("PENDING", "PENDING"), ("IN_PROGRESS", "RUNNING"), ("COMPLETED", "SUCCESSFUL")]
    assert pipeline["target"]["selector"] == {"type": "default"}
    assert len(pipeline["target"]["commit"]["hash"]) == 40
    assert (pipeline["created_on"], pipeline["completed_on"]) == ("2026-11-02T08:00:00Z", "2026-11-02T08:00:30Z")
    assert pipeline["duration_in_seconds"] == 20


def test_a_pipeline_is_found_by_build_number_and_by_uuid(call: Call, start: Any):
    pipeline = start()
    assert call("GET", f"pipelines/{pipeline['build_number']}").json() == call("GET", f"pipelines/{pipeline['uuid']}").json()


def test_fields_of_a_pipeline_and_of_the_list_can_be_selected(call: Call, start: Any):
    start()
    assert call("GET", "pipelines/1?fields=build_number,state.name").json() == {"build_number": 1, "state": {"name": "PARSING"}}
    assert call("GET", "pipelines/?fields=values.build_number").json() == {"values": [{"build_number": 1}]}


def test_variables_are_not_returned_by_the_api_but_by_the_control_interface(
    call: Call, start: Any, bitbucket_emulator: BitbucketEmulator
):
    variables = [{"key": "TOKEN", "value": "s3cret", "secured": True}]
    pipeline = start("nightly", variables=variables)
    assert pipeline["has_variables"] is False
    assert "s3cret" not in call("GET", f"pipelines/{pipeline['uuid']}").text
    assert bitbucket_emulator.control("GET", "pipelines/acme/api/1")["variables"] == variables


def test_links_of_a_pipeline_lead_to_an_internal_host_as_on_bitbucket(start: Any):
    assert start()["links"]["self"]["href"].startswith("https://bitbucket-pipelines.prod.public.atl-paas.net//rest/1.0/")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (
            {**MAIN, "selector": {"type": "custom", "pattern": "no-such"}},
            (400, "Bad request", "Requested selector is not found in bitbucket-pipelines.yml."),
        ),
        ({**MAIN, "ref_name": "nope"}, (404, "Not found", "Could not find last reference for branch nope")),
        ({**MAIN, "ref_type": "tag"}, (404, "Not found", "Could not find last reference for tag main")),
        (
            {"type": "pipeline_commit_target", "commit": {"hash": "a" * 40}},
            (400, "Bad request", "The request body contains invalid properties"),
        ),
        ({**MAIN, "ref_type": "twig"}, (400, "Bad request", "The request body contains invalid properties")),
        ({**MAIN, "commit": {"hash": "a" * 40}}, (404, "Not found", "Could not find the revision")),
        (None, (400, "Bad request", "The request body contains invalid properties")),
    ],
)
def test_a_target_that_cannot_be_started_is_refused_with_the_message_of_bitbucket(
    call: Call, target: Any, expected: tuple[int, str, str]
):
    assert problem(call("POST", "pipelines/", json={"target": target})) == expected
    assert call("GET", "pipelines/").json()["size"] == 0


def test_the_error_for_an_unknown_selector_has_a_stable_key(call: Call):
    answer = call("POST", "pipelines", json={"target": {**MAIN, "selector": {"type": "custom", "pattern": "x"}}})
    assert answer.json()["error"]["data"]["key"] == "result-service.pipeline.selector-not-found"


def test_variables_that_are_not_strings_are_refused(call: Call):
    answer = call("POST", "pipelines/", json={"target": MAIN, "variables": [{"key": "N", "value": 3}]})
    assert problem(answer)[2] == "The request body contains invalid properties"


def test_switched_off_pipelines_refuse_to_start_and_are_not_found(call: Call, bitbucket_emulator: BitbucketEmulator):
    bitbucket_emulator.control("POST", "repositories", {"repository": "api", "pipelines_enabled": False})
    assert call("POST", "pipelines/", json={"target": MAIN}).status_code == 400
    assert call("GET", "pipelines/").status_code == 404
    assert call("GET", "pipelines_config").json()["enabled"] is False
    assert call("PUT", "pipelines_config", json={"enabled": True}).json()["enabled"] is True
    assert call("POST", "pipelines/", json={"target": MAIN}).status_code == 201


def test_pipelines_that_were_never_configured_are_not_found(call: Call, bitbucket_emulator: BitbucketEmulator):
    bitbucket_emulator.control("POST", "repositories", {"repository": "api", "pipelines_enabled": None})
    assert call("GET", "pipelines_config").status_code == 404


def test_a_start_without_a_definition_is_refused(call: Call):
    assert call("POST", "src", data={"files": "bitbucket-pipelines.yml", "branch": "main"}).status_code == 201
    status, message, detail = problem(call("POST", "pipelines/", json={"target": MAIN}))
    assert (status, message) == (400, "Bad request")
    assert detail.startswith("There is no bitbucket-pipelines.yml")


def test_a_pipeline_with_a_malformed_definition_starts_and_ends_with_an_error(call: Call, start: Any):
    call("POST", "src", data={"bitbucket-pipelines.yml": "pipelines: [", "branch": "main"})
    result = call("GET", f"pipelines/{start()['uuid']}").json()["state"]["result"]
    assert result["name"] == "ERROR"
    assert "bitbucket-pipelines.yml" in result["error"]["message"]


def test_a_token_without_the_write_scope_cannot_start_a_pipeline(call: Call, bitbucket_emulator: BitbucketEmulator):
    bitbucket_emulator.control(
        "POST",
        "credentials",
        {"kind": "api_token", "login": "r@example.com", "secret": "reader", "scopes": ["read:pipeline:bitbucket"]},
    )
    answer = call("POST", "pipelines/", json={"target": MAIN}, auth=("r@example.com", "reader"))
    assert problem(answer) == (
        403,
        "Your credentials lack one or more required privilege scopes.",
        {"required": ["read:pipeline:bitbucket", "write:pipeline:bitbucket"], "granted": ["read:pipeline:bitbucket"]},
    )


def test_a_commit_a_tag_and_a_custom_selector_can_be_started(call: Call, start: Any):
    head = start()["target"]["commit"]["hash"]
    call("POST", "refs/tags", json={"name": "v1", "target": {"hash": head}})
    commit = {"type": "pipeline_commit_target", "commit": {"type": "commit", "hash": head[:12]}}
    targets = [
        {**commit, "selector": {"type": "custom", "pattern": "nightly"}},
        {"type": "pipeline_ref_target", "ref_type": "tag", "ref_name": "v1"},
        {**MAIN, "commit": {"type": "commit", "hash": head}},
    ]
    answers = [call("POST", "pipelines/", json={"target": target}) for target in targets]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert {answer.json()["target"]["commit"]["hash"] for answer in answers} == {head}


def test_a_definition_can_be_sent_with_the_request(call: Call, bitbucket_emulator: BitbucketEmulator):
    query = {
        "target.type": "pipeline_ref_target",
        "target.ref_type": "branch",
        "target.ref_name": "main",
        "target.selector.type": "custom",
        "target.selector.pattern": "scan",
        "variables[0].key": "DEPTH",
        "variables[0].value": "3",
    }
    definition = "pipelines: {custom: {scan: [{step: {name: Scan, script: [echo]}}]}}"
    answer = call("POST", "pipelines", params=query, data=definition, headers={"Content-Type": "application/yaml"})
    assert answer.status_code == 201
    bitbucket_emulator.clock(advance=60)
    steps = call("GET", f"pipelines/{answer.json()['uuid']}/steps").json()["values"]
    assert [step["name"] for step in steps] == ["Scan"]
    assert bitbucket_emulator.control("GET", "pipelines/acme/api/1")["variables"] == [{"key": "DEPTH", "value": "3"}]


def test_a_running_pipeline_is_stopped_after_a_delay(call: Call, start: Any, bitbucket_emulator: BitbucketEmulator):
    path = f"pipelines/{start()['uuid']}"
    bitbucket_emulator.clock(advance=12)
    assert call("POST", f"{path}/stopPipeline").status_code == 204
    assert call("GET", path).json()["state"]["name"] == "IN_PROGRESS"
    bitbucket_emulator.clock(advance=3)
    result = call("GET", path).json()["state"]["result"]
    assert (result["name"], result["terminator"]["display_name"]) == ("STOPPED", "Dana Demo")
    assert problem(call("POST", f"{path}/stopPipeline")) == (
        400,
        "Bad request",
        "Cannot stop pipeline result that is already complete with status STOPPED",
    )


def test_stopping_a_paused_pipeline_is_accepted_without_effect(call: Call, start: Any, bitbucket_emulator: BitbucketEmulator):
    path = f"pipelines/{start('release-with-approval')['uuid']}"
    bitbucket_emulator.clock(advance=30)
    assert call("POST", f"{path}/stopPipeline").status_code == 204
    bitbucket_emulator.clock(advance=3600)
    assert call("GET", path).json()["state"]["stage"]["name"] == "PAUSED"
    bitbucket_emulator.control("POST", "pipelines/acme/api/1/continue", {})
    bitbucket_emulator.clock(advance=30)
    assert call("GET", path).json()["state"]["result"]["name"] == "SUCCESSFUL"


def test_the_error_for_an_unknown_pipeline_is_that_of_the_pipelines_service(call: Call):
    status, message, detail = problem(call("GET", "pipelines/99"))
    assert (status, message) == (404, "Not found")
    assert detail.startswith("Pipeline with build number '99' not found in repository {")
    assert call("POST", "pipelines/99/stopPipeline").status_code == 404


def test_the_list_is_oldest_first_and_its_next_link_drops_the_order(call: Call, start: Any):
    for _ in range(3):
        start()
    numbers = [one["build_number"] for one in call("GET", "pipelines/").json()["values"]]
    assert numbers == [1, 2, 3]
    first = call("GET", "pipelines/?sort=-created_on&pagelen=2").json()
    assert [one["build_number"] for one in first["values"]] == [3, 2]
    assert "sort" not in first["next"]
    beyond = call("GET", "pipelines/?sort=-created_on&pagelen=2&page=3").json()
    assert beyond["values"] == []


def test_the_next_link_keeps_the_order_if_set(call: Call, start: Any, bitbucket_emulator: BitbucketEmulator):
    bitbucket_emulator.settings(pipelines_next_drops_sort=False)
    start(), start()
    assert "sort=-created_on" in call("GET", "pipelines/?sort=-created_on&pagelen=1").json()["next"]


def test_sorting_the_list_by_another_field_is_refused(call: Call):
    answer = call("GET", "pipelines/?sort=-build_number")
    assert problem(answer) == (400, "Bad request", "Invalid sort attribute provided 'build_number'")
    assert answer.json()["error"]["data"]["key"] == "rest-service.rest-service.invalid-sort-attribute"


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("status=PASSED", [1]),
        ("status=SUCCESSFUL", []),
        ("status=PASSED&status=BUILDING", [1, 2]),
        ("status=IN_PROGRESS", [2]),
        ("target.selector.type=CUSTOM", [2]),
        ("target.selector.pattern=nightly", [2]),
        ("target.branch=main&trigger_type=MANUAL", [1, 2]),
        ("target.ref_type=TAG", []),
        ("trigger_type=PUSH", []),
        ("q=build_number%3D1", [1, 2]),
    ],
)
def test_the_list_is_filtered_by_its_own_parameters_and_ignores_q(
    call: Call, start: Any, bitbucket_emulator: BitbucketEmulator, query: str, numbers: list[int]
):
    start()
    bitbucket_emulator.clock(advance=60)
    start("nightly")
    bitbucket_emulator.clock(advance=12)
    assert [one["build_number"] for one in call("GET", f"pipelines/?{query}").json()["values"]] == numbers


def test_the_trailing_slash_is_optional_unless_set_otherwise(call: Call, bitbucket_emulator: BitbucketEmulator):
    assert (call("GET", "pipelines").status_code, call("GET", "pipelines/").status_code) == (200, 200)
    bitbucket_emulator.settings(pipelines_need_trailing_slash=True)
    assert (call("GET", "pipelines").status_code, call("GET", "pipelines/").status_code) == (404, 200)
    assert (call("GET", "deployments").status_code, call("GET", "deployments/").status_code) == (404, 200)


def test_a_pipeline_sets_its_build_status_on_the_commit(call: Call, start: Any, bitbucket_emulator: BitbucketEmulator):
    head = start()["target"]["commit"]["hash"]
    status = call("GET", f"commit/{head}/statuses").json()["values"][0]
    assert (status["name"], status["state"], status["refname"]) == ("Pipeline #1 for main", "INPROGRESS", "main")
    assert status["key"].isdigit()
    bitbucket_emulator.clock(advance=60)
    assert call("GET", f"commit/{head}/statuses").json()["values"][0]["state"] == "SUCCESSFUL"


def test_a_commit_starts_the_pipeline_that_is_defined_for_its_branch(call: Call):
    call("POST", "src", data={"a.txt": "new", "branch": "main"})
    values = call("GET", "pipelines/").json()["values"]
    assert [(one["trigger"]["name"], one["target"]["ref_name"]) for one in values] == [("PUSH", "main")]


def test_opening_and_merging_a_pull_request_start_pipelines(call: Call):
    definition = "pipelines: {pull-requests: {'**': [{step: {script: [a]}}]}, branches: {main: [{step: {script: [b]}}]}}"
    call("POST", "src", data={"bitbucket-pipelines.yml": definition, "branch": "topic"})
    created = call("POST", "pullrequests", json={"title": "A topic", "source": {"branch": {"name": "topic"}}})
    assert created.status_code == 201, created.text
    call("POST", "src", data={"a.txt": "more", "branch": "topic"})
    assert call("POST", f"pullrequests/{created.json()['id']}/merge", json={}).status_code == 200
    values = call("GET", "pipelines/").json()["values"]
    assert [one["target"]["type"] for one in values] == [
        "pipeline_pullrequest_target",
        "pipeline_pullrequest_target",
        "pipeline_ref_target",
    ]
    assert values[0]["target"]["pullrequest"]["id"] == created.json()["id"]
    assert values[2]["target"]["ref_name"] == "main"


def test_a_pipeline_of_a_pull_request_is_started_by_its_number(call: Call):
    call("POST", "src", data={"a.txt": "new", "branch": "topic"})
    script = "pipelines: {pull-requests: {'**': [{step: {script: [a]}}]}}"
    call("POST", "src", data={"bitbucket-pipelines.yml": script, "branch": "topic"})
    made = call("POST", "pullrequests", json={"title": "A topic", "source": {"branch": {"name": "topic"}}}).json()
    target = {
        "type": "pipeline_pullrequest_target",
        "source": "topic",
        "destination": "main",
        "destination_commit": {"hash": made["destination"]["commit"]["hash"]},
        "commit": {"hash": made["source"]["commit"]["hash"]},
        "pullrequest": {"id": str(made["id"])},
    }
    assert call("POST", "pipelines/", json={"target": target}).status_code == 201
    unknown = {**target, "pullrequest": {"id": "99"}}
    assert call("POST", "pipelines/", json={"target": unknown}).status_code == 404
