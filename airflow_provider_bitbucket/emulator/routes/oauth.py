"""The OAuth token endpoint, beside the API and not below it. Errors have the shape of RFC 6749."""

from __future__ import annotations

import base64
import hmac
from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from airflow_provider_bitbucket.emulator.errors import json_response
from airflow_provider_bitbucket.emulator.http import current_state
from airflow_provider_bitbucket.emulator.state import Consumer, Credential, State

router = APIRouter(prefix="/site/oauth2")


@router.post("/access_token")
async def access_token(request: Request) -> Response:
    """Give a token. Since 2026-05-04 client credentials act as the consumer's own app user and get no refresh token."""
    state = current_state(request)
    form = dict(await request.form()) if "form" in request.headers.get("Content-Type", "") else {}
    consumer = _consumer(state, request, form)
    if consumer is None:
        return _error("unauthorized_client", "Requests must be authenticated using OAuth client credentials")
    grant = form.get("grant_type")
    if grant != "client_credentials":
        return _error("unsupported_grant_type", f"Unsupported grant type: {grant}")
    if not consumer.private:
        return _error("unauthorized_client", "The client credentials grant needs a private consumer")
    seconds = state.settings.access_token_seconds
    token = f"{state.hash()}{state.hash()}"
    state.credentials.append(
        Credential("oauth2", token, consumer.user, consumer.scopes, expires_on=state.clock.now() + timedelta(seconds=seconds))
    )
    body: dict[str, Any] = {"access_token": token, "token_type": "bearer", "expires_in": seconds, "state": grant}
    return json_response({**body, state.settings.oauth_scope_key: " ".join(sorted(consumer.scopes))})


def _consumer(state: State, request: Request, form: dict[str, Any]) -> Consumer | None:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            key, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return None
    else:
        key, secret = str(form.get("client_id", "")), str(form.get("client_secret", ""))
    known = state.consumers.get(key)
    return known if known and hmac.compare_digest(known.secret.encode(), secret.encode()) else None


def _error(error: str, description: str) -> Response:
    return json_response({"error": error, "error_description": description}, 400)
