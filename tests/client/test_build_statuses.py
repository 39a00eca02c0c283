"""Build statuses are set once per key, whatever happens to the responses."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_bitbucket import client as bitbucket
from airflow_provider_bitbucket.client import BitbucketClient
from bitbucket_cloud_emulator import BitbucketEmulator

FIELDS: dict[str, Any] = {"key": "airflow", "url": "https://airflow.example.com/dags/etl", "name": "etl"}


def test_the_same_key_changes_the_status_in_place(client: BitbucketClient) -> None:
    started = client.build_statuses.set("api", "main", **FIELDS, state="INPROGRESS", description="Running")
    ended = client.build_statuses.set("api", "main", **FIELDS, state="SUCCESSFUL")

    rows = [*client.build_statuses.list("api", "main")]
    assert [(row["key"], row["state"], row["description"]) for row in rows] == [("airflow", "SUCCESSFUL", "Running")]
    assert started["created_on"] == ended["created_on"]


def test_a_status_whose_response_was_lost_is_set_once_more_without_a_second_one(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.fault("lost_answer", method="POST", path="/statuses/build")

    client.build_statuses.set("api", "main", **FIELDS, state="FAILED")

    assert [row["key"] for row in client.build_statuses.list("api", "main")] == ["airflow"]
    assert bitbucket_emulator.requests()["POST /repositories/{workspace}/{repo_slug}/commit/{commit}/statuses/build"] == 2


def test_an_update_keeps_what_it_does_not_name(client: BitbucketClient) -> None:
    client.build_statuses.set("api", "main", **FIELDS, state="INPROGRESS", refname="main")

    client.build_statuses.update("api", "main", "airflow", state="STOPPED", description="Stopped by hand")

    status = client.build_statuses.get("api", "main", "airflow")
    assert {**FIELDS, "state": "STOPPED", "description": "Stopped by hand", "refname": "main"}.items() <= status.items()


def test_a_status_of_a_branch_is_found_by_its_name(client: BitbucketClient) -> None:
    client.build_statuses.set("api", "main", **FIELDS, state="FAILED", refname="main")

    assert [*client.build_statuses.list("api", "main", refname="other")] == []
    assert len([*client.build_statuses.list("api", "main", refname="main")]) == 1


def test_refusals_name_the_field(client: BitbucketClient) -> None:
    with pytest.raises(bitbucket.BitbucketError, match=r"key: Ensure this value has at most 40 characters \(it has 41\)"):
        client.build_statuses.set("api", "main", **{**FIELDS, "key": "k" * 41}, state="FAILED")
    with pytest.raises(bitbucket.BitbucketError, match=r"url: Enter a valid URL"):
        client.build_statuses.set("api", "main", **{**FIELDS, "url": "/dags/etl"}, state="FAILED")
    with pytest.raises(bitbucket.BitbucketNotFoundError, match="Commit not found"):
        client.build_statuses.set("api", "f" * 40, **FIELDS, state="FAILED")
    with pytest.raises(bitbucket.BitbucketNotFoundError, match="No build status"):
        client.build_statuses.update("api", "main", "unknown", state="FAILED")
