"""``airflow_provider_bitbucket.testing`` provides connections and fixtures for tests of DAGs."""

from __future__ import annotations

import json

import pytest

from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator

CREDENTIALS = {
    "api_token": ("demo@example.com", "demo-api-token"),
    "api_token_per_user": (None, None),
    "access_token": (None, "demo-access-token"),
    "oauth_client_credentials": ("demo-key", "demo-secret"),
    "oauth": ("demo-key", "demo-secret"),
}


@pytest.mark.parametrize(("auth_type", "credentials"), CREDENTIALS.items())
def test_a_connection_points_to_the_emulator_with_its_credentials(
    auth_type: str, credentials: tuple[str | None, str | None]
) -> None:
    fields = json.loads(connection_json(BitbucketEmulator("empty", port=8070), auth_type, default_user="robin"))
    assert fields["host"] == "http://127.0.0.1:8070/2.0"
    assert fields["extra"] == {"workspace": "acme", "auth_type": auth_type, "default_user": "robin"}
    assert (fields.get("login"), fields.get("password")) == credentials


def test_the_error_for_an_unknown_auth_type_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="expected one of api_token, api_token_per_user, access_token"):
        connection_json(BitbucketEmulator("empty"), "password")


def test_the_default_connection_reaches_the_emulator(bitbucket_default: BitbucketEmulator) -> None:
    from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook

    assert [each["slug"] for each in BitbucketHook().get_conn().repositories.list()] == ["api"]
    assert bitbucket_default.requests()
