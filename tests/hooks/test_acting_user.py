"""The acting user, where each user has credentials of their own; no task acts with the credentials of another user."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG, task

from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError, BitbucketUserError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.credentials.acting_user import as_key
from airflow_provider_bitbucket.sensors.pipelines import BitbucketPipelineSensor
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.operators.quick import QuickPipelineOperator
from tests.triggers.quick import quick_sensor

Connect = Callable[..., None]
ROBIN, ALEX = "Robin Reviewer", "Alex Author"


@pytest.fixture
def own(connect: Connect, bitbucket_emulator: BitbucketEmulator) -> Callable[..., None]:
    """Give a user a connection with the API token of an account at Bitbucket: ``own("robin", "robin.reviewer")``."""
    connect(connection_json(bitbucket_emulator, "api_token_per_user"))

    def give(key: str, account: str, **fields: Any) -> None:
        email, token = bitbucket_emulator.api_tokens[account]
        known = {"conn_type": "bitbucket", "login": email, "password": token, "extra": {"user": key}}
        connect(json.dumps({**known, **fields}), f"bitbucket_default__{key}")

    return give


def me(**parameters: Any) -> str:
    """Who Bitbucket takes us for."""
    return str(BitbucketHook(**parameters).get_conn().users.me()["display_name"])


def refusal(**parameters: Any) -> str:
    with pytest.raises(BitbucketUserError) as caught:
        BitbucketHook(**parameters).get_conn()
    with pytest.raises(BitbucketUserError):
        asyncio.run(BitbucketHook(**parameters).aget_conn())
    return str(caught.value)


def test_each_user_acts_with_their_own_token(own: Callable[..., None]) -> None:
    own("robin", "robin.reviewer")
    own("alex", "alex.author")
    assert (me(run_as="robin"), me(run_as=" alex ")) == (ROBIN, ALEX)
    assert BitbucketHook(run_as="alex").acting_user() == "alex"
    assert asyncio.run(BitbucketHook(run_as="robin").aget_conn()).users.me()["display_name"] == ROBIN


def test_a_user_without_a_connection_gets_the_command_to_add_it_and_never_the_credentials_of_another(
    own: Callable[..., None], bitbucket_emulator: BitbucketEmulator
) -> None:
    own("robin", "robin.reviewer")
    said = refusal(run_as="zoe")
    assert "'zoe' has no credentials for connection 'bitbucket_default'" in said
    assert """airflow connections add 'bitbucket_default__zoe' --conn-type bitbucket""" in said
    assert """--conn-extra '{"user": "zoe"}'""" in said
    assert bitbucket_emulator.requests() == {}


def test_a_run_that_no_user_triggered_needs_an_acting_user(
    own: Callable[..., None], connect: Connect, bitbucket_emulator: BitbucketEmulator
) -> None:
    own("robin", "robin.reviewer")
    assert "no user triggered this run" in refusal()
    connect(connection_json(bitbucket_emulator, "api_token_per_user", default_user="robin"))
    assert me() == ROBIN
    assert "'zoe' has no credentials" in refusal(run_as="zoe"), "the default user does not replace another user"


@pytest.mark.parametrize("nothing", ["", " ", "None"])
def test_a_run_as_that_renders_to_nothing_never_acts_as_another_user(
    own: Callable[..., None], connect: Connect, bitbucket_emulator: BitbucketEmulator, nothing: str
) -> None:
    own("robin", "robin.reviewer")
    connect(connection_json(bitbucket_emulator, "api_token_per_user", default_user="robin"))
    said = refusal(run_as=nothing)
    assert f"run_as is {nothing!r}; refusing to act as another user" in said
    assert "leave it out" in said
    assert bitbucket_emulator.requests() == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"extra": {}},
        {"extra": {"user": "Robin"}},
        {"extra": {"user": "alex"}},
        {"extra": {"auth_type": "api_token", "workspace": "acme"}},
        {"conn_type": "http"},
    ],
    ids=["says nothing", "other spelling", "another user", "a shared connection", "another service"],
)
def test_a_connection_that_does_not_name_the_user_is_not_used(own: Callable[..., None], fields: dict[str, Any]) -> None:
    own("robin", "robin.reviewer", **fields)
    assert "does not belong to 'robin'" in refusal(run_as="robin")


@pytest.mark.parametrize(
    ("user", "key"),
    [
        ("anna", "anna"),
        ("Anna.Meier", "anna.meier"),
        ("Anna@example.com", "anna-at-example.com"),
        ("a_b-c.1", "a_b-c.1"),
    ],
)
def test_a_name_becomes_a_part_of_an_id(user: str, key: str) -> None:
    assert as_key(user) == key


@pytest.mark.parametrize(
    "user", ["a__b", "_a", "a_", "__", "a/b", "../a", "a b", "a%2fb", "a\nb", "ü", "{{ a }}", "a" * 101, "-", "a;b"]
)
def test_a_name_that_could_reach_something_else_is_refused(user: str) -> None:
    with pytest.raises(BitbucketConfigurationError, match="cannot have credentials for Bitbucket"):
        as_key(user)


@pytest.mark.parametrize("auth_type", ["api_token", "access_token", "oauth_client_credentials"])
def test_one_credential_for_all_is_not_taken_for_a_users(
    connect: Connect, bitbucket_emulator: BitbucketEmulator, auth_type: str
) -> None:
    connect(connection_json(bitbucket_emulator, auth_type))
    with pytest.raises(BitbucketConfigurationError, match=r"has one credential for all .* run_as='robin' is not possible"):
        BitbucketHook(run_as="robin").get_conn()
    for nothing in (None, "", "None"):
        assert BitbucketHook(run_as=nothing).acting_user() is None


@pytest.mark.airflow
def test_in_a_dag_who_triggered_it_acts_in_the_worker_in_the_triggerer_and_in_the_tasks_own_code(
    own: Callable[..., None],
    run_dag: Callable[[DAG], Any],
    bitbucket_emulator: BitbucketEmulator,
) -> None:
    own("robin", "robin.reviewer")
    own("alex", "alex.author")
    bitbucket_emulator.clock(speed=600)
    with DAG("acting_user", schedule=None, params={"who": "robin"}) as dag:
        start = QuickPipelineOperator(
            task_id="deferred", repository="api", branch="main", run_as="{{ params.who }}", deferrable=True, poll_interval=0.1
        )
        wait = quick_sensor(BitbucketPipelineSensor)(
            task_id="sensor",
            repository="api",
            pipeline="{{ ti.xcom_pull(task_ids='deferred', key='build_number') }}",
            run_as="alex",
            deferrable=True,
            poke_interval=0.1,
        )

        @task
        def own_code() -> str:
            return me(run_as="alex")

        start >> wait >> own_code()
    dag_run = run_dag(dag)
    assert {one.task_id: one.state for one in dag_run.get_task_instances()} == dict.fromkeys(
        ("deferred", "sensor", "own_code"), "success"
    )
    creator = BitbucketHook(run_as="robin").get_conn().pipelines.get("api", "1")["creator"]
    assert creator["display_name"] == ROBIN
