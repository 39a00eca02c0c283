"""TLS, custom certificates and proxies apply to the API and to the token endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import certifi
import pytest

from airflow_provider_bitbucket.client import (
    NO_RETRIES,
    ApiToken,
    Auth,
    BitbucketClient,
    BitbucketConnectionError,
    OAuthClientCredentials,
)
from tests.client.web_server import WebServer, self_signed

TOKEN_PATH = "/site/oauth2/access_token"
both = pytest.mark.parametrize(
    "make", [lambda: ApiToken("me@x.org", "t"), lambda: OAuthClientCredentials("key", "secret")], ids=["api_token", "oauth"]
)


@pytest.fixture
def https(tmp_path: Path) -> Iterator[WebServer]:
    """The API, with a certificate that a company has signed itself."""
    with WebServer(self_signed(tmp_path)) as server:
        server.answer(TOKEN_PATH, {"access_token": "a", "expires_in": 7200})
        server.answer("/2.0/user", {"me": 1})
        yield server


@both
def test_an_untrusted_certificate_is_refused_before_a_credential_is_sent(https: WebServer, make: Callable[[], Auth]) -> None:
    with pytest.raises(BitbucketConnectionError):
        BitbucketClient(make(), base_url=https.api_url, retries=NO_RETRIES).users.me()
    assert https.asked == []


@both
def test_a_certificate_file_given_to_the_client_is_trusted(
    https: WebServer, make: Callable[[], Auth], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())  # the parameter has precedence over the environment
    ca = str(tmp_path / "key-and-certificate.pem")
    assert BitbucketClient(make(), base_url=https.api_url, verify=ca).users.me() == {"me": 1}


@both
def test_a_certificate_file_named_in_the_environment_is_trusted(
    https: WebServer, make: Callable[[], Auth], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "key-and-certificate.pem"))
    assert BitbucketClient(make(), base_url=https.api_url).users.me() == {"me": 1}


@both
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_proxy_receives_all_requests(
    server: WebServer, make: Callable[[], Auth], by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer("http://bitbucket.example/2.0/user", {"me": 1})
    server.answer(f"http://bitbucket.example{TOKEN_PATH}", {"access_token": "a", "expires_in": 7200})
    if by == "environment":
        monkeypatch.setenv("http_proxy", server.url)
    proxies = {"http": server.url} if by == "argument" else None
    assert BitbucketClient(make(), base_url="http://bitbucket.example/2.0", proxies=proxies).users.me() == {"me": 1}
