"""A request of the client and its response."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import requests

from airflow_provider_bitbucket.client.transport import errors

JSON = "application/json"
_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
IDEMPOTENT_METHODS = _READING_METHODS | {"PUT", "DELETE"}


@dataclass
class Request:
    """A request and the state of its attempts.

    :param method: HTTP method, in upper case
    :param url: absolute address
    :param params: query parameters
    :param json: body sent as JSON
    :param data: body sent as form or bytes
    :param headers: headers beside the credentials
    :param stream: leave the body to the caller
    :param is_idempotent: whether it may be sent again after its response was lost
    :param object_only: accept nothing but a JSON object, whichever host sends it
    :param part: the wanted bytes of the body
    :param check: raises the error of a malformed response for a document that cannot be what was requested
    :ivar paced_seconds: time that it has waited for the request budget
    :ivar failures: failed attempts, without those that the request budget paces
    """

    method: str
    url: str
    params: Any
    json: Any
    data: Any
    headers: Mapping[str, str]
    stream: bool
    is_idempotent: bool
    object_only: bool
    part: slice | None
    check: Callable[[Any], object] | None
    paced_seconds: float = field(default=0.0, init=False)
    failures: int = field(default=0, init=False)

    @property
    def is_read(self) -> bool:
        """Whether the method changes nothing."""
        return self.method in _READING_METHODS

    @property
    def wants_json(self) -> bool:
        """Whether JSON was requested; storage on another host may still send something else."""
        return not self.stream and self.headers.get("Accept") == JSON

    def ambiguous(self, problem: str, response: requests.Response | None = None) -> errors.BitbucketAmbiguousError:
        """Make the error of a request that may have taken effect.

        :param problem: what happened, as the beginning of a sentence
        :param response: the response, if there is one
        """
        return errors.BitbucketAmbiguousError(
            f"{problem}: it may or may not have taken effect, so it was not sent again.",
            status=response.status_code if response is not None else None,
            method=self.method,
            url=errors.safe_url(self.url),
            request_id=errors.request_id(response) if response is not None else None,
        )


@dataclass(frozen=True)
class Answer:
    """A response with a status below 400.

    :param response: the response
    :param document: its JSON value where JSON was requested; None if it is empty or something else was requested
    """

    response: requests.Response
    document: Any
