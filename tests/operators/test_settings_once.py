"""Operators of variables, environments, schedules and webhooks have one effect, wherever an attempt is killed."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitbucket.client import BitbucketClient
from airflow_provider_bitbucket.operators.environments import BitbucketEnsureEnvironmentsOperator
from airflow_provider_bitbucket.operators.pipeline_schedules import BitbucketEnsurePipelineSchedulesOperator
from airflow_provider_bitbucket.operators.pipeline_variables import BitbucketSetPipelineVariablesOperator
from airflow_provider_bitbucket.operators.webhooks import BitbucketEnsureWebhookOperator
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.operators.attempts import Prepare, check_one_effect_despite_kills, check_one_effect_despite_lost_answers

URL = "https://airflow.example.com/bitbucket"
NIGHTLY, MORNING, NOON = "0 30 2 * * ? *", "0 0 6 * * ? *", "0 0 12 * * ? *"


def effect(client: BitbucketClient) -> Any:
    """Return all settings, without ids and times."""
    environments = [*client.environments.list("api")]
    scopes: list[dict[str, Any]] = [{"repository": "api"}, {}]
    scopes += [{"repository": "api", "environment": one["uuid"]} for one in environments]
    return {
        "environments": [(one["name"], one["environment_type"]["name"]) for one in environments],
        "variables": [
            [(one["key"], one.get("value"), one["secured"]) for one in client.pipeline_variables.list(**scope)]
            for scope in scopes
        ],
        "schedules": sorted(
            (one["cron_pattern"], one["enabled"], one["target"]["ref_name"]) for one in client.pipeline_schedules.list("api")
        ),
        "webhooks": [
            (one["url"], one["events"], one["secret_set"], one["active"])
            for repository in ("api", None)
            for one in client.webhooks.list(repository)
        ],
    }


def nothing(client: BitbucketClient, bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """Nothing is there yet."""
    return {}


def production(client: BitbucketClient, bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """Make an environment with a variable."""
    environment = client.environments.create("api", "Production", "Production")["uuid"]
    client.pipeline_variables.create("TOKEN", "old", "api", environment=environment, secured=True)
    return {"environment": "Production"}


def scheduled(client: BitbucketClient, bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """Make a schedule of the same pipeline, and another one of another pipeline."""
    client.pipeline_schedules.create("api", "main", MORNING, custom_pipeline="nightly")
    client.pipeline_schedules.create("api", "main", NOON)
    return {}


def full(client: BitbucketClient, bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """Make as many schedules as are allowed."""
    scheduled(client, bitbucket)
    bitbucket.state.settings.schedules_limit = 2
    return {}


def subscribed(client: BitbucketClient, bitbucket: BitbucketEmulator) -> dict[str, Any]:
    """Make a webhook for the address, and another one."""
    client.webhooks.create(URL, ["repo:fork"], "api", secret="hush")
    client.webhooks.create(f"{URL}/other", ["repo:push"], "api")
    return {}


SCHEDULES = {"repository": "api", "branch": "main", "custom_pipeline": "nightly", "cron_patterns": [NIGHTLY]}
VARIABLES = {"variables": {"TOKEN": "new", "DB": "x"}}
Case = tuple[type[Any], Prepare, dict[str, Any]]
CASES: dict[str, Case] = {
    "variables of a repository": (BitbucketSetPipelineVariablesOperator, nothing, {**VARIABLES, "repository": "api"}),
    "variables of the workspace": (BitbucketSetPipelineVariablesOperator, nothing, {**VARIABLES, "secured": False}),
    "variables of an environment": (BitbucketSetPipelineVariablesOperator, production, {**VARIABLES, "repository": "api"}),
    "environments": (
        BitbucketEnsureEnvironmentsOperator,
        nothing,
        {"repository": "api", "environments": {"Production EU": "Production", "QA": "Test"}},
    ),
    "schedules": (BitbucketEnsurePipelineSchedulesOperator, nothing, {**SCHEDULES, "cron_patterns": [NIGHTLY, NOON]}),
    "a schedule in place of another": (BitbucketEnsurePipelineSchedulesOperator, scheduled, SCHEDULES),
    "a schedule where there is no room": (BitbucketEnsurePipelineSchedulesOperator, full, SCHEDULES),
    "a disabled schedule": (BitbucketEnsurePipelineSchedulesOperator, nothing, {**SCHEDULES, "enabled": False}),
    "a webhook": (BitbucketEnsureWebhookOperator, nothing, {"url": URL, "events": ["repo:push"], "repository": "api"}),
    "a webhook of the workspace": (BitbucketEnsureWebhookOperator, nothing, {"url": URL, "events": ["repo:push"]}),
    "a webhook that exists": (
        BitbucketEnsureWebhookOperator,
        subscribed,
        {"url": URL, "events": ["repo:push"], "repository": "api"},
    ),
}
#: Cases whose first write is a POST.
CREATING = [name for name in CASES if name not in ("variables of an environment", "a webhook that exists")]


def with_parameters(case: Case) -> tuple[type[Any], Prepare]:
    """Return the operator of a case, and what prepares all its parameters."""
    operator, prepare, parameters = case
    return operator, lambda client, bitbucket: {**parameters, **prepare(client, bitbucket)}


@pytest.mark.parametrize("name", CASES)
def test_a_task_that_is_killed_after_any_request_has_one_effect(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    check_one_effect_despite_kills(monkeypatch, *with_parameters(CASES[name]), effect)


@pytest.mark.parametrize("name", CREATING)
def test_a_lost_answer_has_one_effect(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    check_one_effect_despite_lost_answers(monkeypatch, *with_parameters(CASES[name]), effect)
