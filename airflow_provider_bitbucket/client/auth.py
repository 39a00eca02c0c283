"""Credentials and how they sign a request. Their secrets show in no ``repr``, log line or exception.

Source: developer.atlassian.com/cloud/bitbucket/rest/intro#authentication and /cloud/bitbucket/oauth-2 (rules since 2026-05-04:
header only, client credentials without refresh token, ``scope`` in place of ``scopes``).
"""

from __future__ import annotations

import base64
import hashlib
import random
import re
import threading
import time
from abc import abstractmethod
from collections.abc import Callable
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from airflow_provider_bitbucket.client.errors import BitbucketAuthError, BitbucketConnectionError, from_response

TOKEN_PATH = "/site/oauth2/access_token"
_TIMEOUT_SECONDS = (10.0, 30.0)


def _tell_nobody(_: str) -> None:
    """Mask nothing: outside of Airflow there is no log to keep secrets out of but the caller's own."""


class _NoAuth(AuthBase):
    """Adds nothing."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


#: Keeps requests from adding credentials of a ``.netrc``.
NO_AUTH = _NoAuth()


class Auth(AuthBase):
    """What signs requests. One object can serve many threads."""

    kind: str
    #: What to look at when Bitbucket answers 401.
    hint = ""

    def __init__(self, counted_as: str) -> None:
        """Set ``budget_key``, which tells request budgets apart without containing anything secret.

        :param counted_as: what Bitbucket counts requests by
        """
        digest = hashlib.sha256(f"{self.kind}\0{counted_as}".encode()).hexdigest()
        self.budget_key = digest[:32]

    @abstractmethod
    def secrets(self) -> list[str]:
        """Every text that must not show up anywhere, in every form it is sent in."""

    def renew(self, used: str | None) -> bool:
        """Get a fresh token after a 401 and say whether there is one.

        :param used: the ``Authorization`` header that was refused
        """
        return False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


class ApiToken(Auth):
    """A user's API token with scopes, sent as Basic ``email:token`` (as Bearer Bitbucket refuses it).

    :param email: the Atlassian account e-mail
    :param token: the API token
    """

    kind = "api_token"
    hint = (
        "Check e-mail and token: the token must have Bitbucket scopes (one without scopes is refused) and may have expired; "
        "app passwords no longer work since 2026-07-28."
    )

    def __init__(self, email: str, token: str) -> None:
        if not email or not token:
            raise ValueError(f"An API token needs the account e-mail and the token; {'token' if email else 'e-mail'} is empty")
        super().__init__(email.lower())  # Bitbucket counts by user, whichever of their tokens is used
        self.email = email
        self._token = token
        self._header = _basic(email, token)

    def secrets(self) -> list[str]:
        return [self._token, self._header]

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Basic {self._header}"
        return request


class AccessToken(Auth):
    """A repository, project or workspace access token, sent as Bearer.

    :param token: the access token
    """

    kind = "access_token"
    hint = "If this is an API token of a person, it needs the account e-mail beside it (auth type api_token)."

    def __init__(self, token: str) -> None:
        if not token:
            raise ValueError("An access token is needed; it is empty")
        if not re.fullmatch(r"[!-~]+", token):
            # It could not be sent, and requests would show it in its complaint.
            raise ValueError("The access token contains spaces or characters that no token has; copy it again")
        super().__init__(token)
        self._token = token

    def secrets(self) -> list[str]:
        return [self._token]

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class OAuthClientCredentials(Auth):
    """A private OAuth consumer acting as itself: tokens of two hours, renewed before they lapse.

    :param key: consumer key
    :param secret: consumer secret
    :param on_secret: called with every new secret text, so that the caller can mask it
    """

    kind = "oauth_client_credentials"

    def __init__(self, key: str, secret: str, *, on_secret: Callable[[str], None] = _tell_nobody) -> None:
        if not key or not secret:
            raise ValueError(f"An OAuth consumer needs key and secret; the {'secret' if key else 'key'} is empty")
        super().__init__(key)
        self.key = key
        self.on_secret = on_secret
        self.scopes: tuple[str, ...] = ()
        self._secret = secret
        self._token: str | None = None
        self._renew_at = 0.0
        self._lock = threading.RLock()  # a signal handler may ask from within: it stops the pipeline of a killed task
        self.token_url = f"https://bitbucket.org{TOKEN_PATH}"
        self.verify: bool | str = True
        self.proxies: dict[str, str] | None = None

    def use_host_of(self, base_url: str, *, verify: bool | str = True, proxies: dict[str, str] | None = None) -> None:
        """Get tokens from where the API is: an emulator or proxy must not make us send the secret elsewhere."""
        parts = urlsplit(base_url)
        if parts.hostname != "api.bitbucket.org":
            self.token_url = f"{parts.scheme}://{parts.netloc}{TOKEN_PATH}"
        self.verify, self.proxies = verify, proxies

    def secrets(self) -> list[str]:
        return [self._secret, _basic(self.key, self._secret), *([self._token] if self._token else [])]

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._current()}"
        return request

    def renew(self, used: str | None) -> bool:
        with self._lock:
            if used == f"Bearer {self._token}":  # else another thread has renewed it meanwhile
                self._token = None
        self._current()
        return True

    def _current(self) -> str:
        with self._lock:
            if self._token is None or time.monotonic() >= self._renew_at:
                self._token = self._fetch()
            return self._token

    def _fetch(self) -> str:
        try:
            answer = requests.post(
                self.token_url,
                data={"grant_type": "client_credentials"},
                headers={"Authorization": f"Basic {_basic(self.key, self._secret)}", "Accept": "application/json"},
                timeout=_TIMEOUT_SECONDS,
                verify=self.verify,
                proxies=self.proxies,
                allow_redirects=False,
                auth=NO_AUTH,
            )
        except requests.RequestException as error:
            raise BitbucketConnectionError(
                f"No answer from the OAuth token endpoint: {type(error).__name__}.", method="POST", url=self.token_url
            ) from error
        if answer.status_code in (429, *range(500, 600)):
            raise from_response(answer, "POST")
        if answer.status_code != 200:
            problem = from_response(answer, "POST")
            raise BitbucketAuthError(
                f"Bitbucket gives no token to this OAuth consumer: {problem.message} Check key and secret, and that the consumer "
                "is marked as private.",
                status=answer.status_code,
                method="POST",
                url=self.token_url,
            )
        try:
            body = answer.json()
            token, lifetime = str(body["access_token"]), float(body.get("expires_in", 7200))
        except (ValueError, KeyError, TypeError) as error:
            raise BitbucketAuthError(
                "The OAuth token endpoint answered without an access token.", method="POST", url=self.token_url
            ) from error
        self.on_secret(token)
        self.scopes = tuple(str(body.get("scope") or body.get("scopes") or "").replace(",", " ").split())
        # Early and not all at once: the last tenth of the lifetime, jittered over the processes.
        self._renew_at = time.monotonic() + lifetime * random.uniform(0.85, 0.95)  # noqa: S311 - jitter, no secret
        return token
