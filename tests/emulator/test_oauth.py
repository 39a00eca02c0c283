"""The token endpoint grants client credentials and returns errors as in RFC 6749."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call


def token(bitbucket: BitbucketEmulator, **options: Any) -> requests.Response:
    return requests.post(f"{bitbucket.url}/site/oauth2/access_token", timeout=10, **options)


GRANT = {"grant_type": "client_credentials"}


@pytest.mark.parametrize(
    "options",
    [
        {"data": GRANT, "auth": ("demo-key", "demo-secret")},
        {"data": {**GRANT, "client_id": "demo-key", "client_secret": "demo-secret"}},
    ],
    ids=["basic", "form"],
)
def test_a_consumer_obtains_a_token_that_authenticates_requests(
    bitbucket_emulator: BitbucketEmulator, call: Call, options: dict[str, Any]
) -> None:
    given = token(bitbucket_emulator, **options).json()
    assert (given["token_type"], given["expires_in"], given["state"]) == ("bearer", 7200, "client_credentials")
    assert "pullrequest:write" in given["scope"].split()
    assert "refresh_token" not in given
    me = call("/user", token=given["access_token"])
    assert me.json()["type"] == "app_user"
    assert me.headers["X-Credential-Type"] == "oauth2"


def test_the_error_for_a_token_that_has_expired_by_the_clock_states_so(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    given = token(bitbucket_emulator, data=GRANT, auth=("demo-key", "demo-secret")).json()["access_token"]
    bitbucket_emulator.clock(advance=7199)
    assert call("/user", token=given).status_code == 200
    bitbucket_emulator.clock(advance=1)
    expired = call("/user", token=given)
    assert expired.status_code == 401
    assert expired.json()["error"]["message"].startswith("OAuth2 access token expired.")


def test_the_key_of_the_scopes_can_be_set_to_either_name(bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.settings(oauth_scope_key="scopes")
    assert "scopes" in token(bitbucket_emulator, data=GRANT, auth=("demo-key", "demo-secret")).json()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"data": GRANT, "auth": ("demo-key", "wrong")}, "unauthorized_client"),
        ({"data": GRANT}, "unauthorized_client"),
        ({"data": {"grant_type": "password"}, "auth": ("demo-key", "demo-secret")}, "unsupported_grant_type"),
        ({"json": GRANT, "auth": ("demo-key", "demo-secret")}, "unsupported_grant_type"),
    ],
)
def test_errors_have_the_shape_of_rfc_6749(bitbucket_emulator: BitbucketEmulator, options: dict[str, Any], error: str) -> None:
    refused = token(bitbucket_emulator, **options)
    assert refused.status_code == 400
    assert refused.json()["error"] == error
    assert refused.json()["error_description"]


def test_the_grant_type_of_a_json_body_is_ignored(bitbucket_emulator: BitbucketEmulator) -> None:
    refused = token(bitbucket_emulator, json=GRANT, auth=("demo-key", "demo-secret"))
    assert "None" in refused.json()["error_description"]


def test_recorded_requests_contain_no_secret(bitbucket_emulator: BitbucketEmulator) -> None:
    token(bitbucket_emulator, data={**GRANT, "client_id": "demo-key", "client_secret": "demo-secret"})
    assert "demo-secret" not in str(bitbucket_emulator.control("GET", "requests?recent=10"))
