"""Accounts and the credentials that authenticate as them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(eq=False)
class User:
    """An account: a person (``user``), an OAuth consumer's or access token's bot (``app_user``) or a ``team``."""

    uuid: str
    display_name: str
    nickname: str
    account_id: str | None
    created_on: datetime
    type: str = "user"


@dataclass(eq=False)
class Credential:
    """A credential that authenticates requests. ``kind`` is the value of X-Credential-Type."""

    kind: str  # api_token | repo_access_token | project_access_token | workspace_access_token | oauth2
    secret: str
    user: User
    scopes: frozenset[str]
    login: str | None = None  # the e-mail, for api_token
    workspace: str | None = None  # access tokens and consumers of personal workspaces reach only this one
    repository: str | None = None  # repository access tokens reach only this one
    expires_on: datetime | None = None
    revoked: bool = False
    consumer: str | None = None  # key of the OAuth consumer it was given to, which its requests count against


@dataclass(eq=False)
class Participant:
    """A user's part in a review."""

    user: User
    role: str  # PARTICIPANT | REVIEWER
    approved: bool = False
    state: str | None = None  # approved | changes_requested | None
    participated_on: datetime | None = None
