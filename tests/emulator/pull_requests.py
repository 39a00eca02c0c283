"""What the tests of pull requests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from bitbucket_cloud_emulator import BitbucketEmulator

API = "/repositories/acme/api"
PULLS = f"{API}/pullrequests"
OWNER, REVIEWER, AUTHOR = "dana.demo", "robin.reviewer", "alex.author"


def story(bitbucket: BitbucketEmulator, title: str = "Add search", **told: Any) -> int:
    """Open a pull request through the control interface and return its number."""
    number: int = bitbucket.control("POST", "pullrequests/acme/api", {"title": title, "author": AUTHOR, **told})["id"]
    return number


def change(bitbucket: BitbucketEmulator, number: int, **values: Any) -> None:
    """Set what the API never sets."""
    bitbucket.control("PATCH", f"pullrequests/acme/api/{number}", values)


def events(bitbucket: BitbucketEmulator, number: int, *happened: dict[str, Any]) -> None:
    """Let things happen to a pull request."""
    bitbucket.control("POST", f"pullrequests/acme/api/{number}/events", {"events": list(happened)})


def values(call: Callable[..., requests.Response], path: str, /, **params: Any) -> list[dict[str, Any]]:
    """All rows of a list, by following ``next``."""
    page = call(path, params=params)
    assert page.status_code == 200, page.text
    rows: list[dict[str, Any]] = page.json()["values"]
    while "next" in page.json():
        page = call(page.json()["next"])
        rows += page.json()["values"]
    return rows


def uuid_of(call: Callable[..., requests.Response], nickname: str) -> str:
    """The uuid of a member."""
    members = values(call, "/workspaces/acme/members")
    return next(one["user"]["uuid"] for one in members if one["user"]["nickname"] == nickname)
