"""What may stand in an Airflow connection, and what is said when it does not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook, Connection

from airflow_provider_bitbucket.client import AccessToken, ApiToken, OAuthClientCredentials
from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError
from airflow_provider_bitbucket.hooks.connection import ConnectionSettings, read_connection


def read(extra: Any = None, *, secrets: list[str] | None = None, **fields: Any) -> ConnectionSettings:
    connection = Connection(
        conn_id="bitbucket_default", conn_type="bitbucket", extra=json.dumps({} if extra is None else extra), **fields
    )
    found = secrets if secrets is not None else []
    return read_connection(connection, get_connection=BaseHook.get_connection, on_secret=found.append)


def refusal(extra: Any = None, **fields: Any) -> str:
    with pytest.raises(BitbucketConfigurationError) as caught:
        read(extra, **fields)
    return str(caught.value)


def test_email_and_token_make_an_api_token_without_naming_the_auth_type() -> None:
    settings = read(login="me@example.com", password="s3cret-token")

    assert isinstance(settings.auth, ApiToken)
    assert settings.auth.email == "me@example.com"
    assert settings.workspace is None
    assert settings.base_url == "https://api.bitbucket.org/2.0"


@pytest.mark.parametrize("login", [None, "", "me@example.com"])
def test_the_whole_email_and_token_may_be_pasted_into_password(login: str | None) -> None:
    secrets: list[str] = []
    settings = read(login=login, password="me@example.com:s3cret-token\n", secrets=secrets)

    assert isinstance(settings.auth, ApiToken)
    assert settings.auth.email == "me@example.com"
    assert "s3cret-token" in secrets


def test_every_form_of_a_secret_is_reported_for_masking() -> None:
    secrets: list[str] = []
    read(login="me@example.com", password="s3cret-token", secrets=secrets)

    assert set(secrets) == {"s3cret-token", base64.b64encode(b"me@example.com:s3cret-token").decode()}


def test_access_tokens_and_oauth_consumers_are_told_apart_by_auth_type() -> None:
    assert isinstance(read({"auth_type": "access_token"}, password="ATCTT-x").auth, AccessToken)
    consumer = read({"auth_type": "oauth_client_credentials"}, login="key", password="secret").auth
    assert isinstance(consumer, OAuthClientCredentials)
    assert consumer.consumer.key == "key"


def test_an_empty_login_is_named_with_the_connection_and_the_way_out() -> None:
    assert refusal(password="s3cret-token") == (
        "Connection 'bitbucket_default': auth type 'api_token' needs login (your Atlassian e-mail); it is empty. "
        "Fill it in, or paste 'email:token' into password."
    )


def test_an_access_token_under_the_wrong_auth_type_is_recognised() -> None:
    assert "choose auth type 'access_token'" in refusal(password="ATCTT3xFfGF0")


@pytest.mark.parametrize(
    ("extra", "fields", "field"),
    [
        ({}, {"login": "me@example.com"}, "password (an API token"),
        ({"auth_type": "access_token"}, {}, "password (the access token"),
        ({"auth_type": "oauth_client_credentials"}, {"password": "x"}, "login (the key"),
        ({"auth_type": "oauth_client_credentials"}, {"login": "x"}, "password (the secret"),
        ([], {"login": "a", "password": "b"}, "extra must be a JSON object"),
        ({"workspace": "https://bitbucket.org/acme"}, {"login": "a", "password": "b"}, "workspace is"),
        ({}, {"login": "a", "password": "b", "host": "ftp://x"}, "host must be the API base URL"),
        ({}, {"login": "a", "password": "b", "host": "https://a:b@x"}, "host must be the API base URL"),
        ({}, {"login": "a", "password": "b", "host": "http://x:port"}, "host is no URL"),
    ],
)
def test_a_missing_or_wrong_field_is_named(extra: Any, fields: dict[str, str], field: str) -> None:
    message = refusal(extra, **fields)

    assert message.startswith("Connection 'bitbucket_default': ")
    assert field in message


def test_a_token_that_can_be_none_is_told_without_showing_it() -> None:
    message = refusal({"auth_type": "access_token"}, password="ATCTT two words")

    assert message.startswith("Connection 'bitbucket_default': ")
    assert "two words" not in message


def test_credentials_in_the_address_are_refused_without_showing_them() -> None:
    assert "hunter2" not in refusal(login="a", password="b", host="https://me:hunter2@example.com")


def test_an_auth_type_that_does_not_exist_names_those_that_do() -> None:
    message = refusal({"auth_type": "app_password"}, login="a", password="b")

    assert "'app_password'" in message
    assert "api_token, api_token_per_user, access_token, oauth_client_credentials, oauth" in message


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({}, "https://api.bitbucket.org/2.0"),
        ({"host": "https://api.bitbucket.org/2.0/"}, "https://api.bitbucket.org/2.0"),
        ({"host": "https://api.bitbucket.org"}, "https://api.bitbucket.org/2.0"),
        ({"host": "api.bitbucket.org"}, "https://api.bitbucket.org/2.0"),
        ({"host": "http://127.0.0.1:8070/2.0"}, "http://127.0.0.1:8070/2.0"),
        ({"host": "http://127.0.0.1:8070", "port": 9999}, "http://127.0.0.1:8070/2.0"),
        ({"host": "127.0.0.1", "port": 8070, "schema": "http"}, "http://127.0.0.1:8070/2.0"),
        ({"host": "http://127.0.0.1", "port": 8070, "schema": "2.0"}, "http://127.0.0.1:8070/2.0"),
        ({"host": "proxy.example.com", "schema": "bitbucket/2.0"}, "https://proxy.example.com/bitbucket/2.0"),
    ],
)
def test_the_api_address_is_understood_in_every_spelling(fields: dict[str, Any], base_url: str | None) -> None:
    assert read(login="a", password="b", **fields).base_url == base_url


@pytest.mark.parametrize(
    "connection",
    [
        Connection(conn_id="c", uri="bitbucket://me%40example.com:t%2Fk@127.0.0.1:8070/http?workspace=acme&auth_type=api_token"),
        Connection(conn_id="c", uri="bitbucket://http://me%40example.com:t%2Fk@127.0.0.1:8070/2.0?workspace=acme"),
        Connection.from_json(
            json.dumps(
                {
                    "conn_type": "bitbucket",
                    "login": "me@example.com",
                    "password": "t/k",
                    "host": "http://127.0.0.1:8070/2.0",
                    "extra": {"workspace": "acme"},
                }
            ),
            conn_id="c",
        ),
    ],
    ids=["uri", "uri-with-protocol", "json"],
)
def test_a_uri_and_a_json_say_the_same_as_the_form(connection: Connection) -> None:
    secrets: list[str] = []
    settings = read_connection(connection, get_connection=BaseHook.get_connection, on_secret=secrets.append)

    assert (settings.workspace, settings.base_url) == ("acme", "http://127.0.0.1:8070/2.0")
    assert "t/k" in secrets
