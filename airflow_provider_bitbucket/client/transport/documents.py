"""Read the JSON document of a response, or raise the error of a malformed response."""

from __future__ import annotations

from typing import Any

import requests

from airflow_provider_bitbucket.client.transport import errors
from airflow_provider_bitbucket.client.transport.request import Request
from airflow_provider_bitbucket.client.transport.responses import decode
from airflow_provider_bitbucket.client.transport.text import one_line

_STATUSES_WITHOUT_BODY = frozenset({201, 202, 204, 304})


def read_document(request: Request, response: requests.Response, *, from_api: bool, base_url: str) -> Any:
    """Return the JSON value of a response; None if it is empty or something else was requested.

    :param request: the request, which says what is expected
    :param response: a response with a status below 400, possibly the login or maintenance page of another host
    :param from_api: whether the API sent it
    :param base_url: address of the API, for the error
    :raises BitbucketServerError: it cannot be what was requested
    :raises BitbucketAmbiguousError: likewise, and the request must not be sent again
    """
    if not request.wants_json or not (from_api or request.object_only):
        return None
    try:
        return _decode(request, response)
    except ValueError as error:
        problem = str(error)
    content_type = one_line(response.headers.get("Content-Type", "no content type").partition(";")[0])[:100]
    sender = "Bitbucket" if from_api else "Another host"
    answered = f"{sender} answered {response.status_code} with {problem} ({content_type})"
    if not request.is_idempotent:
        raise request.ambiguous(answered, response)
    address = base_url if from_api else errors.safe_url(response.url)
    raise errors.malformed_response(
        f"{answered}. If this persists, {address} is not the Bitbucket API.",
        method=request.method,
        url=errors.safe_url(response.url),
        request_id=errors.request_id(response),
    )


def _decode(request: Request, response: requests.Response) -> Any:
    """Return the JSON value of a response; None for an empty one, where that is allowed.

    :raises ValueError: it is something else; its text describes it as the end of a sentence
    """
    expected = "a JSON object" if request.object_only else "JSON"
    if not response.content:
        reads_object = request.object_only and request.method == "GET"
        if not reads_object and (response.status_code in _STATUSES_WITHOUT_BODY or request.method in ("HEAD", "DELETE")):
            return None
        raise ValueError(f"nothing instead of {expected}")
    if response.status_code >= 300:
        raise ValueError(f"something that is not {expected}")
    try:
        document = decode(response.content)
    except ValueError:
        raise ValueError(f"something that is not {expected}") from None
    if request.object_only and not isinstance(document, dict):
        raise ValueError(f"something that is not {expected}")
    if isinstance(document, dict) and document.get("type") == "error":
        raise ValueError("an error object instead of the requested one")
    return document
