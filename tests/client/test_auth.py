"""Requests are authenticated, and tokens are renewed before they expire."""

from __future__ import annotations

import base64
import json
import logging
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from airflow_provider_bitbucket import client as bitbucket
from airflow_provider_bitbucket.client import AccessToken, ApiToken, BitbucketClient, OAuthClientCredentials, OAuthConsumer
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.client.timing import Time
from tests.client.web_server import Answer, WebServer

TOKEN = "POST /site/oauth2/access_token"
TOKEN_PATH = "/site/oauth2/access_token"


@pytest.fixture
def masked() -> list[str]:
    """Every secret that a client has reported for masking."""
    return []


@pytest.fixture
def consumer(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator, masked: list[str]
) -> BitbucketClient:
    """A client that acts as an OAuth consumer."""
    return make_client(OAuthClientCredentials(*bitbucket_emulator.oauth_consumer, on_secret=masked.append))


def test_an_api_token_with_any_characters_is_sent_as_basic_authentication(server: WebServer) -> None:
    server.answer("/2.0/user", {})
    BitbucketClient(ApiToken("me@x.org", "t:ö"), base_url=server.api_url).users.me()
    sent = server.asked[0].headers["authorization"].removeprefix("Basic ")
    assert base64.b64decode(sent).decode() == "me@x.org:t:ö"
    assert sent in ApiToken("me@x.org", "t:ö").secrets()  # the encoded form must be masked too


def test_an_access_token_is_sent_as_a_bearer_token(
    make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator
) -> None:
    client = make_client(AccessToken(bitbucket_emulator.access_token))
    assert client.repositories.get("api")["slug"] == "api"
    with pytest.raises(bitbucket.BitbucketPermissionError, match="not accessible by this authentication mechanism"):
        client.users.me()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: ApiToken("", "t"), "e-mail is empty"),
        (lambda: ApiToken("me@x.org", ""), "token is empty"),
        (lambda: AccessToken(""), "it is empty"),
        (lambda: OAuthClientCredentials("", "s"), "key is empty"),
        (lambda: OAuthClientCredentials("k", ""), "secret is empty"),
    ],
)
def test_missing_credentials_are_named(make: Callable[[], bitbucket.Auth], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        (ApiToken("demo@example.com", "wrong"), r"Invalid credentials.*Check e-mail and token"),
        (ApiToken("demo", "wrong"), r"Invalid credentials.*must be the e-mail address of the Atlassian account"),
        (ApiToken("demo", "ATBBwrong"), r"Invalid credentials.*App passwords were removed on 2026-07-28"),
        (AccessToken("demo-api-token"), "it needs the account e-mail beside it"),
        (OAuthClientCredentials("demo-key", "wrong"), r"refused a token to this OAuth consumer.*marked as private"),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_the_error_for_a_refused_credential_names_what_to_check(
    make_client: Callable[..., BitbucketClient], auth: bitbucket.Auth, said: str
) -> None:
    with pytest.raises(bitbucket.BitbucketAuthError, match=said) as caught:
        make_client(auth).users.me()
    assert "wrong" not in str(caught.value)


def test_a_revoked_token_is_an_auth_error_and_not_retried(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.control("DELETE", f"credentials/{bitbucket_emulator.api_token[1]}")
    with pytest.raises(bitbucket.BitbucketAuthError):
        client.users.me()
    assert bitbucket_emulator.requests() == {"GET /user": 1}


class TestOAuth:
    """Client credentials, whose tokens are valid for two hours."""

    def test_one_token_serves_many_requests(
        self, consumer: BitbucketClient, bitbucket_emulator: BitbucketEmulator, masked: list[str]
    ) -> None:
        for _ in range(3):
            assert consumer.users.me()["type"] == "app_user"
        assert bitbucket_emulator.requests()[TOKEN] == 1
        assert masked == [consumer.auth.secrets()[-1]]

    @pytest.mark.parametrize("lost", ["revoked", "expired"])
    def test_a_refused_token_is_renewed_and_the_request_is_repeated(
        self, consumer: BitbucketClient, bitbucket_emulator: BitbucketEmulator, masked: list[str], lost: str
    ) -> None:
        consumer.users.me()
        if lost == "revoked":
            bitbucket_emulator.control("DELETE", f"credentials/{masked[0]}")
        else:
            bitbucket_emulator.clock(advance=7201)
        assert consumer.pipelines.trigger("api", branch="main")["build_number"] == 1
        assert len(set(masked)) == 2
        assert bitbucket_emulator.requests()[TOKEN] == 2

    def test_the_rate_limit_for_anonymous_users_does_not_replace_that_of_an_expired_token(
        self, consumer: BitbucketClient, bitbucket_emulator: BitbucketEmulator
    ) -> None:
        consumer.users.me()
        bitbucket_emulator.clock(advance=7201)
        consumer.users.me()
        assert consumer.budget.limit == 1000

    def test_a_token_that_is_refused_again_after_renewal_is_an_error(self, server: WebServer) -> None:
        server.answer(TOKEN_PATH, {"access_token": "a", "expires_in": 7200}, {"access_token": "b", "expires_in": 7200})
        server.answer("/2.0/user", Answer({"error": {"message": "Token is invalid"}}, 401))
        with pytest.raises(bitbucket.BitbucketAuthError, match="Token is invalid"):
            BitbucketClient(OAuthClientCredentials("k", "s"), base_url=server.api_url).users.me()
        assert [one.path for one in server.asked] == [TOKEN_PATH, "/2.0/user", TOKEN_PATH, "/2.0/user"]

    def test_a_token_is_renewed_before_it_expires(self, server: WebServer) -> None:
        server.answer(TOKEN_PATH, {"access_token": "a", "expires_in": 1e-6}, {"access_token": "b", "expires_in": 7200})
        server.answer("/2.0/user", {})
        client = BitbucketClient(OAuthClientCredentials("k", "s"), base_url=server.api_url)
        client.users.me()
        client.users.me()
        sent = [one.headers["authorization"] for one in server.asked if one.path == "/2.0/user"]
        assert sent == ["Bearer a", "Bearer b"]

    def test_many_threads_fetch_one_token_and_renew_it_once(
        self, consumer: BitbucketClient, bitbucket_emulator: BitbucketEmulator, masked: list[str]
    ) -> None:
        barrier = threading.Barrier(8)

        def ask(_: int) -> str:
            barrier.wait(timeout=10)
            return str(consumer.users.me()["type"])

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(ask, range(8))) == {"app_user"}
            assert len(masked) == 1
            bitbucket_emulator.control("DELETE", f"credentials/{masked[0]}")
            assert set(pool.map(ask, range(8))) == {"app_user"}
        assert len(masked) == 2

    def test_the_secret_goes_to_the_token_endpoint_of_the_same_host_as_a_form(self, server: WebServer) -> None:
        server.answer(TOKEN_PATH, {"access_token": "a", "expires_in": 7200})
        server.answer("/2.0/user", {})
        BitbucketClient(OAuthClientCredentials("key", "secret"), base_url=server.api_url).users.me()
        asked = server.asked[0]
        assert (asked.path, asked.body) == (TOKEN_PATH, b"grant_type=client_credentials")
        assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
        assert base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")) == b"key:secret"

    def test_tokens_for_bitbucket_cloud_are_requested_from_its_web_host(self) -> None:
        auth = OAuthClientCredentials("key", "secret")
        BitbucketClient(auth)
        assert auth.consumer.token_url == "https://bitbucket.org/site/oauth2/access_token"

    @pytest.mark.parametrize("key", ["scope", "scopes"])
    def test_granted_scopes_are_read_from_both_spellings_of_the_key(
        self, consumer: BitbucketClient, bitbucket_emulator: BitbucketEmulator, key: str
    ) -> None:
        bitbucket_emulator.settings(oauth_scope_key=key)
        consumer.users.me()
        assert isinstance(consumer.auth, OAuthClientCredentials)
        assert "pipeline:variable" in consumer.auth.scopes

    @pytest.mark.parametrize(
        "failure",
        [
            Answer("busy", 503),
            Answer("Rate limit", 429),
            Answer("<html>", 200),
            Answer("late", 408),
            Answer({}, 200),
            Answer("", 302, {"Location": "/sso"}),
            Answer("", 302, {"Location": "http://["}),
        ],
    )
    def test_a_transient_error_of_the_token_endpoint_is_retried(self, server: WebServer, time: Time, failure: Answer) -> None:
        server.answer(TOKEN_PATH, failure, Answer({"access_token": "a", "expires_in": 7200}))
        server.answer("/2.0/thing", {"done": True})
        client = BitbucketClient(OAuthClientCredentials("k", "s"), base_url=server.api_url, clock=time.clock)
        assert client.post("/thing", {}) == {"done": True}  # the POST had not been sent, so the error is not ambiguous

    @pytest.mark.parametrize(
        "body",
        [
            *({"access_token": token} for token in ["", None, [], {}, 1, True, "s3cret\n", "two s3cret", "s3crét", "s3cret\x00"]),
            *({"access_token": "s3cret", "refresh_token": token} for token in [["s3cret"], 1, "s3cret\n", " s3cret"]),
            *(
                {"access_token": "s3cret", "expires_in": seconds}
                for seconds in [float("nan"), float("inf"), -1, 0, True, None, "7200", "s3cret", []]
            ),
            ["s3cret"],
            "s3cret",
            None,
        ],
        ids=repr,
    )
    def test_a_malformed_response_of_the_token_endpoint_yields_no_token_and_leaks_none(
        self, server: WebServer, body: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.answer(TOKEN_PATH, Answer(json.dumps(body)))
        secrets: list[str] = []
        consumer = OAuthConsumer("key", "secret", on_secret=secrets.append)
        consumer.connect(server.api_url)
        with caplog.at_level(logging.DEBUG), pytest.raises(bitbucket.BitbucketServerError, match="token endpoint") as caught:
            consumer.client_credentials()
        shown = "".join(traceback.format_exception(caught.value)) + caplog.text
        assert "s3cr" not in shown
        assert not secrets

    def test_a_deeply_nested_response_of_the_token_endpoint_is_malformed(self, server: WebServer) -> None:
        server.answer(TOKEN_PATH, Answer("[" * 100_000))
        consumer = OAuthConsumer("key", "secret")
        consumer.connect(server.api_url)
        with pytest.raises(bitbucket.BitbucketServerError, match="without an access token"):
            consumer.client_credentials()

    @pytest.mark.parametrize("seconds", [10**400, 1e300, 365 * 24 * 3600], ids=["huge", "large", "a year"])
    def test_the_lifetime_of_a_token_is_capped_at_a_day(self, server: WebServer, seconds: float) -> None:
        server.answer(TOKEN_PATH, Answer(json.dumps({"access_token": "a", "expires_in": seconds})))
        consumer = OAuthConsumer("key", "secret")
        consumer.connect(server.api_url)
        tokens = consumer.client_credentials()
        assert tokens.expires_at - tokens.received_at == 24 * 3600

    def test_the_error_for_an_unreachable_token_endpoint_names_it(self, caplog: pytest.LogCaptureFixture) -> None:
        auth = OAuthClientCredentials("k", "s3cret")
        client = BitbucketClient(auth, base_url="http://127.0.0.1:9/2.0", retries=bitbucket.NO_RETRIES)
        with (
            caplog.at_level(logging.DEBUG),
            pytest.raises(bitbucket.BitbucketConnectionError, match="OAuth token endpoint") as caught,
        ):
            client.users.me()
        assert "s3cret" not in f"{caught.value} {caplog.text}"
