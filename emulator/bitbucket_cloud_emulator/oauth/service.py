"""Logins through an OAuth consumer: authorization codes, the tokens they are exchanged for, and revocation.

Source: developer.atlassian.com/cloud/bitbucket/oauth-2 with the rules since 2026-05-04 (CHANGE-3052).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.oauth.models import Code, Consumer, Login
from bitbucket_cloud_emulator.users.models import Credential, User

_CODE_LIVES = timedelta(minutes=10)
_REFRESH_TOKEN_LIVES = timedelta(days=90)  # "three months", unused


def consent(state: State, consumer: Consumer, user: User, scopes: frozenset[str], redirect_uri: str | None) -> str:
    """Grant a consumer access to a person's account and return the authorization code.

    :param redirect_uri: as it was sent, None when it was not
    """
    code = state.hash()
    state.codes[code] = Code(consumer, user, scopes, redirect_uri, state.clock.now() + _CODE_LIVES)
    return code


def redeem(state: State, consumer: Consumer, code: str, redirect_uri: str | None) -> Login | None:
    """Exchange a code for a login with its first access token; None if the code is not valid for it.

    :param redirect_uri: as it was sent; the one of the consent, which may be left out only if it was left out there
    """
    found = state.codes.get(code)
    if found is None or found.consumer is not consumer or found.expires_on <= state.clock.now():
        return None
    if redirect_uri != found.redirect_uri and (found.redirect_uri or redirect_uri != consumer.callback_url):
        return None
    del state.codes[code]
    login = Login(consumer, found.user, found.scopes, state.hash(), state.clock.now() + _REFRESH_TOKEN_LIVES)
    state.logins.append(login)
    login.access_tokens.append(new_access_token(state, login.consumer, login.user, login.scopes))
    return login


def refresh(state: State, consumer: Consumer, refresh_token: str) -> Login | None:
    """Renew the login of a refresh token, which gets another access and refresh token; None if the token is invalid.

    No request can come in between, so of two that send the same refresh token one wins.
    """
    login = next((one for one in state.logins if refresh_token == one.refresh_token or refresh_token in one.rotated), None)
    if login is None or login.consumer is not consumer or login.revoked:
        return None
    if refresh_token in login.rotated:
        if state.settings.strict_refresh_reuse:
            revoke(login)
            login.revoked_by_reuse = True
        return None
    if login.expires_on <= state.clock.now():
        return None
    if state.settings.rotate_refresh_tokens:
        login.rotated.add(login.refresh_token)
        login.refresh_token = state.hash()
    login.expires_on = state.clock.now() + _REFRESH_TOKEN_LIVES
    login.refreshes += 1
    login.access_tokens.append(new_access_token(state, login.consumer, login.user, login.scopes))
    return login


def revoke(login: Login) -> None:
    """End a login with all its tokens, as the person does in the settings of their account."""
    login.revoked = True
    for credential in login.access_tokens:
        credential.revoked = True


def new_access_token(state: State, consumer: Consumer, user: User, scopes: frozenset[str]) -> Credential:
    """Return a new access token of a consumer.

    :param user: the account that it acts as
    """
    secret = f"{state.hash()}{state.hash()}"
    expires_on = state.clock.now() + timedelta(seconds=state.settings.access_token_seconds)
    credential = Credential("oauth2", secret, user, scopes, expires_on=expires_on, consumer=consumer.key)
    state.credentials.append(credential)
    return credential


def expire_access_tokens(state: State, consumers: Iterable[Consumer]) -> int:
    """Expire all access tokens of consumers now and return how many were still valid."""
    now, keys = state.clock.now(), {one.key for one in consumers}
    found = [
        one
        for one in state.credentials
        if one.consumer in keys and not one.revoked and (one.expires_on is None or one.expires_on > now)
    ]
    for credential in found:
        credential.expires_on = now
    return len(found)
