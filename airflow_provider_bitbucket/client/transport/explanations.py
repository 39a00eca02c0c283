"""Explanations of refused requests that Bitbucket's own sentence leaves out; those of missing scopes are in ``scopes``."""

from __future__ import annotations

import re

import requests
from urllib3.util import parse_url

from airflow_provider_bitbucket.client.transport.urls import BASE_URL

APP_PASSWORD = (
    "App passwords were removed on 2026-07-28. Create an API token with Bitbucket scopes at id.atlassian.com, and use it with "
    "the account's e-mail address (auth type api_token)."
)
_IP_ALLOWLIST = (
    "The workspace is restricted to an IP allowlist: its administrator has to add the address of this machine (workspace "
    "settings, Access controls)."
)
_NO_API = f"Check the path, and the API base URL (host of the connection); that of Bitbucket Cloud is {BASE_URL}."
#: What Bitbucket answers alike, whether something is missing or hidden. What lies within a repository (a commit, a file) is only
#: searched for once the repository has been found.
_MISSING_OR_HIDDEN = re.compile(
    r"((page|resource) )?not found\b|(the requested )?repository\b|(no )?workspace\b|project\b", re.IGNORECASE
)
# "To access this repository, an admin must whitelist your IP." Source: Atlassian's "Error 403 when performing Git operations".
_IP_WORDS = re.compile(r"\bIP\b.*\b(allow|white)[- ]?list|\b(allow|white)[- ]?list.*\bIP\b", re.IGNORECASE | re.DOTALL)
# Bitbucket Data Center: /rest/api/1.0, with or without a context path; its errors name Java exceptions.
_DATA_CENTER_PATH = re.compile(r"(/(?!2\.0/)[^/]+)?/rest/")
_DATA_CENTER_ERROR = re.compile(rb'"exceptionName"\s*:\s*"com\.atlassian\.')


def wrong_base_url(response: requests.Response) -> str:
    """Return why what refused a request is not the API of Bitbucket Cloud; an empty text if it may be."""
    address, kind = parse_url(response.url), response.headers.get("Content-Type", "")
    host, path = address.host, address.path or "/"
    if response.request is not None and "Authorization" not in response.request.headers:
        return ""  # another host, to which the API has redirected
    if path.startswith("/site/oauth2/"):
        return ""  # the token endpoint, which is on the website
    if host in ("bitbucket.org", "www.bitbucket.org") and "json" not in kind:
        reason = f"{host} is the website of Bitbucket, not its API"
    elif host == "api.bitbucket.org" and not f"{path}/".startswith("/2.0/"):
        reason = "the addresses of the API begin with /2.0"
    elif (
        _DATA_CENTER_PATH.match(path)
        or "X-AREQUESTID" in response.headers
        or _DATA_CENTER_ERROR.search(response.content[:100_000])
    ):
        reason = "a Bitbucket Data Center server answers there, and only Bitbucket Cloud is supported"
    else:
        return ""
    return f"The API base URL (host of the connection) is wrong: {reason}. Expected {BASE_URL}, or an empty host."


def is_app_password(response: requests.Response, words: str) -> bool:
    """Return whether a request was refused because it was signed with an app password."""
    named = (
        "app password" in words.lower() or "CHANGE-3222" in words or response.headers.get("X-Credential-Type") == "apppassword"
    )
    return named and response.status_code in (401, 403, 410)


def is_ip_restricted(status: int, words: str) -> bool:
    """Return whether a request was refused because of the address that it came from."""
    return status == 403 and _IP_WORDS.search(words) is not None


def explained(status: int, words: str, key: str | None) -> str:
    """Return Bitbucket's words as a sentence, with what they leave out.

    :param status: of the answer
    :param words: Bitbucket's, in one line
    :param key: of the Pipelines service, which answers only once it has looked into the repository
    """
    sentence = words.rstrip(".")
    if is_ip_restricted(status, words):
        return f"{sentence}. {_IP_ALLOWLIST}"
    if status != 404 or key:
        return f"{sentence}."
    if "no api hosted" in words.lower():
        return f"{sentence}. {_NO_API}"
    if re.fullmatch(r"[\w{}-]+", sentence):
        return f"Not found: {sentence}."  # Bitbucket says no more than the id, of a comment for instance
    if _MISSING_OR_HIDDEN.match(words) and "access" not in words:
        subject = "Not found" if re.match(r"(page )?not found\b", words, re.IGNORECASE) else sentence
        return f"{subject}: it does not exist, or these credentials have no access to it; Bitbucket answers both alike."
    return f"{sentence}."
