"""Errors say what Bitbucket said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from airflow_provider_bitbucket import client as bitbucket
from airflow_provider_bitbucket.client import AccessToken, ApiToken, BitbucketClient, OAuthClientCredentials
from airflow_provider_bitbucket.client.errors import from_response
from airflow_provider_bitbucket.emulator import BitbucketEmulator


def answer(status: int, body: str, kind: str = "application/json") -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = body.encode()
    response.headers["Content-Type"] = kind
    response.url = "https://me:secret@api.bitbucket.org/2.0/x?access_token=secret"
    return response


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (400, '{"type":"error","error":{"message":"Bad request","detail":"The request body contains invalid properties"}}', "application/json", "Bad request. The request body contains invalid properties."),
        (400, '{"error":{"message":"Bad request","detail":"Requested selector is not found.","data":{"key":"a.b"}}}', "application/json", "Bad request. Requested selector is not found [a.b]."),
        (400, '{"type":"error","error":{"message":"key: too long","fields":{"key":["too long"]}}}', "application/json", "key: too long."),
        (400, '{"type":"error","error":{"message":"Bad request","fields":{"type":"extra keys not allowed"}}}', "application/json", "Bad request. type: extra keys not allowed."),
        (429, "Rate limit for this resource has been exceeded", "text/plain", "Rate limit for this resource has been exceeded."),
        (502, "<html><head><title>Bad\n gateway</title></head><body>session=abc</body></html>", "text/html", "Bad gateway."),
        (500, "", "text/html", "no message."),
        (500, "{broken", "application/json", "{broken."),
        (500, '{"error": null}', "application/json", '{"error": null}.'),
        (404, "Not Found", "text/plain", "Not found: it does not exist, or these credentials have no access to it; Bitbucket answers both alike."),
    ],
)  # fmt: skip
def test_bitbuckets_own_sentence_is_found_wherever_it_hides(status: int, body: str, kind: str, said: str) -> None:
    error = from_response(answer(status, body, kind), "GET")
    assert error.message == said
    assert error.status == status
    assert "secret" not in str(error)
    assert "session=abc" not in str(error)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, bitbucket.BitbucketAuthError),
        (403, bitbucket.BitbucketPermissionError),
        (404, bitbucket.BitbucketNotFoundError),
        (409, bitbucket.BitbucketConflictError),
        (410, bitbucket.BitbucketGoneError),
        (418, bitbucket.BitbucketError),
        (555, bitbucket.BitbucketServerError),
    ],
)
def test_every_status_has_its_kind_of_error(status: int, kind: type[Any]) -> None:
    assert type(from_response(answer(status, "{}"), "GET")) is kind


def test_a_missing_scope_is_named(make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.control(
        "POST", "credentials", {"kind": "api_token", "secret": "s", "login": "a@b.c", "scopes": ["read:pipeline:bitbucket"]}
    )
    with pytest.raises(bitbucket.BitbucketPermissionError) as caught:
        make_client(ApiToken("a@b.c", "s")).pipelines.trigger("api", branch="main")
    assert "Missing: write:pipeline:bitbucket. Granted: read:pipeline:bitbucket." in caught.value.message
    assert caught.value.request_id


def test_a_removed_part_of_the_api_is_told_from_a_missing_one(client: BitbucketClient) -> None:
    with pytest.raises(bitbucket.BitbucketGoneError, match="CHANGE-2770"):
        client.get("/workspaces")


def test_a_wrong_token_is_an_auth_error(make_client: Callable[..., BitbucketClient]) -> None:
    with pytest.raises(bitbucket.BitbucketAuthError, match="Invalid credentials"):
        make_client(ApiToken("demo@example.com", "wrong")).users.me()
    with pytest.raises(bitbucket.BitbucketAuthError, match="it needs the account e-mail beside it"):
        make_client(AccessToken("demo-api-token")).users.me()
    with pytest.raises(bitbucket.BitbucketAuthError, match="marked as private"):
        make_client(OAuthClientCredentials("demo-key", "wrong")).users.me()


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"branch": "main", "custom_pipeline": "deploy-prod"}, "Bitbucket has no custom pipeline 'deploy-prod' in bitbucket-pipelines.yml at branch 'main' of acme/api"),
        ({"branch": "nope"}, "There is no branch 'nope' in acme/api"),
        ({"tag": "v9"}, "There is no tag 'v9' in acme/api"),
    ],
)  # fmt: skip
def test_a_refused_start_says_which_part_was_wrong(client: BitbucketClient, target: dict[str, str], said: str) -> None:
    with pytest.raises(bitbucket.BitbucketError, match=said):
        client.pipelines.trigger("api", **target)  # type: ignore[arg-type]


def test_disabled_pipelines_are_named(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.control("POST", "repositories", {"repository": "api", "pipelines_enabled": False})
    with pytest.raises(bitbucket.BitbucketError, match="Pipelines are switched off in acme/api"):
        client.pipelines.trigger("api", branch="main")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "given: none of them"),
        ({"branch": "a", "tag": "b"}, "given: branch='a', tag='b'"),
        ({"commit": "a" * 40}, "A commit alone does not say which pipeline"),
        ({"branch": "a", "custom_pipeline": "x", "selector": {"type": "custom"}}, "not both"),
        ({"branch": "a", "variables": {"X": [1]}}, "'X' is a list"),
        ({"branch": "a", "variables": [{"name": "X"}]}, "given: \\['name'\\]"),
    ],
)
def test_a_start_that_makes_no_sense_costs_no_request(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        client.pipelines.trigger("api", **given)
    assert not bitbucket_emulator.requests()
