"""Credentials and how they sign a request. Their secrets show in no ``repr``, log line or exception.

Source: developer.atlassian.com/cloud/bitbucket/rest/intro#authentication. What OAuth needs is in ``oauth`` and ``login``.
"""

from __future__ import annotations

import base64
import hashlib
import re
from abc import abstractmethod
from typing import TypeGuard

import requests
from requests.auth import AuthBase

from airflow_provider_bitbucket.client.explanations import APP_PASSWORD


class _NoAuth(AuthBase):
    """Adds nothing."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


#: Keeps requests from adding credentials of a ``.netrc``.
NO_AUTH = _NoAuth()


class Auth(AuthBase):
    """What signs requests. One object can serve many threads."""

    kind: str
    #: Whose requests Bitbucket counts together (facts 2.7): a "user"'s, a "token"'s or a "consumer"'s.
    counted: str
    #: What to look at when Bitbucket answers 401.
    hint = ""

    def __init__(self, counted_as: str, *signed_with: str) -> None:
        """Set ``budget_key`` and ``identity``, which contain nothing secret.

        ``budget_key`` tells request budgets apart. ``identity`` tells credentials apart: who has the same may do the same, so
        that one may ask for the other.

        :param counted_as: which of those that Bitbucket counts by (``counted``)
        :param signed_with: what else the credentials consist of
        """
        self.budget_key = _digest(self.counted, counted_as)
        self.identity = _digest(self.kind, counted_as, *signed_with)

    @abstractmethod
    def secrets(self) -> list[str]:
        """Every text that must not show up anywhere, in every form it is sent in."""

    def connect(self, base_url: str, *, verify: bool | str = True, proxies: dict[str, str] | None = None) -> None:
        """Take in where the API is and how it is reached, for those who get their tokens from there.

        :param base_url: of the API
        :param verify: TLS verification, or the path of a CA bundle
        :param proxies: scheme -> proxy address
        """

    def renew(self, used: str | None) -> bool:
        """Get a fresh token after a 401 and say whether there is one.

        :param used: the ``Authorization`` header that was refused
        """
        return False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def basic(user: str, password: str) -> str:
    """Return the text of a Basic header: everybody can read the password from it."""
    return base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def is_token(value: object) -> TypeGuard[str]:
    """Return whether a value is a text that can be sent as a token: printable ASCII without whitespace, not empty.

    Anything else would show up in the complaint of requests about the header.
    """
    return isinstance(value, str) and re.fullmatch(r"[!-~]+", value) is not None


class ApiToken(Auth):
    """A user's API token with scopes, sent as Basic ``email:token`` (as Bearer Bitbucket refuses it).

    :param email: the Atlassian account e-mail
    :param token: the API token
    """

    kind = "api_token"
    counted = "user"
    hint = "Check e-mail and token: the token must have Bitbucket scopes (one without scopes is refused) and may have expired."

    def __init__(self, email: str, token: str) -> None:
        if not email or not token:
            raise ValueError(f"An API token needs the account e-mail and the token; {'token' if email else 'e-mail'} is empty")
        super().__init__(email.lower(), token)  # Bitbucket counts by user, whichever of their tokens is used
        self.email = email
        self._token = token
        self._header = basic(email, token)
        if token.startswith("ATBB"):
            self.hint = f"The token looks like an app password. {APP_PASSWORD}"
        elif "@" not in email:
            self.hint = f"The login must be the e-mail address of the Atlassian account, not the username. {self.hint}"

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
    counted = "token"
    hint = "If this is an API token of a person, it needs the account e-mail beside it (auth type api_token)."

    def __init__(self, token: str) -> None:
        if not token:
            raise ValueError("An access token is needed; it is empty")
        if not is_token(token):
            raise ValueError("The access token contains spaces or characters that no token has; copy it again")
        super().__init__(token)
        self._token = token

    def secrets(self) -> list[str]:
        return [self._token]

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
