"""The OAuth token endpoint, beside the API and not below it. Errors have the shape of RFC 6749."""

from __future__ import annotations

import base64
import hmac
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from bitbucket_cloud_emulator.core.errors import json_response
from bitbucket_cloud_emulator.core.http import current_state
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.oauth import service as oauth_logins
from bitbucket_cloud_emulator.oauth.models import Consumer
from bitbucket_cloud_emulator.users.models import Credential

router = APIRouter(prefix="/site/oauth2")


@router.post("/access_token")
async def access_token(request: Request) -> Response:
    """Give a token for client credentials, an authorization code or a refresh token."""
    # A JSON body is not a form: its grant is None, and the error names that.
    form = dict(await request.form()) if "form" in request.headers.get("Content-Type", "") else {}
    answer = _grant(current_state(request), request, {name: str(value) for name, value in form.items()})
    request.app.state.traffic.grants[f"{form.get('grant_type')} {answer.status_code}"] += 1
    return answer


def _grant(state: State, request: Request, form: dict[str, str]) -> Response:
    consumer = _consumer(state, request, form)
    if consumer is None:
        return _error("unauthorized_client", "Requests must be authenticated using OAuth client credentials")
    match form.get("grant_type"):
        case "client_credentials":
            return _client_credentials(state, consumer)
        case "authorization_code":
            login = oauth_logins.redeem(state, consumer, form.get("code", ""), form.get("redirect_uri"))
            if login is None:
                return _error("invalid_grant", "The specified code is not valid.")
        case "refresh_token":
            login = oauth_logins.refresh(state, consumer, form.get("refresh_token", ""))
            if login is None:
                return _error(state.settings.refused_refresh_error, "Invalid refresh_token")
        case grant:
            return _error("unsupported_grant_type", f"Unsupported grant type: {grant}")
    return _given(state, login.access_tokens[-1], form["grant_type"], refresh_token=login.refresh_token)


def _client_credentials(state: State, consumer: Consumer) -> Response:
    """Since 2026-05-04 they act as the consumer's own app user and get no refresh token."""
    if not consumer.private:
        return _error("unauthorized_client", "The client credentials grant needs a private consumer")
    return _given(state, oauth_logins.new_access_token(state, consumer, consumer.user, consumer.scopes), "client_credentials")


def _given(state: State, credential: Credential, grant: str, **more: str) -> Response:
    body: dict[str, Any] = {
        "access_token": credential.secret,
        "token_type": "bearer",
        "expires_in": state.settings.access_token_seconds,
        "state": grant,  # not the state of the request for consent
        state.settings.oauth_scope_key: " ".join(sorted(credential.scopes)),
    }
    return json_response({**body, **more})


def _consumer(state: State, request: Request, form: dict[str, str]) -> Consumer | None:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            key, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return None
    else:
        key, secret = form.get("client_id", ""), form.get("client_secret", "")
    known = state.consumers.get(key)
    return known if known and hmac.compare_digest(known.secret.encode(), secret.encode()) else None


def _error(error: str, description: str) -> Response:
    return json_response({"error": error, "error_description": description}, 400)
