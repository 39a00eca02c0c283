"""Every feature works with exactly its scopes and fails with any of them missing, in both spellings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_bitbucket.client import (
    AccessToken,
    ApiToken,
    BitbucketClient,
    BitbucketPermissionError,
)
from airflow_provider_bitbucket.client.transport.scopes import FEATURES, Feature
from bitbucket_cloud_emulator import BitbucketEmulator

API = "/repositories/acme/api"
HOOK: dict[str, Any] = {"description": "Airflow", "url": "https://airflow.example.com/", "active": True, "events": ["repo:push"]}
STATUS = {"key": "airflow", "state": "SUCCESSFUL", "url": "https://airflow.example.com/"}

#: A request of each feature that needs all of its scopes; ``{head}`` is a commit.
REQUESTS: dict[str, tuple[str, str, Any]] = {
    "read repositories and commits": ("GET", f"{API}/commits", None),
    "report build statuses": ("POST", f"{API}/commit/{{head}}/statuses/build", STATUS),
    "change branches and files": ("POST", f"{API}/refs/branches", {"name": "new", "target": {"hash": "main"}}),
    "administer repositories": ("PUT", f"{API}/override-settings", {"override_settings": {}}),
    "delete repositories": ("DELETE", API, None),
    "administer projects": ("POST", "/workspaces/acme/projects", {"key": "OPS", "name": "Operations"}),
    "read pull requests": ("GET", f"{API}/pullrequests", None),
    "read diffs of pull requests": ("GET", f"{API}/pullrequests/1/diffstat", None),
    "comment on pull requests": ("POST", f"{API}/pullrequests/1/comments", {"content": {"raw": "Done."}}),
    "change and merge pull requests": ("POST", f"{API}/pullrequests/1/approve", None),
    "read pipelines and deployments": ("GET", f"{API}/pipelines", None),
    "start and stop pipelines": (
        "POST",
        f"{API}/pipelines",
        {"target": {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main"}},
    ),
    "change pipeline variables": ("POST", f"{API}/pipelines_config/variables", {"key": "A", "value": "b"}),
    "show the account": ("GET", "/user", None),
    "list workspaces and members": ("GET", "/workspaces/acme/members", None),
    "manage webhooks": ("POST", f"{API}/hooks", HOOK),
    "remove webhooks": ("DELETE", f"{API}/hooks/{{hook}}", None),
}
#: Scopes that a request needs for what it is about, besides those of its feature.
BESIDES = {"manage webhooks": {"scopes": {"read:repository:bitbucket"}, "legacy": {"repository"}}}

ClientWith = Callable[[frozenset[str]], BitbucketClient]
CASES = [
    pytest.param(feature, spelling, id=f"{feature.name}-{spelling}") for feature in FEATURES for spelling in ("scopes", "legacy")
]


@pytest.fixture
def client_with(bitbucket_emulator: BitbucketEmulator, make_client: Callable[..., BitbucketClient]) -> ClientWith:
    """Return a function that makes a client whose credentials have the given scopes."""

    def make(scopes: frozenset[str]) -> BitbucketClient:
        secret = f"token-{'-'.join(sorted(scopes))}"
        if all(scope.endswith(":bitbucket") for scope in scopes):
            bitbucket_emulator.credentials("api_token", secret, login="few@x.org", scopes=sorted(scopes))
            return make_client(ApiToken("few@x.org", secret))
        bitbucket_emulator.credentials("oauth2", secret, scopes=sorted(scopes))
        return make_client(AccessToken(secret))

    return make


@pytest.mark.parametrize(("feature", "spelling"), CASES)
def test_a_feature_works_with_exactly_its_scopes_and_the_error_names_a_missing_one(
    feature: Feature, spelling: str, client_with: ClientWith, client: BitbucketClient
) -> None:
    method, path, body = REQUESTS[feature.name]
    path = path.format(**prepare(client))
    needed: frozenset[str] = getattr(feature, spelling)
    held = needed | BESIDES.get(feature.name, {}).get(spelling, set())
    client_with(held).request(method, path, json=body, headers={"Accept": "*/*"})
    for scope in needed:
        with pytest.raises(BitbucketPermissionError) as caught:
            client_with(held - {scope}).request(method, path, json=body)
        missing, granted, switched_off = caught.value.message.splitlines()[1:]
        assert scope in missing
        assert all(one in granted for one in held - {scope})
        assert feature.name in switched_off
        assert caught.value.granted == held - {scope}
        assert caught.value.request_id


def prepare(client: BitbucketClient) -> dict[str, str]:
    """Open pull request 1, and return a commit and a webhook."""
    head: str = client.refs.branch("api", "main")["target"]["hash"]
    client.request("POST", f"{API}/refs/branches", json={"name": "topic", "target": {"hash": head}})
    change = {"README.md": "# Changed\n", "branch": "topic", "message": "Change"}
    client.request("POST", f"{API}/src", data=change)
    client.request("POST", f"{API}/pullrequests", json={"title": "Change", "source": {"branch": {"name": "topic"}}})
    return {"head": head, "hook": client.webhooks.create(HOOK["url"], HOOK["events"], "api")["uuid"]}


def test_the_error_for_a_missing_scope_names_all_features_that_it_switches_off(client_with: ClientWith) -> None:
    with pytest.raises(BitbucketPermissionError) as caught:
        client_with(frozenset({"read:repository:bitbucket"})).pipelines.trigger("api", branch="main")
    assert caught.value.message.splitlines()[1:] == [
        "Missing: read:pipeline:bitbucket, write:pipeline:bitbucket (OAuth and access tokens: pipeline:write).",
        "Granted: read:repository:bitbucket (OAuth and access tokens: repository).",
        "This switches off: read pipelines and deployments; start and stop pipelines.",
    ]


def test_a_403_for_another_reason_does_not_mention_scopes(make_client: Callable[..., BitbucketClient]) -> None:
    with pytest.raises(BitbucketPermissionError) as caught:
        make_client(AccessToken("demo-access-token")).users.me()
    assert caught.value.message == "This API is not accessible by this authentication mechanism."
    assert caught.value.granted is None
