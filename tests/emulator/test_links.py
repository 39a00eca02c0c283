"""Every link in an answer leads to a route that is served, because clients follow links."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call

API = "/repositories/acme/api"
STARTS = (
    "/user",
    "/workspaces/acme",
    "/workspaces/acme/projects",
    "/repositories/acme?pagelen=2",
    f"{API}/refs?pagelen=100",
    f"{API}/deployments?pagelen=3",
    f"{API}/environments",
    f"{API}/pipelines?pagelen=3",
    f"{API}/pullrequests?state=MERGED&pagelen=2",
)
#: Links of actions, whose routes do not accept GET.
ACTIONS = re.compile(r"/(approve|request-changes|merge|decline)$")
VISITS_PER_KIND = 3


def test_every_link_in_the_demo_leads_to_a_route_that_is_served(bitbucket_demo: BitbucketEmulator) -> None:
    session = requests.Session()
    session.auth = bitbucket_demo.api_token
    visits: Counter[str] = Counter()
    queue = deque(f"{bitbucket_demo.api_url}{path}" for path in STARTS)
    broken = []
    while queue:
        url = queue.popleft()
        kind = re.sub(r"%7B[^/]*%7D|\b[0-9a-f]{12,40}\b|/\d+\b", "*", urlsplit(url).path)
        kind = re.sub(r"(/src/|/diff/|/diffstat/|/branch(es)?/|/tags?/|/commits/).*", r"\1", kind)
        kind = re.sub(r"/acme/[a-z-]+", "/acme/*", kind)
        visits[kind] += 1
        if visits[kind] > VISITS_PER_KIND:
            continue
        answer = session.get(url, allow_redirects=False, timeout=10)
        if answer.status_code >= 400 and not (answer.status_code == 405 and ACTIONS.search(urlsplit(url).path)):
            broken.append(f"{answer.status_code} {url}")
        if "json" in answer.headers.get("Content-Type", ""):
            queue.extend(link for link in _links(answer.json()) if link.startswith(bitbucket_demo.url))
    assert not broken
    assert len(visits) > 50


def _links(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (each for name, each in value.items() if name in ("href", "next", "uri", "url") and isinstance(each, str))
        for each in value.values():
            yield from _links(each)
    elif isinstance(value, list):
        for each in value:
            yield from _links(each)


@pytest.mark.parametrize("resource", ["forks", "watchers", "downloads", "hooks"])
def test_the_lists_that_a_repository_links_to_are_served(call: Call, resource: str) -> None:
    answer = call(f"{API}/{resource}")
    assert answer.status_code == 200
    assert isinstance(answer.json()["values"], list)


def test_a_commit_can_be_approved_and_the_approval_withdrawn(call: Call) -> None:
    commit = f"{API}/commit/HEAD"
    approved = call(f"{commit}/approve", "POST")
    assert (approved.status_code, approved.json()["state"]) == (200, "approved")
    assert [each["approved"] for each in call(commit).json()["participants"]] == [True]
    assert call(f"{commit}/comments").json()["values"] == []
    assert call(f"{commit}/approve", "DELETE").status_code == 204
    assert call(commit).json()["participants"] == []
    assert call(f"{commit}/approve", "DELETE").status_code == 404


def test_links_of_repositories_and_commits_are_those_of_recorded_responses(call: Call) -> None:
    repository = call(API).json()
    for name in ("owner", "workspace", "project"):
        assert {"self", "html", "avatar"} <= set(repository[name]["links"]), name
    newest = call(f"{API}/commits").json()["values"][0]
    assert {"self", "html"} <= set(newest["parents"][0]["links"])


def test_a_pipeline_that_was_stopped_through_the_control_interface_names_its_terminator(
    call: Call, bitbucket_emulator: BitbucketEmulator
) -> None:
    target = {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main"}
    number = call(f"{API}/pipelines/", "POST", json={"target": target}).json()["build_number"]
    bitbucket_emulator.control("POST", f"pipelines/acme/api/{number}/finish", {"result": "STOPPED"})
    result = call(f"{API}/pipelines/{number}").json()["state"]["result"]
    assert result["terminator"]["nickname"] == "dana.demo"
