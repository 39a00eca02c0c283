"""Operators of variables, environments, schedules and webhooks in a DAG of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitbucket.operators.environments import BitbucketEnsureEnvironmentsOperator
from airflow_provider_bitbucket.operators.pipeline_schedules import BitbucketEnsurePipelineSchedulesOperator
from airflow_provider_bitbucket.operators.pipeline_variables import BitbucketSetPipelineVariablesOperator
from airflow_provider_bitbucket.operators.webhooks import BitbucketEnsureWebhookOperator
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.airflow_home import TaskRun

Run = Callable[..., TaskRun]
HOOK: dict[str, Any] = {"url": "https://airflow.example.com/bitbucket", "events": ["repo:push"], "repository": "api"}
SECRET = "s3cr3t-value-of-a-variable"


def test_a_rotated_secret_is_in_bitbucket_and_nowhere_in_airflow(
    bitbucket: BitbucketEmulator, run_task: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_ROTATED", SECRET)

    run = run_task(
        BitbucketSetPipelineVariablesOperator, repository="api", variables={"TOKEN": "{{ var.value.rotated }}", "N": 5}
    )

    kept = next(bitbucket.state.repositories()).variables
    assert [(one.key, one.value, one.secured) for one in kept] == [("TOKEN", SECRET, True), ("N", "5", True)]
    assert set(run.value) == {"TOKEN", "N"}
    assert SECRET not in run.log
    assert SECRET not in str(run.xcom)


def test_secrets_stay_out_of_the_rendered_fields(bitbucket: BitbucketEmulator, run_task: Run) -> None:
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.utils.session import create_session

    run_task(BitbucketSetPipelineVariablesOperator, repository="api", variables={"TOKEN": SECRET})

    with create_session() as session:
        stored = session.query(RenderedTaskInstanceFields).all()
    assert SECRET not in str([one.rendered_fields for one in stored])


def test_each_variable_can_state_whether_it_is_secured(bitbucket: BitbucketEmulator, run_task: Run) -> None:
    variables = [{"key": "TOKEN", "value": "x"}, {"key": "REGION", "value": "eu", "secured": False}]

    run_task(BitbucketSetPipelineVariablesOperator, variables=variables)

    kept = bitbucket.state.workspaces["acme"].variables
    assert [(one.key, one.secured) for one in kept] == [("TOKEN", True), ("REGION", False)]


def test_an_unknown_environment_is_reported_with_those_that_exist(bitbucket: BitbucketEmulator, run_task: Run) -> None:
    run_task(BitbucketEnsureEnvironmentsOperator, repository="api", environments={"QA": "Test"})

    run = run_task(BitbucketSetPipelineVariablesOperator, repository="api", environment="production", variables={"TOKEN": "x"})

    assert "environment is 'production'; expected an environment of api, which has: QA" in str(run.error)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"variables": {}}, "variables is empty"),
        ({"variables": [{"key": "A"}]}, "expected key, value"),
        ({"variables": [{"key": "A", "value": SECRET, "secret": True}]}, "expected key, value"),
        ({"variables": {"A": "x"}, "repository": "{{ none }}"}, "repository is empty"),
        ({"variables": {"A": "x"}, "environment": "QA"}, "the repository of the environment"),
    ],
)
def test_malformed_variables_are_refused_before_any_request(
    bitbucket: BitbucketEmulator, run_task: Run, parameters: dict[str, Any], message: str
) -> None:
    run = run_task(BitbucketSetPipelineVariablesOperator, **parameters)

    assert message in str(run.error)
    assert SECRET not in run.log
    assert not bitbucket.requests()


def test_environments_of_an_unknown_type_are_refused_before_any_request(bitbucket: BitbucketEmulator, run_task: Run) -> None:
    run = run_task(BitbucketEnsureEnvironmentsOperator, repository="api", environments={"QA": "Test", "X": "Prod"})

    assert "environments['X'] is 'Prod'; expected one of Test, Staging, Production" in str(run.error)
    assert not bitbucket.requests()


def test_a_cron_pattern_of_five_fields_is_refused(bitbucket: BitbucketEmulator, run_task: Run) -> None:
    run = run_task(BitbucketEnsurePipelineSchedulesOperator, repository="api", branch="main", cron_patterns="30 2 * * *")

    assert "expected seven fields" in str(run.error)
    assert not bitbucket.requests()


def test_an_empty_list_of_patterns_removes_the_schedules_of_that_pipeline_alone(
    bitbucket: BitbucketEmulator, run_task: Run
) -> None:
    for pipeline in ("nightly", None):
        parameters = {"repository": "api", "branch": "main", "custom_pipeline": pipeline}
        run_task(BitbucketEnsurePipelineSchedulesOperator, **parameters, cron_patterns="0 30 2 * * ? *")

    run_task(
        BitbucketEnsurePipelineSchedulesOperator, repository="api", branch="main", custom_pipeline="nightly", cron_patterns=[]
    )

    (left,) = next(bitbucket.state.repositories()).schedules
    assert left.target["selector"] == {"type": "branches", "pattern": "main"}


def test_schedules_that_are_there_already_cost_one_request(bitbucket: BitbucketEmulator, run_task: Run) -> None:
    parameters = {"repository": "api", "branch": "main", "cron_patterns": ["0 30 2 * * ? *"]}
    first = run_task(BitbucketEnsurePipelineSchedulesOperator, **parameters).value
    bitbucket.reset_requests()

    assert run_task(BitbucketEnsurePipelineSchedulesOperator, **parameters).value == first
    assert sum(bitbucket.requests().values()) == 1


def test_a_webhook_is_created_updated_or_left(bitbucket: BitbucketEmulator, run_task: Run) -> None:
    changes = [
        run_task(BitbucketEnsureWebhookOperator, **{**HOOK, "events": events}).value["change"]
        for events in (["repo:push"], ["repo:push", "repo:fork"], ["repo:fork", "repo:push", "repo:push"])
    ]

    assert changes == ["created", "updated", "unchanged"]
    assert len(next(bitbucket.state.repositories()).webhooks) == 1


def test_the_secret_of_a_webhook_is_the_password_of_a_connection(
    bitbucket: BitbucketEmulator, run_task: Run, connect: Callable[..., None]
) -> None:
    connect('{"conn_type": "generic", "password": "hush-hush"}', "webhook_secret")

    for expected in ("created", "updated"):
        run = run_task(BitbucketEnsureWebhookOperator, **HOOK, secret_conn_id="webhook_secret")
        assert run.value["change"] == expected
        assert "hush-hush" not in run.log + str(run.xcom)
    assert [one.secret for one in next(bitbucket.state.repositories()).webhooks] == ["hush-hush"]

    run_task(BitbucketEnsureWebhookOperator, **{**HOOK, "events": "repo:fork"})
    assert [one.secret for one in next(bitbucket.state.repositories()).webhooks] == ["hush-hush"]


def test_a_connection_without_a_password_is_named(
    bitbucket: BitbucketEmulator, run_task: Run, connect: Callable[..., None]
) -> None:
    connect('{"conn_type": "generic"}', "webhook_secret")

    run = run_task(BitbucketEnsureWebhookOperator, **HOOK, secret_conn_id="webhook_secret")

    assert "Connection 'webhook_secret' has no password" in str(run.error)
    assert not next(bitbucket.state.repositories()).webhooks


def test_several_webhooks_for_the_address_are_reported_and_none_is_added(
    bitbucket: BitbucketEmulator, run_task: Run, caplog: pytest.LogCaptureFixture
) -> None:
    from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook

    for _ in range(2):
        BitbucketHook().get_conn().webhooks.create(HOOK["url"], ["repo:fork"], "api")

    run_task(BitbucketEnsureWebhookOperator, **HOOK)

    assert "has several webhooks" in caplog.text
    assert [one.events for one in next(bitbucket.state.repositories()).webhooks] == [["repo:push"], ["repo:fork"]]
