"""A pipeline whose start was interrupted is found by its target, creator and time."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_provider_bitbucket.client import ApiToken, BitbucketBadRequestError, BitbucketClient
from airflow_provider_bitbucket.pipeline_runs.candidates import acting_account, snapshot, started_since, unfinished
from airflow_provider_bitbucket.pipeline_runs.target import PipelineTarget, matches_target
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.client.web_server import Answer, WebServer

HASH = "a" * 40


def target(**fields: Any) -> PipelineTarget:
    """Return the target of a start."""
    return PipelineTarget(**fields)


@pytest.fixture
def client(bitbucket_emulator: BitbucketEmulator) -> BitbucketClient:
    return BitbucketClient(ApiToken(*bitbucket_emulator.api_token), "acme", bitbucket_emulator.api_url)


@pytest.mark.parametrize(
    ("asked", "shown", "same"),
    [
        ({"branch": "main"}, {"ref_name": "main", "selector": {"type": "branches", "pattern": "ma*"}}, True),
        ({"branch": "main"}, {"ref_name": "main", "selector": None}, True),
        ({"branch": "main"}, {"ref_name": "main", "selector": {"type": "custom", "pattern": "x"}}, False),
        ({"branch": "main"}, {"ref_name": "dev"}, False),
        ({"tag": "main"}, {"ref_name": "main"}, False),
        ({"branch": "main", "custom_pipeline": "x"}, {"ref_name": "main", "selector": {"type": "custom", "pattern": "x"}}, True),
        ({"branch": "main", "custom_pipeline": "x"}, {"ref_name": "main", "selector": {"type": "custom", "pattern": "y"}}, False),
        ({"branch": "main", "custom_pipeline": "x"}, {"ref_name": "main", "selector": {"type": "default"}}, False),
    ],
)
def test_a_branch_matches_together_with_its_selector(asked: dict[str, Any], shown: dict[str, Any], same: bool) -> None:
    assert matches_target(target(**asked).request, {"type": "pipeline_ref_target", "ref_type": "branch", **shown}) is same


def test_a_commit_matches_by_its_full_or_abbreviated_hash() -> None:
    custom = {"type": "custom", "pattern": "x"}
    shown = {"type": "pipeline_commit_target", "commit": {"hash": HASH}, "selector": custom}
    assert matches_target(target(commit="a" * 12, custom_pipeline="x").request, shown)
    assert not matches_target(target(commit="b" * 12, custom_pipeline="x").request, shown)


@pytest.mark.parametrize("kind", ["branch", "tag"])
def test_a_commit_on_a_ref_matches_by_commit_and_ref(kind: str) -> None:
    asked = target(**{kind: "v1", "commit": "A" * 12}).request
    shown = {"type": "pipeline_ref_target", "ref_type": kind, "ref_name": "v1", "commit": {"type": "commit", "hash": HASH}}
    assert matches_target(asked, shown)
    assert matches_target(target(**{kind: "v1"}).request, shown)
    assert not matches_target(asked, {**shown, "commit": {"hash": "b" * 40}})
    assert not matches_target(asked, {**shown, "commit": None})
    assert not matches_target(asked, {**shown, "ref_name": "v2"})
    assert not matches_target(target(commit=HASH, custom_pipeline="x").request, shown)


@pytest.mark.parametrize(
    "fields", [{}, {"branch": "a", "tag": "b"}, {"commit": HASH, "pull_request": 1}, {"branch": "a", "tag": "b", "commit": HASH}]
)
def test_contradictory_targets_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Exactly one of .* \(commit may accompany branch or tag\)"):
        target(**fields)


def test_a_pull_request_matches_by_its_number() -> None:
    selector = {"type": "pull-requests", "pattern": "feature/*"}
    shown = {"type": "pipeline_pullrequest_target", "pullrequest": {"id": 3}, "selector": selector}
    assert matches_target(target(pull_request=3).request, shown)
    assert not matches_target(target(pull_request=4).request, shown)


def test_only_newer_pipelines_of_the_same_creator_are_found(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    assert snapshot(client, "api").newest == 0
    client.pipelines.trigger("api", branch="main")
    before = snapshot(client, "api")
    assert (before.newest, before.at) == (1, bitbucket_emulator.clock())
    mine = client.pipelines.trigger("api", branch="main")["uuid"]
    other = BitbucketClient(ApiToken(*bitbucket_emulator.api_tokens["robin.reviewer"]), "acme", bitbucket_emulator.api_url)
    theirs = other.pipelines.trigger("api", branch="main")["uuid"]

    def found(creator: str | None) -> list[str]:
        return [row["uuid"] for row in started_since(client, "api", target(branch="main"), before.newest, creator)]

    assert found(acting_account(client)) == [mine]
    assert found(None) == [theirs, mine]


def test_unfinished_pipelines_of_all_creators_are_found(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> None:
    for _ in range(2):
        client.pipelines.trigger("api", branch="main")
    bitbucket_emulator.control("POST", "pipelines/acme/api/1/finish", {"result": "FAILED"})
    assert [row["build_number"] for row in unfinished(client, "api", target(branch="main"))] == [2]


@pytest.mark.parametrize("is_refused", [False, True])
def test_running_pipelines_are_found_whether_or_not_bitbucket_accepts_in_progress(is_refused: bool) -> None:
    """The published OpenAPI calls a running pipeline BUILDING, Atlassian's staff IN_PROGRESS."""
    path = "/2.0/repositories/acme/api/pipelines/"
    ref = {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main"}
    running = {"values": [{"uuid": "{1}", "build_number": 1, "target": ref}]}
    with WebServer() as server:
        server.answer(path, *([Answer({"error": {"message": "Bad request"}}, 400)] if is_refused else []), running)
        client = BitbucketClient(ApiToken("me@x.org", "secret"), "acme", server.api_url)
        for _ in range(2):
            assert [row["uuid"] for row in unfinished(client, "api", target(branch="main"))] == ["{1}"]
        asked = [parse_qs(urlsplit(one.path).query)["status"] for one in server.asked]

    assert all({"PENDING", "BUILDING", "PAUSED"} <= set(statuses) for statuses in asked)
    assert ["IN_PROGRESS" in statuses for statuses in asked] == ([True, False, False] if is_refused else [True, True])


def test_a_400_for_another_reason_is_raised() -> None:
    with WebServer() as server:
        server.answer("/2.0/repositories/acme/api/pipelines/", Answer({"error": {"message": "Bad request"}}, 400))
        client = BitbucketClient(ApiToken("me@x.org", "secret"), "acme", server.api_url)
        for _ in range(2):
            with pytest.raises(BitbucketBadRequestError):
                unfinished(client, "api", target(branch="main"))
        assert ["IN_PROGRESS" in one.path for one in server.asked] == [True, False, True, False]


def test_credentials_without_an_account_have_no_acting_account(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    from airflow_provider_bitbucket.client import AccessToken

    token = BitbucketClient(AccessToken(bitbucket_emulator.access_token), "acme", bitbucket_emulator.api_url)
    assert acting_account(token) is None


def test_a_snapshot_is_empty_where_pipelines_are_switched_off(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.control("POST", "repositories", {"repository": "api", "pipelines_enabled": False})
    assert snapshot(client, "api").newest == 0
