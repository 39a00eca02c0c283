"""What can go wrong with a request, each case with Bitbucket's own sentence."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests

_REQUEST_ID_HEADERS = ("Atl-Request-Id", "Atl-Traceid", "X-Request-Id")
_LONGEST_TEXT = 300


class BitbucketError(Exception):
    """Anything Bitbucket Cloud or the way to it did not do.

    :param message: the sentence for a person
    :param status: HTTP status, None when there was no answer
    :param method: HTTP method
    :param url: the address, without query values that could hold secrets
    :param request_id: what Atlassian's support asks for, when it was sent
    :param key: the stable code of the Pipelines service (``error.data.key``), when it was sent
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        method: str | None = None,
        url: str | None = None,
        request_id: str | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.method = method
        self.url = url
        self.request_id = request_id
        self.key = key

    def __str__(self) -> str:
        parts = [str(self.status)] if self.status else []
        parts += [f"{self.method} {self.url}"] if self.url else []
        parts += [f"request id {self.request_id}"] if self.request_id else []
        return f"{self.message} ({', '.join(parts)})" if parts else self.message

    def with_message(self, message: str) -> BitbucketError:
        """Return the same error in other words, for a caller that knows more about what was asked."""
        return type(self)(message, status=self.status, method=self.method, url=self.url, request_id=self.request_id, key=self.key)


class BitbucketAuthError(BitbucketError):
    """401: the credentials are wrong, expired or revoked."""


class BitbucketPermissionError(BitbucketError):
    """403: the credentials are good but may not do this; the message names missing scopes."""


class BitbucketNotFoundError(BitbucketError):
    """404: it does not exist, or these credentials may not see it - Bitbucket does not tell which."""


class BitbucketGoneError(BitbucketError):
    """410: Atlassian has removed this part of the API."""


class BitbucketConflictError(BitbucketError):
    """409: somebody else was faster (a lost ref race, a duplicate name)."""


class BitbucketBadRequestError(BitbucketError):
    """400: Bitbucket does not understand or accept what was asked."""


class BitbucketRateLimitError(BitbucketError):
    """429 until the retries were used up: the hourly budget of these credentials is spent."""


class BitbucketServerError(BitbucketError):
    """5xx, or an answer that can not be read, until the retries were used up."""


class BitbucketConnectionError(BitbucketError):
    """No connection to Bitbucket, or no answer, until the retries were used up."""


class BitbucketAmbiguousError(BitbucketError):
    """A request that changes something was sent and its answer was lost: it may or may not have taken effect."""


_BY_STATUS: dict[int, type[BitbucketError]] = {
    400: BitbucketBadRequestError,
    401: BitbucketAuthError,
    403: BitbucketPermissionError,
    404: BitbucketNotFoundError,
    409: BitbucketConflictError,
    410: BitbucketGoneError,
    429: BitbucketRateLimitError,
}


def safe_url(url: str) -> str:
    """Return the address without user info and query: enough to find the request, nothing to leak."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return urlunsplit((parts.scheme, f"{host}:{parts.port}" if parts.port else host, parts.path, "", ""))


def request_id(response: requests.Response) -> str | None:
    """Return the id under which Atlassian can find the request."""
    return next((response.headers[name] for name in _REQUEST_ID_HEADERS if name in response.headers), None)


def from_response(response: requests.Response, method: str, *, hint: str = "") -> BitbucketError:
    """Make the error of an answer with a status of 400 or more.

    :param response: the answer, read or readable
    :param method: what was asked
    :param hint: a sentence to add, when the caller knows why
    """
    sentence, key = _sentence(response)
    status = response.status_code
    kind = _BY_STATUS.get(status) or (BitbucketServerError if status >= 500 else BitbucketError)
    if status == 404 and sentence.lower() in ("not found.", "page not found."):
        sentence = "Not found: it does not exist, or these credentials have no access to it; Bitbucket answers both alike."
    return kind(
        f"{sentence} {hint}".strip(),
        status=status,
        method=method,
        url=safe_url(response.url),
        request_id=request_id(response),
        key=key,
    )


def _sentence(response: requests.Response) -> tuple[str, str | None]:
    """Find Bitbucket's own words wherever this endpoint hides them, and the Pipelines service's error key."""
    body = response.content[:100_000]
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if body.lstrip()[:1] == b"{":
        try:
            return _from_json(json.loads(response.content))
        except (ValueError, TypeError, AttributeError, KeyError):
            pass  # announced as JSON and is none: show it as the text it is
    text = body.decode("utf-8", "replace")
    if text.strip() and (kind == "text/html" or text.lstrip()[:1] == "<"):
        # Error pages may embed session data, so nothing but the title is ever shown.
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        words = " ".join(html.unescape(title.group(1)).split()) if title else "an HTML page without a title"
    else:
        words = " ".join(text.split())
    return (words[:_LONGEST_TEXT] or response.reason or "no message").rstrip(".") + ".", None


def _from_json(body: dict[str, Any]) -> tuple[str, str | None]:
    if isinstance(body.get("error"), str):  # the OAuth endpoint: RFC 6749
        return f"{body.get('error_description') or body['error']}".rstrip(".") + f" ({body['error']}).", None
    error = body["error"]
    message = str(error.get("message") or "").strip()
    detail = error.get("detail")
    data = error.get("data") or {}
    key = data.get("key") if isinstance(data, dict) else None
    parts = [message]
    if isinstance(detail, dict) and "required" in detail:
        required, granted = set(_listed(detail["required"])), set(_listed(detail.get("granted")))
        missing = sorted(required - granted) or sorted(required)
        parts.append(f"Missing: {', '.join(missing)}. Granted: {', '.join(sorted(granted)) or 'none'}")
    elif detail:
        parts.append(str(detail).strip())
    for name, problems in (error.get("fields") or {}).items():
        parts += [f"{name}: {problem}" for problem in _listed(problems) if str(problem) not in message]
    words = ". ".join(part.rstrip(".") for part in parts if part)
    return words + (f" [{key}]" if key else "") + ".", key


def _listed(value: Any) -> Iterable[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value or ()]
