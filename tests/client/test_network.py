"""Encryption, certificates of one's own, and proxies: for the API and for the token endpoint alike."""

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
    """The API behind a certificate of a company's own."""
    with WebServer(self_signed(tmp_path)) as server:
        server.answer(TOKEN_PATH, {"access_token": "a", "expires_in": 7200})
        server.answer("/2.0/user", {"me": 1})
        yield server


@both
def test_a_certificate_that_nobody_vouches_for_is_refused_before_a_credential_is_sent(
    https: WebServer, make: Callable[[], Auth]
) -> None:
    with pytest.raises(BitbucketConnectionError):
        BitbucketClient(make(), base_url=https.api_url, retries=NO_RETRIES).users.me()
    assert https.asked == []


@both
def test_a_company_can_vouch_for_its_own(
    https: WebServer, make: Callable[[], Auth], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())  # what the task says wins over what the machine says
    ca = str(tmp_path / "key-and-certificate.pem")
    assert BitbucketClient(make(), base_url=https.api_url, verify=ca).users.me() == {"me": 1}


@both
def test_so_can_the_environment(
    https: WebServer, make: Callable[[], Auth], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "key-and-certificate.pem"))
    assert BitbucketClient(make(), base_url=https.api_url).users.me() == {"me": 1}


@both
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_proxy_is_used_for_everything(
    server: WebServer, make: Callable[[], Auth], by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer("http://bitbucket.example/2.0/user", {"me": 1})
    server.answer(f"http://bitbucket.example{TOKEN_PATH}", {"access_token": "a", "expires_in": 7200})
    if by == "environment":
        monkeypatch.setenv("http_proxy", server.url)
    proxies = {"http": server.url} if by == "argument" else None
    assert BitbucketClient(make(), base_url="http://bitbucket.example/2.0", proxies=proxies).users.me() == {"me": 1}
