"""Decide where a request goes: on the address as it will be sent, not as it is written.

``urllib.parse`` and urllib3, which connects, read some addresses differently: of ``http://a\\@b/`` the one takes ``b`` for the
host and the other ``a``. Every address that comes from outside (base URL, link, redirect, pasted callback) is therefore
prepared as requests prepares it and read by urllib3's own parser, and what can be read in two ways is refused.
"""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urljoin, urlsplit

import requests
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

from airflow_provider_bitbucket.client.transport.errors import BitbucketError, safe_url
from airflow_provider_bitbucket.client.transport.urls import BASE_URL

_BITBUCKET_HOST = "api.bitbucket.org"
_DEFAULT_PORTS = {"https": 443, "http": 80}
_ABSOLUTE = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*:)?//|[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True)
class Address:
    """An absolute address as it will be sent.

    :param text: the whole address, without fragment
    :param scheme: ``http`` or ``https``
    :param host: in lower case, IDNA-encoded; IPv6 in brackets
    :param port: as written, None for the scheme's default
    :param path: percent-encoded, begins with ``/``
    :param query: percent-encoded, None without
    """

    text: str
    scheme: str
    host: str
    port: int | None
    path: str
    query: str | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an absolute ``http`` or ``https`` address.

        :raises BitbucketError: it cannot be read, or not in one way only: it contains a backslash, user info, whitespace, control
            characters or dot segments
        """
        text, agreed, url = _checked(text), False, Url()
        with contextlib.suppress(requests.RequestException, LocationParseError, ValueError):  # not chained: they show the query
            prepared = str(requests.Request("GET", text).prepare().url)
            url = parse_url(prepared)
            same = urlsplit(prepared)  # requests connects by this one, urllib3 by the other
            agreed = (same.hostname, same.port) == ((url.host or "").strip("[]"), url.port)
        if url.scheme not in _DEFAULT_PORTS or not url.host or url.auth or not agreed:
            raise _refused(text, "it cannot be read as an http or https address")
        return cls(prepared, url.scheme, url.host, url.port, url.path or "/", url.query)

    @property
    def origin(self) -> str:
        """Scheme, host and port, the default port included: what credentials belong to."""
        return f"{self.scheme}://{self.host}:{self.port or _DEFAULT_PORTS[self.scheme]}"

    @property
    def site(self) -> str:
        """Scheme, host and port as written: the address without its path."""
        return f"{self.scheme}://{self.host}" + (f":{self.port}" if self.port else "")


class ApiAddress:
    """The base URL of an API, and what is below it.

    Links and redirects to Bitbucket itself are mapped onto the base URL of a reverse proxy in front of it.

    :param base_url: of the API; the credentials are sent nowhere else
    :raises ValueError: it is no address of an API
    """

    def __init__(self, base_url: str) -> None:
        try:
            address = Address.parse(base_url)
        except BitbucketError as error:
            raise ValueError(f"API base URL: {error.message} Expected an address such as '{BASE_URL}'.") from None
        if address.query is not None or "#" in base_url:
            raise ValueError(f"API base URL {safe_url(base_url)!r} must not carry a query or a fragment")
        self.text = address.text.rstrip("/")
        self.address = address
        self._path = address.path.rstrip("/")

    @property
    def web_url(self) -> str:
        """Where the web pages and the OAuth endpoints are: bitbucket.org, or the host of another base URL."""
        return "https://bitbucket.org" if self.address.host == _BITBUCKET_HOST else self.address.site

    def contains(self, address: Address) -> bool:
        """Return whether an address is part of the API that the credentials are for."""
        return address.origin == self.address.origin and (address.path == self._path or address.path.startswith(f"{self._path}/"))

    def resolve(self, path: str) -> Address:
        """Return the address of a path below the base URL, or of an absolute link of the API.

        :raises BitbucketError: it cannot be read or leads elsewhere: credentials go to the API alone
        """
        path = _checked(path)
        if not _ABSOLUTE.match(path):
            return Address.parse(f"{self.text}/{path.lstrip('/')}")
        address = self._mapped(Address.parse(f"{self.address.scheme}:{path}" if path.startswith("//") else path))
        if not self.contains(address):
            raise BitbucketError(
                f"Refused to follow a link to {safe_url(address.text)!r}: the API is at {self.text!r}, "
                "and credentials go nowhere else."
            )
        return address

    def redirect(self, location: str, *, sent_to: str) -> Address:
        """Return the address that a ``Location`` header leads to, which may be on another host.

        :param location: the header
        :param sent_to: the address that was answered by it
        :raises BitbucketError: it cannot be read
        """
        location = _checked(location)
        try:
            joined = urljoin(sent_to, location)
        except ValueError:
            raise _refused(location, "it cannot be read") from None
        return self._mapped(Address.parse(joined))

    def _mapped(self, address: Address) -> Address:
        """Map Bitbucket's own address onto the base URL, if that is a reverse proxy's."""
        if self.address.host == _BITBUCKET_HOST or not _BITBUCKET.contains(address):
            return address
        return Address.parse(self.text + address.text.removeprefix(address.site).removeprefix(_BITBUCKET.address.path))


def _checked(text: str) -> str:
    """Return an address without its fragment, which is never sent.

    :raises BitbucketError: it contains what parsers disagree about
    """
    text = text.partition("#")[0]
    path = text.partition("?")[0]
    authority = re.match(r"[^/]*//([^/]*)", path)
    if "\\" in text:
        raise _refused(text, "it contains a backslash")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise _refused(text, "it contains whitespace or control characters")
    if authority and "@" in authority[1]:
        raise _refused(text, "it contains user info")
    if any(unquote(segment) in (".", "..") for segment in path.split("/")):
        raise _refused(text, "it contains dot segments")
    return text


def _refused(text: str, reason: str) -> BitbucketError:
    shown = re.sub(r"//.*@", "//...@", safe_url(text), flags=re.DOTALL)  # a password may contain a slash
    return BitbucketError(f"Refused the address {shown!r}: {reason}.")


_BITBUCKET = ApiAddress(BASE_URL)
