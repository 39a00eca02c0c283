"""The interface of credentials: they sign requests and are identified without showing a secret."""

from __future__ import annotations

import hashlib
from abc import abstractmethod

import requests
from requests.auth import AuthBase


class _NoAuth(AuthBase):
    """Adds nothing."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


#: Keeps requests from adding credentials of a ``.netrc``.
NO_AUTH = _NoAuth()


class Auth(AuthBase):
    """Credentials that sign requests; safe to use from several threads."""

    kind: str
    #: Whose requests Bitbucket counts together (facts 2.7): a "user"'s, a "token"'s or a "consumer"'s.
    counted: str
    #: Advice for a 401.
    hint = ""

    def __init__(self, counted_as: str, *signed_with: str) -> None:
        """Set ``budget_key`` and ``identity``, which contain nothing secret.

        ``budget_key`` identifies a request budget. ``identity`` identifies credentials: those with the same identity have the
        same rights and can replace each other.

        :param counted_as: which of those that Bitbucket counts by (``counted``)
        :param signed_with: what else the credentials consist of
        """
        self.budget_key = _digest(self.counted, counted_as)
        self.identity = _digest(self.kind, counted_as, *signed_with)

    @abstractmethod
    def secrets(self) -> list[str]:
        """Return every secret text, in every form in which it is sent, for masking."""

    @abstractmethod
    def git_login(self) -> tuple[str, str]:
        """Return user name and password for git over HTTPS, with a token that is valid now.

        Git does not take the e-mail that the REST API takes beside an API token; the fixed user names are Atlassian's
        (support.atlassian.com: using API tokens, using access tokens).

        :raises BitbucketError: a token had to be obtained, and was refused
        """

    def connect(self, base_url: str, *, verify: bool | str = True, proxies: dict[str, str] | None = None) -> None:
        """Set the address of the API and how to reach it, for credentials that obtain tokens there.

        :param base_url: of the API
        :param verify: TLS verification, or the path of a CA bundle
        :param proxies: scheme -> proxy address
        """

    def renew(self, used: str | None) -> bool:
        """Renew the token after a 401 and return whether there is a new one.

        :param used: the ``Authorization`` header that was refused
        """
        return False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
