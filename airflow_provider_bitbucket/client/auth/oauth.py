"""An OAuth consumer: the addresses where people grant it access and where it gets its tokens.

Source: developer.atlassian.com/cloud/bitbucket/oauth-2 and its changelog (CHANGE-3052). Rules since 2026-05-04: tokens in the
header only, client credentials act as the consumer's own app user and come without refresh token, each refresh gives a new
refresh token and ends the old one, an unused one lapses after three months, ``scope`` in place of ``scopes``.
"""

from __future__ import annotations

import math
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import requests

from airflow_provider_bitbucket.client.auth.credentials import GIT_TOKEN_USER, basic, is_token
from airflow_provider_bitbucket.client.transport.addresses import ApiAddress
from airflow_provider_bitbucket.client.transport.clock import SYSTEM_CLOCK, Clock
from airflow_provider_bitbucket.client.transport.errors import (
    BitbucketAuthError,
    BitbucketConnectionError,
    BitbucketRateLimitError,
    BitbucketServerError,
    from_response,
    malformed_response,
)
from airflow_provider_bitbucket.client.transport.plain_requests import PlainSession
from airflow_provider_bitbucket.client.transport.responses import decode
from airflow_provider_bitbucket.client.transport.retry import is_transient_status, retry_after
from airflow_provider_bitbucket.client.transport.signing import NO_AUTH, Auth

AUTHORIZE_PATH = "/site/oauth2/authorize"
TOKEN_PATH = "/site/oauth2/access_token"
_TIMEOUT_SECONDS = (10.0, 30.0)
#: For the whole response.
_ANSWER_SECONDS = 60.0
#: Tokens live for two hours; one that claims to live for longer than this is renewed nevertheless.
_LONGEST_LIFETIME_SECONDS = 24 * 3600.0


def ignore_secret(_: str) -> None:
    """Do nothing with a secret; the default where the caller has no log to mask it in."""


class OAuthRefusedError(BitbucketAuthError):
    """The token endpoint refused.

    :ivar code: ``error`` of RFC 6749, such as ``invalid_grant``
    """

    code: str = ""

    @property
    def is_dead_grant(self) -> bool:
        """Whether the code or refresh token was used, has expired or was revoked; Bitbucket has two error codes for that."""
        return self.code in ("invalid_grant", "invalid_request")


@dataclass(frozen=True)
class OAuthTokens:
    """Tokens of the token endpoint, with their times.

    :param access_token: signs requests
    :param expires_at: Unix time at which the access token ends
    :param received_at: Unix time at which both were received
    :param scopes: what was granted
    :param refresh_token: gets the next pair; empty for client credentials
    """

    access_token: str = field(repr=False)
    expires_at: float
    received_at: float
    scopes: tuple[str, ...] = ()
    refresh_token: str = field(default="", repr=False)

    def renew_at(self) -> float:
        """Return a random time in the last quarter of the token's lifetime, so that processes do not renew at once."""
        lifetime = self.expires_at - self.received_at
        return self.received_at + lifetime * random.uniform(0.75, 0.95)  # noqa: S311 - jitter, no secret


class OAuthConsumer:
    """An OAuth consumer of a workspace; obtains tokens from the token endpoint.

    :param key: consumer key
    :param secret: consumer secret
    :param on_secret: called with every new secret text, so that the caller can mask it
    :param clock: source of the times at which tokens are received and expire
    """

    def __init__(
        self, key: str, secret: str, *, on_secret: Callable[[str], None] = ignore_secret, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        if not key or not secret:
            raise ValueError(f"An OAuth consumer needs key and secret; the {'secret' if key else 'key'} is empty")
        self.key = key
        self.on_secret = on_secret
        self.clock = clock
        self.site = "https://bitbucket.org"
        self._secret = secret
        self._verify: bool | str = True
        self._proxies: dict[str, str] | None = None

    def __repr__(self) -> str:
        return f"<OAuthConsumer {self.key}>"

    def connect(self, base_url: str, *, verify: bool | str = True, proxies: dict[str, str] | None = None) -> None:
        """Request tokens from the host of the API, so that the secret is sent to no other host."""
        self.site = ApiAddress(base_url).web_url
        self._verify, self._proxies = verify, proxies

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return f"{self.site}{TOKEN_PATH}"

    def secrets(self) -> list[str]:
        """Return the consumer's secret in every form in which it is sent, for masking."""
        return [self._secret, basic(self.key, self._secret)]

    def authorize_url(self, state: str, *, redirect_uri: str, scopes: Iterable[str] = ()) -> str:
        """Return the address at which a person grants this consumer access.

        :param state: comes back with the code; only who sent the person there knows it
        :param redirect_uri: where the code is sent; has to start with the consumer's callback URL
        :param scopes: legacy names such as ``pipeline:write``; none: all that the consumer has
        """
        query = {"client_id": self.key, "response_type": "code", "state": state, "redirect_uri": redirect_uri}
        asked = " ".join(scopes)
        return f"{self.site}{AUTHORIZE_PATH}?{urlencode({**query, **({'scope': asked} if asked else {})})}"

    def exchange(self, code: str, *, redirect_uri: str) -> OAuthTokens:
        """Exchange an authorization code for tokens.

        :raises OAuthRefusedError: the code was used, has lapsed or belongs to another consumer
        """
        return self._ask(grant_type="authorization_code", code=code, redirect_uri=redirect_uri)

    def refresh(self, refresh_token: str) -> OAuthTokens:
        """Exchange a refresh token for new tokens; the refresh token is invalid afterwards.

        :raises OAuthRefusedError: it was used before, has lapsed, or the person took the access away
        """
        return self._ask(grant_type="refresh_token", refresh_token=refresh_token)

    def client_credentials(self) -> OAuthTokens:
        """Get a token for the consumer itself.

        :raises OAuthRefusedError: key or secret are wrong, or the consumer is not private
        """
        return self._ask(grant_type="client_credentials")

    def check(self) -> None:
        """Verify the key and secret of the consumer by sending a deliberately invalid refresh token.

        :raises OAuthRefusedError: they are not
        """
        try:
            self.refresh("none")
        except OAuthRefusedError as error:
            if not error.is_dead_grant:
                raise

    def _ask(self, **form: str) -> OAuthTokens:
        try:
            with PlainSession() as session:
                answer = session.fetch(
                    "POST",
                    self.token_url,
                    seconds=_ANSWER_SECONDS,
                    data=form,
                    headers={"Authorization": f"Basic {basic(self.key, self._secret)}", "Accept": "application/json"},
                    timeout=_TIMEOUT_SECONDS,
                    verify=self._verify,
                    proxies=self._proxies,
                    auth=NO_AUTH,
                )
        except requests.RequestException as error:
            raise BitbucketConnectionError(
                f"No response from the OAuth token endpoint: {type(error).__name__}.", method="POST", url=self.token_url
            ) from error
        if is_transient_status(answer.status_code):
            problem = from_response(answer, "POST")
            if isinstance(problem, BitbucketRateLimitError):
                problem.retry_after = retry_after(answer.headers, self.clock.now())
            raise problem
        if answer.status_code < 400 and answer.status_code != 200:
            raise self._broken(f"answered {answer.status_code}")  # a log-in or maintenance page, not RFC 6749
        if answer.status_code != 200:
            raise self._refused(answer, form["grant_type"])
        return self._tokens(answer)

    def _broken(self, what: str) -> BitbucketServerError:
        return malformed_response(f"The OAuth token endpoint {what}.", method="POST", url=self.token_url)

    def _refused(self, answer: requests.Response, grant: str) -> OAuthRefusedError:
        problem = from_response(answer, "POST").message
        advice = " Check key and secret" + (
            ", and that the consumer is marked as private." if grant == "client_credentials" else "."
        )
        refused = OAuthRefusedError(
            f"Bitbucket refused a token to this OAuth consumer: {problem}",
            status=answer.status_code,
            method="POST",
            url=self.token_url,
        )
        refused.code = str(_json_object(answer).get("error") or "")
        return (
            refused if refused.is_dead_grant and grant != "client_credentials" else refused.with_message(refused.message + advice)
        )

    def _tokens(self, answer: requests.Response) -> OAuthTokens:
        now = self.clock.timestamp()
        body = _json_object(answer)
        token, refresh_token = body.get("access_token"), body.get("refresh_token") or ""
        lifetime = body.get("expires_in", 7200)
        if not is_token(token):
            raise self._broken("answered without an access token")
        if refresh_token and not is_token(refresh_token):
            raise self._broken("answered with a malformed refresh token")
        if isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or not 0 < lifetime < math.inf:
            raise self._broken("answered with a malformed expires_in; expected a number of seconds > 0")
        for secret in (token, refresh_token):
            if secret:
                self.on_secret(secret)
        scopes = str(body.get("scope") or body.get("scopes") or "").replace(",", " ").split()
        return OAuthTokens(token, now + min(lifetime, _LONGEST_LIFETIME_SECONDS), now, tuple(scopes), refresh_token)


def _json_object(answer: requests.Response) -> dict[str, Any]:
    """Return the JSON object of a response, or an empty one; the text, which may be a secret, is put into no error."""
    try:
        body = decode(answer.content)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


class OAuthClientCredentials(Auth):
    """A private OAuth consumer acting as itself: tokens of two hours, renewed before they lapse.

    :param key: consumer key
    :param secret: consumer secret
    :param on_secret: called with every new secret text, so that the caller can mask it
    :param clock: source of the times at which tokens expire
    """

    kind = "oauth_client_credentials"
    counted = "consumer"

    def __init__(
        self, key: str, secret: str, *, on_secret: Callable[[str], None] = ignore_secret, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.consumer = OAuthConsumer(key, secret, on_secret=on_secret, clock=clock)
        super().__init__(key, secret)
        self._tokens: OAuthTokens | None = None
        self._renew_at = 0.0
        self._lock = threading.RLock()  # a signal handler may ask from within: it stops the pipeline of a killed task

    @property
    def scopes(self) -> tuple[str, ...]:
        """Scopes that were granted with the last token."""
        return self._tokens.scopes if self._tokens else ()

    def connect(self, base_url: str, *, verify: bool | str = True, proxies: dict[str, str] | None = None) -> None:
        self.consumer.connect(base_url, verify=verify, proxies=proxies)

    def secrets(self) -> list[str]:
        return [*self.consumer.secrets(), *([self._tokens.access_token] if self._tokens else [])]

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._current()}"
        return request

    def git_login(self) -> tuple[str, str]:
        return GIT_TOKEN_USER, self._current()

    def renew(self, used: str | None) -> bool:
        with self._lock:
            if self._tokens and used == f"Bearer {self._tokens.access_token}":  # else another thread has renewed it meanwhile
                self._tokens = None
        self._current()
        return True

    def _current(self) -> str:
        with self._lock:
            if self._tokens is None or self.consumer.clock.timestamp() >= self._renew_at:
                self._tokens = self.consumer.client_credentials()
                self._renew_at = self._tokens.renew_at()
            return self._tokens.access_token
