"""What granted scopes allow, in both spellings."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient, BitbucketPermissionError
from airflow_provider_bitbucket.client.scopes import FEATURES, Feature, missing_features, parse
from airflow_provider_bitbucket.emulator import BitbucketEmulator
from airflow_provider_bitbucket.emulator.seeds.common import CONSUMER_SCOPES
from tests.openapi import OpenApi

ALL = {feature.name for feature in FEATURES}


def possible(*granted: str) -> set[str]:
    return ALL - {feature.name for feature in missing_features(granted)}


@pytest.mark.parametrize(
    ("granted", "features"),
    [
        ((), set()),
        (("repository",), {"read repositories, branches and commits"}),
        (("read:repository:bitbucket",), {"read repositories, branches and commits"}),
        (("write:repository:bitbucket",), set()),  # API-token scopes include nothing else
        (("repository:write",), {"read repositories, branches and commits", "change branches and files"}),
        (("pipeline",), {"read pipelines and deployments"}),
        (("pipeline:write",), {"read pipelines and deployments", "start and stop pipelines"}),
        (("pipeline:variable",), {"read pipelines and deployments", "start and stop pipelines"}),
        (("write:pipeline:bitbucket",), set()),
        (("read:pipeline:bitbucket", "write:pipeline:bitbucket"), {"read pipelines and deployments", "start and stop pipelines"}),
        (("pullrequest",), {"read repositories, branches and commits", "read pull requests and their metrics"}),
        (("account",), {"show the account", "list workspaces and members"}),
        (("webhook",), {"manage webhooks"}),
        (("project:admin", "nonsense"), set()),
    ],
)
def test_what_each_scope_allows(granted: tuple[str, ...], features: set[str]) -> None:
    assert possible(*granted) == features


def test_writing_pull_requests_as_a_consumer_brings_reading_them_and_the_repository() -> None:
    assert possible("pullrequest:write") == {
        "read repositories, branches and commits",
        "change branches and files",
        "read pull requests and their metrics",
        "change pull requests",
    }


def test_a_consumer_with_the_usual_scopes_can_do_everything() -> None:
    assert possible(*CONSUMER_SCOPES) == ALL


def test_the_header_is_read_whatever_separates_it() -> None:
    assert parse("pipeline, repository:write,account  email") == {"pipeline", "repository:write", "account", "email"}
    assert parse("") == frozenset()


REPOSITORY = "/repositories/{workspace}/{repo_slug}"
OPERATIONS = {
    "read repositories, branches and commits": [
        f"GET {REPOSITORY}",
        f"GET {REPOSITORY}/commits",
        f"GET {REPOSITORY}/refs/branches",
    ],
    "change branches and files": [f"POST {REPOSITORY}/refs/branches", f"POST {REPOSITORY}/src"],
    "read pull requests and their metrics": [f"GET {REPOSITORY}/pullrequests", f"GET {REPOSITORY}/pullrequests/activity"],
    "change pull requests": [f"POST {REPOSITORY}/pullrequests", f"POST {REPOSITORY}/pullrequests/{{pull_request_id}}/merge"],
    "read pipelines and deployments": [f"GET {REPOSITORY}/pipelines", f"GET {REPOSITORY}/deployments"],
    "start and stop pipelines": [f"POST {REPOSITORY}/pipelines", f"POST {REPOSITORY}/pipelines/{{pipeline_uuid}}/stopPipeline"],
    "show the account": ["GET /user"],
    "list workspaces and members": ["GET /workspaces/{workspace}", "GET /workspaces/{workspace}/members"],
    "manage webhooks": [f"GET {REPOSITORY}/hooks", f"POST {REPOSITORY}/hooks"],
}


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_needs_what_bitbucket_says_its_operations_need(feature: Feature) -> None:
    operations = OpenApi.load().operations
    needed = set()
    for operation in OPERATIONS[feature.name]:
        method, template = operation.split(" ")
        (current,) = operations[method, template].definition["x-atlassian-oauth2-scopes"]
        needed |= set(current["scopes"])
    assert needed == feature.scopes


def test_the_emulated_bitbucket_agrees_on_what_a_missing_scope_is(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator
) -> None:
    body = {"kind": "api_token", "login": "x@x.org", "secret": "t", "scopes": ["read:pipeline:bitbucket"]}
    bitbucket_emulator.control("POST", "credentials", body)
    client = make_client(ApiToken("x@x.org", "t"))
    granted = client.request("GET", f"{client.repository_path('api')}/pipelines/").headers["X-OAuth-Scopes"]
    assert "start and stop pipelines" in {feature.name for feature in missing_features(parse(granted))}
    with pytest.raises(BitbucketPermissionError) as caught:
        client.pipelines.trigger("api", branch="main")
    assert "Missing: write:pipeline:bitbucket. Granted: read:pipeline:bitbucket." in caught.value.message
