"""Create pull requests, pipelines and deployments in the emulator, and read them as datasets."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.extraction.dataset import Dataset
from bitbucket_cloud_emulator import BitbucketEmulator

OPENED = datetime(2026, 10, 1, 8, tzinfo=UTC)
AUTHOR, REVIEWER, OWNER, BOT = "alex.author", "robin.reviewer", "dana.demo", "acme.access.token"

Event = tuple[float, str, str] | tuple[float, str, str, dict[str, Any]]


def after(hours: float, opened: datetime = OPENED) -> datetime:
    """Return the time a number of hours after the opening."""
    return opened + timedelta(hours=hours)


def open_pull_request(bitbucket: BitbucketEmulator, *events: Event, opened: datetime = OPENED, **fields: Any) -> int:
    """Open a pull request by Alex Author in acme/api and add events to it.

    :param events: hours after the opening, kind, user, and further fields of each event
    :param fields: fields of the pull request
    :return: its number
    """
    fields = {"title": "Add search", "author": AUTHOR, "repository": "api", **fields}
    path = f"pullrequests/acme/{fields.pop('repository')}"
    number: int = bitbucket.control("POST", path, {**fields, "at": opened.isoformat()})["id"]
    sent = []
    for hours, kind, user, *details in events:
        more = {"text": "Why?"} if kind == "comment" else {}
        sent.append({"do": kind, "user": user, "at": after(hours, opened).isoformat(), **more, **(details[0] if details else {})})
    if sent:
        bitbucket.control("POST", f"{path}/{number}/events", {"events": sent})
    return number


def change(bitbucket: BitbucketEmulator, number: int, **values: Any) -> None:
    """Set fields of a pull request that the API cannot set."""
    bitbucket.control("PATCH", f"pullrequests/acme/api/{number}", values)


def client_of(bitbucket: BitbucketEmulator, **options: Any) -> BitbucketClient:
    """Return a client of the emulator."""
    options = {"workspace": bitbucket.workspace, **options}
    return BitbucketClient(ApiToken(*bitbucket.api_token), base_url=bitbucket.api_url, **options)


def frame_of(bitbucket: BitbucketEmulator, dataset: str = "pull_requests", **options: Any) -> Any:
    """Return a dataset as a frame; of repository ``api`` unless other ``repositories`` are given."""
    chosen = Dataset(dataset)
    return chosen.frame(chosen.records(client_of(bitbucket), **{"repositories": ["api"], **options}))


def row_of(bitbucket: BitbucketEmulator, number: int = 1, **options: Any) -> dict[str, Any]:
    """Return the row of a pull request in a frame, with None for null."""
    frame = frame_of(bitbucket, **options)
    row = frame[frame["id"] == number].iloc[0]
    return {str(name): None if row.isna()[name] else value for name, value in row.items()}


def deploy(bitbucket: BitbucketEmulator, seconds: float = 60, **production: Any) -> None:
    """Start a pipeline of acme/api that builds, deploys to test and deploys to production for 10 s each, and advance the clock.

    :param seconds: seconds by which the clock is advanced
    :param production: fields of the last step
    """
    build, test = {"name": "Build", "seconds": 10.0}, {"name": "Test", "seconds": 10.0, "environment": "test"}
    last = {"name": "Production", "seconds": 10.0, "environment": "production", **production}
    bitbucket.script("api", "release", steps=[build, test, last], parsing_seconds=0.0, pending_seconds=0.0)
    client_of(bitbucket).pipelines.trigger("api", branch="main", custom_pipeline="release")
    bitbucket.clock(advance=seconds)


def requested(bitbucket: BitbucketEmulator) -> dict[str, int]:
    """Return the number of requests to each route since the last reset."""
    return {
        route.removeprefix("GET /").removeprefix("repositories/{workspace}/{repo_slug}/"): times
        for route, times in bitbucket.requests().items()
    }


def run_pipelines(bitbucket: BitbucketEmulator, *scripts: dict[str, Any], seconds: float = 3600, repository: str = "api") -> None:
    """Start a custom pipeline ``check`` on the main branch for each script, one after the other, and advance the clock.

    :param scripts: arguments of :meth:`BitbucketEmulator.script` for each; an empty script runs 20 seconds
    :param seconds: seconds between two starts
    """
    client = client_of(bitbucket)
    for script in scripts:
        bitbucket.script(repository, "check", **{"steps": [{"name": "Test", "seconds": 20}], **script})
        client.pipelines.trigger(repository, branch="main", custom_pipeline="check")
        bitbucket.clock(advance=seconds)


def set_status(bitbucket: BitbucketEmulator, commit: str, key: str, state: str, **fields: Any) -> None:
    """Set a build status on a commit of acme/api."""
    path = f"/repositories/acme/api/commit/{commit}/statuses/build"
    client_of(bitbucket).post(path, {"key": key, "state": state, "url": "https://ci.example.com/1", **fields})


def asked(bitbucket: BitbucketEmulator, of: str = "pullrequests") -> dict[str, int]:
    """Return the number of requests to a list (``""``) and to the routes below it since the last reset.

    :param of: name of the list, ``pullrequests`` or ``pipelines``
    """
    route = f"GET /repositories/{{workspace}}/{{repo_slug}}/{of}"
    found = {name.removeprefix(route): times for name, times in bitbucket.requests().items() if name.startswith(route)}
    return {re.sub(r"/\{\w+\}", "/one", name).rstrip("/"): times for name, times in found.items()}
