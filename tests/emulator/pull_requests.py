"""Helpers of the tests of pull requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from bitbucket_cloud_emulator import BitbucketEmulator

API = "/repositories/acme/api"
PULLS = f"{API}/pullrequests"
OWNER, REVIEWER, AUTHOR = "dana.demo", "robin.reviewer", "alex.author"


def create_pull_request(bitbucket: BitbucketEmulator, title: str = "Add search", **fields: Any) -> int:
    """Open a pull request through the control interface and return its number."""
    number: int = bitbucket.control("POST", "pullrequests/acme/api", {"title": title, "author": AUTHOR, **fields})["id"]
    return number


def change(bitbucket: BitbucketEmulator, number: int, **values: Any) -> None:
    """Set fields that the API cannot set."""
    bitbucket.control("PATCH", f"pullrequests/acme/api/{number}", values)


def add_events(bitbucket: BitbucketEmulator, number: int, *events: dict[str, Any]) -> None:
    """Add events to a pull request through the control interface."""
    bitbucket.control("POST", f"pullrequests/acme/api/{number}/events", {"events": list(events)})


def values(call: Callable[..., requests.Response], path: str, /, **params: Any) -> list[dict[str, Any]]:
    """Return all rows of a list by following ``next``."""
    page = call(path, params=params)
    assert page.status_code == 200, page.text
    rows: list[dict[str, Any]] = page.json()["values"]
    while "next" in page.json():
        page = call(page.json()["next"])
        rows += page.json()["values"]
    return rows


def uuid_of(call: Callable[..., requests.Response], nickname: str) -> str:
    """Return the uuid of a member of the workspace."""
    members = values(call, "/workspaces/acme/members")
    return next(one["user"]["uuid"] for one in members if one["user"]["nickname"] == nickname)
