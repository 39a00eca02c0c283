"""Webhook subscriptions over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call

HOOKS = "/repositories/acme/api/hooks"
NEW: dict[str, Any] = {"url": "https://airflow.example.com/x", "events": ["repo:push"], "secret": "hush"}


def test_a_secret_is_never_returned_and_stays_unless_it_is_removed(call: Call, bitbucket_emulator: BitbucketEmulator) -> None:
    made = call(HOOKS, "POST", json=NEW).json()
    one = f"{HOOKS}/{made['uuid']}"
    kept = call(one, "PUT", json={"description": "Airflow"}).json()
    listed = call(HOOKS).json()["values"][0]
    removed = call(one, "PUT", json={"secret": ""}).json()

    assert "hush" not in f"{made}{kept}{listed}"
    assert [one["secret_set"] for one in (made, kept, listed, removed)] == [True, True, True, False]
    assert "hush" not in str(bitbucket_emulator.control("GET", "requests?recent=10"))


def test_the_same_address_twice_makes_two_webhooks(call: Call) -> None:
    for _ in range(2):
        call(HOOKS, "POST", json=NEW)

    assert len(call(HOOKS).json()["values"]) == 2


def test_a_webhook_is_found_with_and_without_braces(call: Call) -> None:
    uuid = call(HOOKS, "POST", json=NEW).json()["uuid"]

    assert call(f"{HOOKS}/{uuid.strip('{}')}").json()["uuid"] == uuid


@pytest.mark.parametrize(
    "change",
    [
        {"events": []},
        {"events": ["repo:push"] * 2},
        {"events": ["repo:pushed"]},
        {"url": "airflow"},
        {"url": ""},
        {"events": "x"},
    ],
)
def test_a_malformed_subscription_is_refused_and_not_stored(call: Call, change: dict[str, Any]) -> None:
    assert call(HOOKS, "POST", json={**NEW, **change}).status_code == 400
    assert call(HOOKS).json()["values"] == []


def test_events_of_workspaces_are_not_events_of_repositories(call: Call) -> None:
    created = {**NEW, "events": ["repo:created"]}

    assert call(HOOKS, "POST", json=created).status_code == 400
    assert call("/workspaces/acme/hooks", "POST", json=created).status_code == 201


def test_the_scope_of_each_event_is_needed(call: Call, bitbucket_emulator: BitbucketEmulator) -> None:
    scopes = [f"{name}:bitbucket" for name in ("read:webhook", "write:webhook", "read:repository")]
    bitbucket_emulator.credentials("workspace_access_token", "narrow", workspace="acme", scopes=scopes)

    refused = call(HOOKS, "POST", token="narrow", json={**NEW, "events": ["pullrequest:created"]})

    assert refused.status_code == 403
    assert refused.json()["error"]["detail"]["required"] == ["read:pullrequest:bitbucket"]
    assert call(HOOKS, "POST", token="narrow", json=NEW).status_code == 201


def test_a_token_of_a_repository_does_not_reach_the_webhooks_of_its_workspace(call: Call) -> None:
    assert call(HOOKS, token="demo-repository-token").status_code == 200
    assert call("/workspaces/acme/hooks", token="demo-repository-token").status_code == 403


def test_only_administrators_manage_webhooks(call: Call, bitbucket_emulator: BitbucketEmulator) -> None:
    login = next(one for one in bitbucket_emulator.api_tokens.values() if one != bitbucket_emulator.api_token)

    assert call(HOOKS, auth=login).status_code == 403


def test_the_events_are_listed_without_credentials(call: Call) -> None:
    subjects = call("/hook_events", auth=None).json()
    events = call(subjects["repository"]["links"]["events"]["href"], auth=None).json()["values"]

    assert {"repo:push", "pullrequest:fulfilled"} < {one["event"] for one in events}
