"""The errors of requests, each with Bitbucket's own message."""

from __future__ import annotations

import copy
import html
import re
from typing import Any, Self, TypeAlias

import requests

from airflow_provider_bitbucket.client.transport.explanations import (
    APP_PASSWORD,
    explained,
    is_app_password,
    is_ip_restricted,
    wrong_base_url,
)
from airflow_provider_bitbucket.client.transport.responses import decode
from airflow_provider_bitbucket.client.transport.scopes import explain_refusal
from airflow_provider_bitbucket.client.transport.text import one_line, printable

_REQUEST_ID_HEADERS = ("Atl-Request-Id", "Atl-Traceid", "X-Request-Id")
_LONGEST_SENTENCE = 1000
_LONGEST_BODY = 100_000
_LONGEST_ADDRESS = 500
_SAYS_NOTHING = ("bad request", "not found", "request entity cannot be processed", "")


class BitbucketError(Exception):
    """A request to Bitbucket Cloud failed; the base of all errors of the client.

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
        parts = [" ".join(str(part) for part in (self.status, self.key) if part)]
        parts += [f"{self.method} {self.url}" if self.url else ""]
        parts += [f"request id {self.request_id}" if self.request_id else ""]
        facts = ", ".join(part for part in parts if part)
        return f"{self.message} ({facts})" if facts else self.message

    def with_message(self, message: str) -> Self:
        """Return a copy of the error with another message, for a caller that knows more about the request."""
        other = copy.copy(self)
        other.message, other.args = message, (message,)
        return other


class BitbucketAuthError(BitbucketError):
    """401: the credentials are wrong, expired or revoked."""


class BitbucketPermissionError(BitbucketError):
    """403: the credentials are good but may not do this; where Bitbucket reports scopes, the message names the missing ones.

    :ivar required: scopes that Bitbucket wanted, empty when it refused for another reason
    :ivar granted: scopes that the credentials have, None when Bitbucket did not report them
    :ivar is_ip_restricted: whether the IP allowlist of the workspace refused it
    """

    required: frozenset[str] = frozenset()
    is_ip_restricted: bool = False
    granted: frozenset[str] | None = None


class BitbucketNotFoundError(BitbucketError):
    """404: it does not exist, or these credentials may not see it - Bitbucket does not report which."""


class BitbucketBaseUrlError(BitbucketNotFoundError):
    """The API base URL is wrong: another server than the API of Bitbucket Cloud refused the request."""


class BitbucketGoneError(BitbucketError):
    """410: Atlassian has removed this part of the API."""


class BitbucketConflictError(BitbucketError):
    """409: a conflict with another change (a lost ref race, a duplicate name)."""


class BitbucketBadRequestError(BitbucketError):
    """400: Bitbucket does not understand or accept what was asked."""


class BitbucketRateLimitError(BitbucketError):
    """429 after all retries, or the request budget of these credentials is used up.

    :ivar retry_after: seconds after which Bitbucket (``Retry-After``) or our own count allows the next request, None when
        unknown
    :ivar is_budgeted: whether the request budget knows; not of the limits that the token endpoint and storage have
    """

    retry_after: float | None = None
    is_budgeted: bool = False


class BitbucketServerError(BitbucketError):
    """5xx or a malformed response, after all retries."""


class BitbucketMalformedResponseError(BitbucketServerError):
    """Malformed response. A transient error: it gives no information about the subject."""


class BitbucketConnectionError(BitbucketError):
    """No connection to Bitbucket, or no response, after all retries."""


class BitbucketAmbiguousError(BitbucketError):
    """A request that changes something was sent and its response was lost: it may or may not have taken effect."""


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
    """Return an address without user info and query: enough to find the request, nothing secret.

    Works on the text, because an address that is refused may be one that no parser can read.
    """
    return re.sub(r"//[^/]*@", "//", re.split(r"[?#]", url, maxsplit=1)[0])[:_LONGEST_ADDRESS]


def request_id(response: requests.Response) -> str | None:
    """Return the id under which Atlassian can find the request."""
    return next((printable(response.headers[name]) for name in _REQUEST_ID_HEADERS if name in response.headers), None)


def malformed_response(
    message: str, *, method: str | None = None, url: str | None = None, request_id: str | None = None
) -> BitbucketMalformedResponseError:
    """Make the error of a malformed response: it reports success and cannot be what was requested.

    Its status is 502, as if a gateway had noticed: the true one would say that there is no problem.
    """
    return BitbucketMalformedResponseError(message, status=502, method=method, url=url, request_id=request_id)


def from_response(response: requests.Response, method: str, *, hint: str = "") -> BitbucketError:
    """Make the error of an answer with a status of 400 or more.

    :param response: the answer, read
    :param method: what was asked
    :param hint: a sentence to add, when the caller knows why
    """
    words, key, scopes = _sentence(response)
    status = response.status_code
    kind = _BY_STATUS.get(status) or (BitbucketServerError if status >= 500 else BitbucketError)
    sentence = explained(status, words, key)
    if 400 <= status < 500 and status != 429 and (wrong := wrong_base_url(response)):
        kind, sentence, hint = BitbucketBaseUrlError, f"{wrong} The answer was: {words}", ""
    elif is_app_password(response, words):
        kind, hint = BitbucketAuthError, APP_PASSWORD
    if scopes:
        sentence += f"\n{explain_refusal(*scopes)}"
    error = kind(
        f"{sentence} {hint}".strip(),
        status=status,
        method=method,
        url=safe_url(response.url),
        request_id=request_id(response),
        key=key,
    )
    if isinstance(error, BitbucketPermissionError):
        error.required, error.granted = scopes or (frozenset(), None)
        error.is_ip_restricted = is_ip_restricted(status, words)
    return error


_Scopes: TypeAlias = tuple[frozenset[str], frozenset[str]]  # required and granted


def _sentence(response: requests.Response) -> tuple[str, str | None, _Scopes | None]:
    """Find Bitbucket's own words wherever this endpoint hides them, the Pipelines service's error key, and the scopes."""
    text = response.content[:_LONGEST_BODY].decode("utf-8", "replace").strip()
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    words, key, scopes = "", None, None
    if text.startswith("{"):
        words, key, scopes = _from_json(text)
    elif kind == "text/html" or text.startswith("<"):
        # Error pages may embed session data, so nothing but the title is ever shown.
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        words = html.unescape(title.group(1)) if title else ""
    else:
        words = text
    words = one_line(words[: 2 * _LONGEST_SENTENCE])[:_LONGEST_SENTENCE]
    words = words or one_line(response.reason or "") or "Bitbucket gives no reason"
    return words.rstrip(".") + ".", key, scopes


def _from_json(text: str) -> tuple[str, str | None, _Scopes | None]:
    """Return the words, the key and the scopes of a JSON body; the text as it is when it has none of the known shapes."""
    try:
        body = decode(text.encode("utf-8", "replace"))
    except ValueError:
        return text, None, None
    error = body.get("error")
    if error is None and isinstance(body.get("message"), str):  # Code Insights: without an envelope
        error = {**body, "data": body}
    if isinstance(error, str):  # the OAuth endpoint: RFC 6749
        return f"{body.get('error_description') or error} ({error})", None, None
    if not isinstance(error, dict):
        return text, None, None
    message, detail, fields, data = (error.get(name) for name in ("message", "detail", "fields", "data"))
    data = data if isinstance(data, dict) else {}
    parts = [str(message or "").strip()]
    scopes = None
    if isinstance(detail, dict) and "required" in detail:
        required, granted = (frozenset(_listed(detail.get(name))) for name in ("required", "granted"))
        scopes = (required, granted) if required else None
    elif detail:
        # The Pipelines service says "Bad request" for everything; what it means is in the detail.
        parts = [str(detail).strip()] if parts[0].lower() in _SAYS_NOTHING else [*parts, str(detail).strip()]
    for name, problems in (fields if isinstance(fields, dict) else {}).items():
        parts += [f"{name}: {problem}" for problem in _listed(problems) if problem not in parts[0]]
    if "shas" in data:
        parts.append(", ".join(_listed(data["shas"])))
    if "announcement_url" in data:
        parts.append(f"See {data['announcement_url']}")
    key = data.get("key")
    return ". ".join(part.rstrip(".") for part in parts if part) or text, printable(str(key)) if key else None, scopes


def _listed(value: Any) -> list[str]:
    items = value if isinstance(value, list | tuple) else [value] if value else []
    return [printable(str(item)) for item in items]
