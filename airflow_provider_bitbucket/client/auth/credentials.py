"""Credentials and how they sign a request. Their secrets show in no ``repr``, log line or exception.

Source: developer.atlassian.com/cloud/bitbucket/rest/intro#authentication. What OAuth needs is in ``oauth`` and ``login``.
"""

from __future__ import annotations

import base64
import re
from typing import TypeGuard

import requests

from airflow_provider_bitbucket.client.transport.explanations import APP_PASSWORD
from airflow_provider_bitbucket.client.transport.signing import Auth

#: The user name that git sends beside any Bearer token.
GIT_TOKEN_USER = "x-token-auth"


def basic(user: str, password: str) -> str:
    """Return the value of a Basic header, from which the password can be decoded."""
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

    def git_login(self) -> tuple[str, str]:
        return "x-bitbucket-api-token-auth", self._token

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

    def git_login(self) -> tuple[str, str]:
        return GIT_TOKEN_USER, self._token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request
