"""OAuth consumers, authorization codes and logins."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bitbucket_cloud_emulator.users.models import Credential, User


@dataclass(eq=False)
class Consumer:
    """An OAuth consumer with its key and secret."""

    key: str
    secret: str
    user: User  # the app_user it acts as; its display name is the consumer's
    scopes: frozenset[str]
    private: bool = True
    callback_url: str | None = None  # prefix of every redirect_uri; None: logins are impossible


@dataclass(eq=False)
class Code:
    """An authorization code: valid once, for a short time, for one consumer and redirect URI."""

    consumer: Consumer
    user: User
    scopes: frozenset[str]
    redirect_uri: str | None  # None: none was sent with the request for consent
    expires_on: datetime


@dataclass(eq=False)
class Login:
    """A person's consent and all tokens issued for it."""

    consumer: Consumer
    user: User
    scopes: frozenset[str]
    refresh_token: str
    expires_on: datetime  # unless it is used before
    rotated: set[str] = field(default_factory=set)  # refresh tokens that were used
    access_tokens: list[Credential] = field(default_factory=list)  # oldest first
    refreshes: int = 0
    revoked: bool = False
    revoked_by_reuse: bool = False
