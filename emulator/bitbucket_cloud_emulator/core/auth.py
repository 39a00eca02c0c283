"""Authentication by Basic and Bearer, scopes in both spellings, rate limits."""

from __future__ import annotations

import base64
import hmac
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from email.utils import format_datetime

from fastapi import Request

from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.repositories.models import Repository
from bitbucket_cloud_emulator.users.models import Credential

#: Scopes of the well-known credentials: all that the published specification knows.
ALL_SCOPES = frozenset(
    f"{verb}:{thing}:bitbucket"
    for verb, things in {
        "read": "repository pullrequest pipeline project workspace user webhook runner permission",
        "write": "repository pullrequest pipeline webhook runner permission",
        "admin": "repository pipeline project",
        "delete": "repository webhook permission",
    }.items()
    for thing in things.split()
)

#: Kinds of credentials: values of ``X-Credential-Type``.
CREDENTIAL_KINDS = ("api_token", "repo_access_token", "project_access_token", "workspace_access_token", "oauth2")

#: API-token scopes of a legacy OAuth scope, implied ones included (developer.atlassian.com, scopes).
_LEGACY = {
    "account": "read:user read:workspace",
    "account:write": "read:user read:workspace",
    "repository": "read:repository",
    "repository:write": "read:repository write:repository",
    "repository:admin": "admin:repository",
    "repository:delete": "delete:repository",
    "pullrequest": "read:pullrequest read:repository",
    "pullrequest:write": "read:pullrequest write:pullrequest read:repository write:repository",
    "project": "read:project read:repository",
    "project:admin": "admin:project",
    "pipeline": "read:pipeline",
    "pipeline:write": "read:pipeline write:pipeline",
    "pipeline:variable": "read:pipeline write:pipeline admin:pipeline",
    "webhook": "read:webhook write:webhook delete:webhook",
    "runner": "read:runner",
    "runner:write": "read:runner write:runner",
    "team": "read:workspace",
}

#: Legacy scopes that a legacy scope includes, transitively (developer.atlassian.com, scopes).
_INCLUDED = {
    "account": "email",
    "account:write": "account email",
    "team:write": "team",
    "repository:write": "repository",
    "pullrequest": "repository",
    "pullrequest:write": "pullrequest repository:write repository",
    "project": "repository",
    "pipeline:write": "pipeline",
    "pipeline:variable": "pipeline:write pipeline",
    "runner:write": "runner",
}

_NOT_FOR_TOKENS = "Token is invalid, expired, or not supported for this endpoint."
_EXPIRED = "OAuth2 access token expired. Use your refresh token to obtain a new access token."
_HEADER_ONLY = "Access tokens are accepted in the Authorization header only, not in the URL."
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Bitbucket.org HTTP"'}
_ANONYMOUS_LIMIT = 60

#: User names that git sends beside an API token, and beside an access token or OAuth token.
GIT_API_TOKEN_USER, GIT_TOKEN_USER = "x-bitbucket-api-token-auth", "x-token-auth"


def authenticate(state: State, request: Request) -> Credential:
    """Return the credential a request is signed with, or raise the 401 that Bitbucket would send."""
    if "access_token" in request.query_params:  # since 2026-05-04; one in the body is ignored
        raise ApiError(401, _HEADER_ONLY)
    header = request.headers.get("Authorization", "")
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "basic":
        credential = _basic(state, value)
        if credential is None:
            raise ApiError(
                401,
                "Invalid credentials.\nYou may not have access to this repository or it no longer exists in this workspace.\n"
                "If you think this repository exists and you have access, make sure you are authenticated.\n",
                style="text",
                headers=_CHALLENGE,
            )
    elif scheme.lower() == "bearer":
        credential = next((one for one in state.credentials if one.kind != "api_token" and _same(one.secret, value)), None)
        if credential is None or credential.revoked:
            raise ApiError(401, _NOT_FOR_TOKENS)
        if _expired(state, credential):
            raise ApiError(401, _EXPIRED if credential.kind == "oauth2" else _NOT_FOR_TOKENS)
    else:
        count(state, None)
        raise ApiError(401, "Authentication required.\n", style="text", headers=_CHALLENGE)
    return credential


def authenticate_git(state: State, request: Request) -> Credential | None:
    """Return the credential that git sends as Basic, or None for an anonymous request.

    An API token goes with a fixed user name or the user's own, never with the e-mail that the REST API takes; every other
    token with a fixed user name (support.atlassian.com: using API tokens, using access tokens).

    :raises ApiError: 401, with which git asks its credential helper
    """
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if not value:
        return None
    user, secret = _split_basic(value) if scheme.lower() == "basic" else ("", "")
    for credential in state.credentials:
        names = (GIT_API_TOKEN_USER, credential.user.nickname) if credential.kind == "api_token" else (GIT_TOKEN_USER,)
        if user in names and _same(credential.secret, secret) and not credential.revoked and not _expired(state, credential):
            return credential
    raise ApiError(401, "Invalid credentials", style="text", headers=_CHALLENGE)


def missing_scopes(credential: Credential, needed: Iterable[str]) -> set[str]:
    """Return the required API-token scopes that a credential lacks."""
    held = set(credential.scopes)
    for scope in credential.scopes:
        held |= {f"{name}:bitbucket" for name in _LEGACY.get(scope, "").split()}
    return {f"{name}:bitbucket" for name in needed} - held


def with_included(scopes: Iterable[str]) -> frozenset[str]:
    """Return legacy OAuth scopes with those that they include."""
    held = set(scopes)
    return frozenset(held.union(*(_INCLUDED.get(scope, "").split() for scope in held)))


def reaches(credential: Credential, repository: Repository) -> bool:
    """Return whether a credential has access to a repository."""
    if credential.workspace and credential.workspace != repository.workspace.slug:
        return False
    return not credential.repository or credential.repository == repository.slug


def headers_for(state: State, request: Request) -> dict[str, str]:
    """Return the response headers about credentials and limits."""
    accepted = getattr(request.state, "accepted_scopes", ())
    headers = {"X-Accepted-OAuth-Scopes": ", ".join(f"{name}:bitbucket" for name in accepted)} if accepted else {}
    credential: Credential | None = getattr(request.state, "credential", None)
    if credential is None:
        now, left = state.clock.now(), max(0, _ANONYMOUS_LIMIT - len(_window(state, None)))
        return {
            **headers,
            "X-Credential-Type": "unauthenticated_identity",
            "X-Ratelimit-Limit": f"{_ANONYMOUS_LIMIT}, {_ANONYMOUS_LIMIT};w=3600",
            "X-Ratelimit-Remaining": str(left),
            "X-Ratelimit-Reset": str(3600 - now.minute * 60 - now.second),  # seconds left, not a timestamp
        }
    headers |= {"X-OAuth-Scopes": ", ".join(sorted(credential.scopes)), "X-Credential-Type": credential.kind}
    if credential.kind.endswith("_access_token"):  # only these get limit headers
        limit = state.settings.rate_limit or 1000
        used = len(_window(state, credential))
        headers |= {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Resource": "api",
            "X-RateLimit-NearLimit": "true" if used > 0.8 * limit else "false",
        }
    return headers


def _basic(state: State, value: str) -> Credential | None:
    login, secret = _split_basic(value)
    found = next((one for one in state.credentials if one.login and _same(one.login, login) and _same(one.secret, secret)), None)
    return found if found and not found.revoked and not _expired(state, found) else None


def _split_basic(value: str) -> tuple[str, str]:
    """Return user name and password of a Basic header; two empty ones if it is malformed."""
    try:
        user, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return user, secret


def _expired(state: State, credential: Credential) -> bool:
    return credential.expires_on is not None and credential.expires_on <= state.clock.now()


def _same(known: str, given: str) -> bool:
    return hmac.compare_digest(known.encode(), given.encode())


def count(state: State, credential: Credential | None) -> None:
    """Count a request against the limit of a credential; None: anonymous.

    :raises ApiError: 429 when limits are switched on and this one is used up
    """
    times, now = _window(state, credential), state.clock.now()
    limit = state.settings.rate_limit
    if limit is not None and len(times) >= (limit if credential else min(limit, _ANONYMOUS_LIMIT)):
        raise rate_limited(state, (times[0] + timedelta(hours=1) - now).total_seconds())
    times.append(now)


def _window(state: State, credential: Credential | None) -> deque[datetime]:
    """Return the request times of the last emulated hour of an access token, a consumer (all its logins) or an account."""
    key = ""
    if credential:
        key = credential.secret if credential.kind.endswith("_access_token") else credential.consumer or credential.user.uuid
    times = state.request_times.setdefault(key, deque())
    start = state.clock.now() - timedelta(hours=1)
    while times and times[0] <= start:
        times.popleft()
    return times


def rate_limited(state: State, seconds: float) -> ApiError:
    """Return the 429: 46 bytes of text, with Retry-After only if that is switched on."""
    headers = {"Cache-Control": "no-cache, no-store"}
    if state.settings.retry_after == "seconds":
        headers["Retry-After"] = str(int(seconds) + 1)
    elif state.settings.retry_after == "date":
        headers["Retry-After"] = format_datetime(state.clock.now() + timedelta(seconds=seconds + 1), usegmt=True)
    return ApiError(429, "Rate limit for this resource has been exceeded", style="text", headers=headers)
