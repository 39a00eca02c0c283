"""Helpers of all routes: the state behind a request, required scopes, and JSON bodies of the control interface."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any, cast

from fastapi import Request

from bitbucket_cloud_emulator.core import auth
from bitbucket_cloud_emulator.core.bodies import json_object
from bitbucket_cloud_emulator.core.errors import ApiError
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.users.models import Credential

API = "/2.0"


def current_state(request: Request) -> State:
    """The emulated Bitbucket behind a request."""
    return cast(State, request.app.state.bitbucket)


def origin(request: Request) -> str:
    """Return scheme, host and port the caller used; links in answers lead back there."""
    return f"{request.url.scheme}://{request.url.netloc}"


def requires(*scopes: str) -> Callable[[Request], Coroutine[Any, Any, Credential]]:
    """Make a dependency that authenticates the request and requires these API-token scopes."""

    async def check(request: Request) -> Credential:
        request.state.accepted_scopes = scopes
        credential = auth.authenticate(current_state(request), request)
        request.state.credential = credential
        auth.count(current_state(request), credential)
        if auth.missing_scopes(credential, scopes):
            raise ApiError(
                403,
                "Your credentials lack one or more required privilege scopes.",
                detail={"required": [f"{name}:bitbucket" for name in scopes], "granted": sorted(credential.scopes)},
            )
        return credential

    return check


async def optional_credential(request: Request) -> None:
    """Authenticate the request if it has credentials; for routes that need none."""
    if "Authorization" in request.headers:
        await requires()(request)


async def json_body(request: Request, *needed: str) -> dict[str, Any]:
    """Return the JSON object in a request to the control interface.

    :param needed: names of required fields
    :raises ApiError: 400
    """
    body = await json_object(request)
    for name in needed:
        if body.get(name) in (None, ""):
            raise ApiError(400, f"{name}: This field is required.", fields={name: ["This field is required."]})
    return body


def route_template(path: str) -> str:
    """Return a route's path without the API prefix, as the published specification writes it."""
    return re.sub(r":path\}", "}", path.removeprefix(API)).rstrip("/") or "/"
