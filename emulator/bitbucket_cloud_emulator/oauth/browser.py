"""An OAuth login without a browser: consent and code exchange."""

from __future__ import annotations

import base64
import html
import http.client
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

_AUTHORIZE = "/site/oauth2/authorize"
_TOKEN = "/site/oauth2/access_token"
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def log_in(
    host: str, port: int, consumer: tuple[str, str], *, user: str | None = None, scopes: Iterable[str] | None = None
) -> dict[str, Any]:
    """Grant a consumer access to an account, exchange the code, and return the response with the tokens.

    :param host: host of the emulator
    :param port: port of the emulator
    :param consumer: key and secret
    :param user: nickname; default: the owner of the workspace
    :param scopes: scopes to request; default: all scopes of the consumer
    :raises ValueError: the emulator refused, with its reason
    """
    key, secret = consumer
    code = grant_access(host, port, key, user=user, scopes=scopes)
    basic = base64.b64encode(f"{key}:{secret}".encode()).decode()
    exchange = {"grant_type": "authorization_code", "code": code}
    given, body = _post(host, port, _TOKEN, exchange, {"Authorization": f"Basic {basic}"})
    if given.status != 200:
        raise ValueError(f"The code was refused: {body}")
    tokens: dict[str, Any] = json.loads(body)
    return tokens


def grant_access(
    host: str,
    port: int,
    key: str,
    *,
    user: str | None = None,
    scopes: Iterable[str] | None = None,
    redirect_uri: str | None = None,
) -> str:
    """Grant a consumer access to an account, as a user does in the browser, and return the authorization code.

    :param key: key of the consumer
    :param redirect_uri: callback URL; default: the consumer's
    :raises ValueError: the emulator refused, with its reason
    """
    asked = {"client_id": key, "response_type": "code", **({} if scopes is None else {"scope": " ".join(scopes)})}
    if redirect_uri is not None:
        asked["redirect_uri"] = redirect_uri
    decision = {"decision": "grant", **({} if user is None else {"user": user})}
    sent_back, page = _post(host, port, f"{_AUTHORIZE}?{urlencode(asked)}", decision)
    answer = parse_qs(urlsplit(sent_back.getheader("Location", "")).query)
    if "code" not in answer:
        reason = re.search(r"<p>(.*?)</p>", page)
        why = answer.get("error_description", [html.unescape(reason[1]) if reason else page])[0]
        raise ValueError(f"Login as {user or 'the owner'} was refused: {why}")
    return answer["code"][0]


def _post(
    host: str, port: int, path: str, form: dict[str, str], headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, str]:
    """Send a form without following redirects: nothing listens at the callback URL."""
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request("POST", path, urlencode(form), {**_FORM, **(headers or {})})
        answer = connection.getresponse()
        return answer, answer.read().decode()
    finally:
        connection.close()
