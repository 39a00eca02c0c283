"""The ``requests`` library with redirects switched off and without addresses in its errors and logs.

Addresses of storage outside of the API are pre-signed: their query grants access to the file.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import requests
from urllib3.exceptions import LocationParseError

from airflow_provider_bitbucket.client.transport.deadlines import DeadlineAdapter, response_deadline
from airflow_provider_bitbucket.client.transport.responses import read_body
from airflow_provider_bitbucket.client.transport.signing import NO_AUTH

#: The only headers of a request that storage receives.
_PASSED_ON = frozenset({"range", "accept-encoding"})
_QUERY = re.compile(r"\?[^\s'\")>]+")
_asking_storage: ContextVar[bool] = ContextVar("asking_storage", default=False)


class PlainSession(requests.Session):
    """A session that leaves redirects alone and reads responses with limits of size and time."""

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, DeadlineAdapter())

    def fetch(
        self, method: str, url: str, *, seconds: float, part: slice | None = None, stream: bool = False, **options: Any
    ) -> requests.Response:
        """Send a request and read its response.

        :param seconds: time for the whole response; with ``stream``, until its body begins
        :param part: as for :func:`~airflow_provider_bitbucket.client.transport.responses.read_body`
        :param stream: leave the body of a successful response to the caller
        :param options: of :meth:`requests.Session.request`
        :raises requests.RequestException: there is no response, or it is incomplete or too large
        """
        with response_deadline(seconds):
            try:
                response = self.request(method, url, allow_redirects=False, stream=True, **options)
            except LocationParseError as error:  # a host name that only fails when it is looked up, such as "x.."
                raise requests.exceptions.InvalidURL(f"The host name cannot be used: {error}") from None
            if not stream or response.status_code >= 300:
                read_body(response, part)
        return response

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: the client decides where a redirect leads.

        Even with ``allow_redirects=False`` requests prepares the next request, and raises ValueError for a ``Location`` that it
        cannot read.
        """


def fetch_from_storage(method: str, url: str, headers: Mapping[str, str], **options: Any) -> requests.Response:
    """Send a request to another host than the API's, without credentials, cookies or body.

    :param headers: of the request to the API; few of them are passed on
    :param options: of :meth:`requests.Session.request`: ``timeout``, ``verify``, ``proxies``; and of :meth:`PlainSession.fetch`
    :raises requests.RequestException: there is no answer
    """
    passed_on = {name: value for name, value in headers.items() if name.lower() in _PASSED_ON}
    asking = _asking_storage.set(True)
    try:
        with PlainSession() as session:
            return session.fetch(method, url, headers={"Accept": "*/*", **passed_on}, auth=NO_AUTH, **options)
    finally:
        _asking_storage.reset(asking)


def location_of(response: requests.Response) -> str:
    """Return the ``Location`` header; servers send UTF-8 in it, and headers are read as Latin-1."""
    location = response.headers["Location"]
    try:
        return location.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return location


@contextmanager
def without_queries() -> Iterator[None]:
    """Remove the queries of addresses from the texts of an error of requests, and of all that led to it."""
    try:
        yield
    except requests.RequestException as error:
        _remove_queries(error, set())
        raise


def _remove_queries(error: BaseException, done: set[int]) -> None:
    """Edit an error in place: its type and causes say whether the request was sent, so it cannot be replaced."""
    if id(error) in done:
        return
    done.add(id(error))
    error.args = tuple(_QUERY.sub("?...", part) if isinstance(part, str) else part for part in error.args)
    for led_to_it in (*error.args, error.__cause__, error.__context__, getattr(error, "reason", None)):
        if isinstance(led_to_it, BaseException):
            _remove_queries(led_to_it, done)


def _hide_query(record: logging.LogRecord) -> bool:
    """Remove the query from a line that urllib3 logs about storage."""
    if _asking_storage.get():
        record.msg, record.args = _QUERY.sub("?...", record.getMessage()), None
    return True


for _logger in ("urllib3.connectionpool", "urllib3.connection"):  # each request (debug), malformed headers (warning)
    logging.getLogger(_logger).addFilter(_hide_query)
