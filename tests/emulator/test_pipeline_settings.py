"""Variables, schedules and environments over HTTP."""

from __future__ import annotations

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call

API = "/repositories/acme/api"
VARIABLES = f"{API}/pipelines_config/variables"
SCHEDULES = f"{API}/pipelines_config/schedules"
TARGET = {"ref_type": "branch", "ref_name": "main", "selector": {"type": "custom", "pattern": "nightly"}}


def test_the_value_of_a_secured_variable_is_never_returned(call: Call) -> None:
    made = call(VARIABLES, "POST", json={"key": "TOKEN", "value": "s3cret", "secured": True}).json()
    changed = call(f"{VARIABLES}/{made['uuid']}", "PUT", json={"value": "s3cret2"}).json()
    listed = call(VARIABLES).json()["values"]

    assert made == changed == listed[0] == {"type": "pipeline_variable", "uuid": made["uuid"], "key": "TOKEN", "secured": True}


def test_a_secured_variable_stays_secured(call: Call) -> None:
    made = call(VARIABLES, "POST", json={"key": "TOKEN", "value": "s3cret", "secured": True}).json()

    assert call(f"{VARIABLES}/{made['uuid']}", "PUT", json={"value": "x", "secured": False}).status_code == 400


def test_a_key_exists_once(call: Call) -> None:
    call(VARIABLES, "POST", json={"key": "A", "value": "1"})
    second = call(VARIABLES, "POST", json={"key": "A", "value": "2"})
    other = call(VARIABLES, "POST", json={"key": "B", "value": "2"}).json()

    assert second.status_code == 409
    assert second.json()["error"]["detail"].startswith("A variable with the key provided already exists for account")
    assert call(f"{VARIABLES}/{other['uuid']}", "PUT", json={"key": "A"}).status_code == 409


@pytest.mark.parametrize("key", ["", "1A", "A-B", "Ä"])
def test_a_malformed_key_is_refused(call: Call, key: str) -> None:
    assert call(VARIABLES, "POST", json={"key": key, "value": "1"}).status_code == 400


def test_variables_of_an_environment_are_listed_but_not_read_singly(call: Call) -> None:
    new = {"name": "QA", "environment_type": {"name": "Test"}}
    environment = call(f"{API}/environments/", "POST", json=new).json()["uuid"]
    variables = f"{API}/deployments_config/environments/{environment}/variables"
    made = call(variables, "POST", json={"key": "A", "value": "1"}).json()

    assert call(variables).json()["values"] == [made]
    assert call(f"{variables}/{made['uuid']}").status_code in (404, 405)


def test_a_schedule_is_created_enabled_and_only_that_can_be_changed(call: Call) -> None:
    made = call(SCHEDULES, "POST", json={"target": TARGET, "cron_pattern": "0 0 2 * * ? *", "enabled": False}).json()
    changed = call(f"{SCHEDULES}/{made['uuid']}", "PUT", json={"enabled": False, "cron_pattern": "0 0 3 * * ? *"}).json()

    assert made["enabled"]
    assert (changed["enabled"], changed["cron_pattern"]) == (False, "0 0 2 * * ? *")


def test_too_many_schedules_are_refused_with_401(call: Call, bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.state.settings.schedules_limit = 0
    refused = call(SCHEDULES, "POST", json={"target": TARGET, "cron_pattern": "0 0 2 * * ? *"})

    assert refused.status_code == 401
    assert "maximum limit of schedules" in refused.json()["error"]["detail"]


def test_runs_of_a_schedule_are_its_executions(call: Call, bitbucket_emulator: BitbucketEmulator) -> None:
    unknown = {**TARGET, "selector": {"type": "custom", "pattern": "none"}}
    for target in (TARGET, unknown):
        uuid = call(SCHEDULES, "POST", json={"target": target, "cron_pattern": "0 0 2 * * ? *"}).json()["uuid"]
        bitbucket_emulator.control("POST", f"schedules/acme/api/{uuid}/run", {})
    executions = [call(f"{SCHEDULES}/{one['uuid']}/executions").json()["values"][0] for one in call(SCHEDULES).json()["values"]]

    assert [one["type"].rpartition("_")[2] for one in executions] == ["executed", "errored"]
    assert call(f"{API}/pipelines/{executions[0]['pipeline']['uuid']}").json()["creator"] is None
    assert executions[1]["error"]["key"] == "result-service.pipeline.selector-not-found"


@pytest.mark.parametrize("applied", [True, False])
def test_a_change_of_an_environment_is_accepted_and_may_have_no_effect(
    call: Call, bitbucket_emulator: BitbucketEmulator, applied: bool
) -> None:
    bitbucket_emulator.state.settings.environment_changes_take_effect = applied
    made = call(f"{API}/environments/", "POST", json={"name": "QA", "environment_type": {"name": "Test"}}).json()
    one = f"{API}/environments/{made['uuid']}"

    assert call(f"{one}/changes", "POST", json={"change": {"name": "QA 2"}}).status_code == 202
    assert call(one).json()["name"] == ("QA 2" if applied else "QA")
