"""Call any operation of the API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_bitbucket.client import BitbucketAmbiguousError, BitbucketClient
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.exceptions import BitbucketLostAnswerError

_PLACEHOLDER = re.compile(r"\{([^{}/]*)\}")


def complete_path(client: BitbucketClient, path: str, values: Mapping[str, str]) -> str:
    """Return a path whose names in braces are replaced by quoted values.

    :param path: as in Atlassian's documentation, such as ``/repositories/{workspace}/{repo_slug}/forks``
    :param values: value of each name; ``workspace`` is the client's unless it is given
    :raises ValueError: a value is missing, or cannot be part of an address
    """

    def value_of(found: re.Match[str]) -> str:
        name = found[1]
        if name not in values and name != "workspace":
            raise ValueError(f"path_parameters is {dict(values)!r}; expected a value for {{{name}}} of {path!r}")
        return segment(values[name] if name in values else client.workspace_slug())

    return _PLACEHOLDER.sub(value_of, path)


def call(
    client: BitbucketClient,
    method: str,
    path: str,
    *,
    query: Mapping[str, Any] | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    retry_post: bool = False,
) -> Any:
    """Send a request; return the JSON of the response, its text where it is no JSON, None where it is empty.

    :param retry_post: sending a POST twice does the same as once
    :raises BitbucketLostAnswerError: the answer to a POST was lost: it may have taken effect
    :raises BitbucketError: Bitbucket refused
    """
    idempotent = True if method == "POST" and retry_post else None
    if method == "DELETE":
        headers = {"Accept": "*/*", **(headers or {})}  # its response is empty
    try:
        response = client.request(method, path, params=query, json=body, headers=headers, idempotent=idempotent)
    except BitbucketAmbiguousError as error:
        raise BitbucketLostAnswerError(f"The request may have taken effect; the task is not retried. {error}") from error
    if not response.content:
        return None
    return response.json() if "json" in response.headers.get("Content-Type", "") else response.text
