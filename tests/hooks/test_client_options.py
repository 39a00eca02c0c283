"""What a connection says about the way to Bitbucket holds for every request, those for tokens included."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from tests.client.web_server import Answer, WebServer, self_signed

API = "http://bitbucket.example/2.0"
TOKEN = {"access_token": "token", "expires_in": 7200}


@pytest.fixture
def proxy() -> Iterator[WebServer]:
    """An HTTP proxy; it is asked for whole addresses."""
    with WebServer() as running:
        running.answer(f"{API}/user", {"display_name": "Dana"})
        running.answer("http://bitbucket.example/site/oauth2/access_token", TOKEN)
        yield running


def connection(host: str, **extra: Any) -> str:
    fields = {"conn_type": "bitbucket", "login": "key", "password": "some-secret", "host": host}
    return json.dumps({**fields, "extra": {"auth_type": "oauth_client_credentials", **extra}})


def test_the_proxy_of_the_connection_takes_precedence_over_the_environments(
    proxy: WebServer, connect: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    connect(connection(API, proxies={"http": proxy.url}))

    assert BitbucketHook().get_conn().users.me()["display_name"] == "Dana"
    assert [asked.method for asked in proxy.asked] == ["POST", "GET"]


def test_the_login_of_people_is_checked_through_the_proxy_too(proxy: WebServer, connect: Callable[..., None]) -> None:
    refused = Answer({"error": "invalid_grant"}, 400)
    proxy.answer("http://bitbucket.example/site/oauth2/access_token", refused)
    connect(connection(API, proxies=json.dumps({"http": proxy.url}), auth_type="oauth"))

    works, message = BitbucketHook().test_connection()
    assert works, message
    assert proxy.asked


def test_a_ca_bundle_is_trusted_and_nothing_else_is(tmp_path: Path, connect: Callable[..., None]) -> None:
    with WebServer(tls=self_signed(tmp_path)) as server:
        server.answer("/site/oauth2/access_token", TOKEN)
        server.answer("/2.0/user", {"display_name": "Dana"})
        connect(connection(server.api_url, verify=str(tmp_path / "key-and-certificate.pem")))
        assert BitbucketHook().test_connection()[0]
        connect(connection(server.api_url))
        works, message = BitbucketHook().test_connection()

    assert not works
    assert "cannot be reached" in message


def test_parameters_of_the_hook_take_precedence_over_the_connection(connect: Callable[..., None]) -> None:
    connect(connection(API, rate_limit="600"), "limited")

    assert BitbucketHook("limited").get_conn().budget.limit == 600
    assert BitbucketHook("limited", rate_limit=500).get_conn().budget.limit == 500
