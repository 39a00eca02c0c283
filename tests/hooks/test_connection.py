"""What may stand in an Airflow connection, and what is said when it does not."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from airflow.providers.common.compat.sdk import BaseHook, Connection
from hypothesis import example, given
from hypothesis import strategies as st
from urllib3.util import parse_url

from airflow_provider_bitbucket.client import AccessToken, ApiToken, OAuthClientCredentials
from airflow_provider_bitbucket.client.transport.addresses import ApiAddress
from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError
from airflow_provider_bitbucket.hooks.credentials.connection import ConnectionSettings, read_connection


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


def test_the_auth_type_distinguishes_access_tokens_and_oauth_consumers() -> None:
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
        ({}, {"login": "a", "password": "b", "host": "http://x:port"}, "host must be the API base URL"),
        ({}, {"login": "a", "password": "b", "host": "https://evil\\.api.bitbucket.org"}, "it contains a backslash"),
        ({}, {"login": "a", "password": "b", "host": "https://api.bitbucket.org\nx"}, "it contains whitespace"),
        ({}, {"login": "a", "password": "b", "host": "api.bitbucket.org\nx"}, "it contains whitespace"),
        ({}, {"login": "a", "password": "b", "host": "https://x?token=1"}, "must not carry a query"),
        ({}, {"login": "a", "password": "b", "host": "x", "schema": "2.0/../.."}, "it contains dot segments"),
        ({"verify": "/no/such/file.pem"}, {"login": "a", "password": "b"}, "verify is '/no/such/file.pem'"),
        ({"verify": 1}, {"login": "a", "password": "b"}, "verify is 1"),
        ({"proxies": "http://proxy:3128"}, {"login": "a", "password": "b"}, "proxies is malformed"),
        ({"proxies": {"https": "proxy:3128"}}, {"login": "a", "password": "b"}, "proxies is malformed"),
        ({"proxies": {"https": 1}}, {"login": "a", "password": "b"}, "proxies is malformed"),
        ({"timeout": "soon"}, {"login": "a", "password": "b"}, "timeout is 'soon'"),
        ({"timeout": 0}, {"login": "a", "password": "b"}, "timeout is 0"),
        ({"timeout": "NaN"}, {"login": "a", "password": "b"}, "timeout is nan"),
        ({"timeout": True}, {"login": "a", "password": "b"}, "timeout is True"),
        ({"timeout": [1, 2, 3]}, {"login": "a", "password": "b"}, "timeout is [1, 2, 3]"),
        ({"rate_limit": "0"}, {"login": "a", "password": "b"}, "rate_limit is 0"),
        ({"rate_limit": 1.5}, {"login": "a", "password": "b"}, "rate_limit is 1.5"),
    ],
)
def test_a_missing_or_wrong_field_is_named(extra: Any, fields: dict[str, str], field: str) -> None:
    message = refusal(extra, **fields)

    assert message.startswith("Connection 'bitbucket_default': ")
    assert field in message


def test_an_impossible_token_is_refused_without_showing_it() -> None:
    message = refusal({"auth_type": "access_token"}, password="ATCTT two words")

    assert message.startswith("Connection 'bitbucket_default': ")
    assert "two words" not in message


def test_credentials_in_the_address_are_refused_without_showing_them() -> None:
    assert "hunter2" not in refusal(login="a", password="b", host="https://me:hunter2@example.com")


def test_an_auth_type_that_does_not_exist_names_those_that_do() -> None:
    message = refusal({"auth_type": "app_password"}, login="a", password="b")

    assert "'app_password'" in message
    assert "api_token, api_token_per_user, access_token, oauth_client_credentials, oauth" in message


@given(
    host=st.text(st.sampled_from("\\@:/?#%.[] \t\nxé。0"), max_size=12).map(lambda nasty: f"evil.example{nasty}api.bitbucket.org")
    | st.text(),
    schema=st.sampled_from(["", "http", "2.0"]) | st.text(max_size=5),
)
@example(host="https://evil\\.api.bitbucket.org", schema="")
@example(host="https://api.bitbucket.org\nx", schema="")
def test_a_host_is_an_address_that_is_read_in_one_way_or_an_error_of_the_connection(host: str, schema: str) -> None:
    try:
        base_url = read(login="a", password="b", host=host, schema=schema).base_url
    except BitbucketConfigurationError:
        return
    assert ApiAddress(base_url).text == base_url
    assert (parse_url(base_url).host or "").strip("[]") == urlsplit(base_url).hostname


@pytest.mark.parametrize(
    ("extra", "options"),
    [
        ({}, {}),
        ({"verify": "", "proxies": " ", "timeout": None, "rate_limit": ""}, {}),
        ({"verify": True}, {"verify": True}),
        ({"verify": "False"}, {"verify": False}),
        ({"verify": __file__}, {"verify": __file__}),
        ({"proxies": {"https": "http://proxy:3128"}}, {"proxies": {"https": "http://proxy:3128"}}),
        ({"proxies": '{"https": "http://proxy:3128"}'}, {"proxies": {"https": "http://proxy:3128"}}),
        ({"timeout": 30}, {"timeout": (30.0, 30.0)}),
        ({"timeout": "2.5"}, {"timeout": (2.5, 2.5)}),
        ({"timeout": "[5, 60]"}, {"timeout": (5.0, 60.0)}),
        ({"rate_limit": "600"}, {"rate_limit": 600}),
    ],
)
def test_how_bitbucket_is_reached_is_read_from_the_form_and_from_json(extra: dict[str, Any], options: dict[str, Any]) -> None:
    assert read(extra, login="a", password="b").client_options == options


def test_a_password_of_a_proxy_is_masked_and_in_no_error() -> None:
    secrets: list[str] = []
    read({"proxies": {"https": "http://me:hunter%32@proxy:3128"}}, secrets=secrets, login="a", password="b")
    assert {"hunter%32", "hunter2"} <= set(secrets)
    assert "hunter" not in refusal({"proxies": {"https": "me:hunter2@proxy"}}, login="a", password="b")


def test_an_extra_field_that_does_not_exist_is_one_warning_with_those_that_do(caplog: pytest.LogCaptureFixture) -> None:
    read({"work_space": "acme", "ssl": False, "timeout": 5}, login="a", password="b")
    (warning,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert warning.startswith("Connection 'bitbucket_default': unknown extra fields 'ssl', 'work_space' are ignored. Known: ")
    assert "workspace, auth_type" in warning
    assert "rate_limit" in warning


def test_a_connection_that_does_not_verify_certificates_says_so(caplog: pytest.LogCaptureFixture) -> None:
    read({"verify": False}, login="a", password="b")
    assert "TLS certificates are not verified" in caplog.text


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
