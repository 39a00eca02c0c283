"""A malformed body of a write is answered with 400, changes nothing, and breaks no later read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import reduce
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW

API = "/repositories/acme/api"
BRANCH = {"name": "topic", "target": {"hash": "HEAD"}}
TARGET = {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main"}

#: The method and a complete valid body of every write.
WRITES: dict[str, tuple[str, dict[str, Any]]] = {
    f"{API}/pullrequests": (
        "POST",
        {
            "title": "Add search",
            "description": "Because.",
            "source": {"branch": {"name": "feature/1"}, "repository": {"full_name": "acme/api"}},
            "destination": {"branch": {"name": "main"}},
            "reviewers": [{"uuid": "{0}"}],
            "draft": False,
            "close_source_branch": False,
        },
    ),
    f"{API}/pullrequests/1": ("PUT", {"title": "New", "description": "New", "reviewers": [], "draft": True}),
    f"{API}/pullrequests/1/merge": (
        "POST",
        {"merge_strategy": "merge_commit", "message": "Merged", "close_source_branch": False},
    ),
    f"{API}/pullrequests/1/decline": ("POST", {"message": "No."}),
    f"{API}/pullrequests/1/comments": (
        "POST",
        {"content": {"raw": "Why?"}, "inline": {"path": "a.py", "to": 1}, "parent": {"id": 1}, "pending": False},
    ),
    f"{API}/pullrequests/1/comments/538893001": ("PUT", {"content": {"raw": "Why?"}, "pending": False}),
    f"{API}/pullrequests/1/tasks": ("POST", {"content": {"raw": "Do it"}, "comment": {"id": 1}, "pending": False}),
    f"{API}/pullrequests/1/tasks/1": ("PUT", {"content": {"raw": "Do it"}, "state": "RESOLVED"}),
    API: ("PUT", {"description": "d", "language": "go", "is_private": True, "project": {"key": "ACME"}}),
    "/repositories/acme/new": ("POST", {"name": "new", "description": "d", "project": {"key": "ACME"}}),
    f"{API}/refs/branches": ("POST", BRANCH),
    f"{API}/refs/tags": ("POST", {**BRANCH, "message": "v1"}),
    f"{API}/commit/base/statuses/build": (
        "POST",
        {"key": "k", "state": "FAILED", "url": "https://x", "name": "n", "description": "d", "refname": "main"},
    ),
    f"{API}/commit/base/statuses/build/known": ("PUT", {"state": "FAILED", "url": "https://x", "name": "n", "description": "d"}),
    f"{API}/commit/base/comments": (
        "POST",
        {"content": {"raw": "Why?"}, "inline": {"path": "a.py", "to": 1}, "parent": {"id": 1}},
    ),
    f"{API}/commit/base/reports/r": (
        "PUT",
        {
            "title": "t",
            "details": "d",
            "report_type": "TEST",
            "result": "FAILED",
            "link": "https://x",
            "data": [{"title": "n", "type": "NUMBER", "value": 1}],
        },
    ),
    f"{API}/pipelines_config": ("PUT", {"enabled": True}),
    f"{API}/pipelines_config/variables": ("POST", {"key": "A", "value": "b", "secured": False}),
    f"{API}/pipelines_config/schedules": (
        "POST",
        {
            "target": {**TARGET, "selector": {"type": "custom", "pattern": "nightly"}},
            "cron_pattern": "0 0 2 * * ? *",
            "enabled": True,
        },
    ),
    f"{API}/environments": ("POST", {"name": "QA", "environment_type": {"name": "Test"}}),
    f"{API}/hooks": (
        "POST",
        {"url": "https://x.example", "events": ["repo:push"], "description": "d", "active": True, "secret": "s"},
    ),
    f"{API}/pipelines": (
        "POST",
        {
            "target": {**TARGET, "selector": {"type": "custom", "pattern": "nightly"}, "commit": {"hash": "abc"}},
            "variables": [{"key": "A", "value": "b", "secured": False}],
        },
    ),
}
READS = (API, "/repositories/acme", f"{API}/refs", f"{API}/pipelines", f"{API}/pullrequests?state=ALL", f"{API}/pullrequests/1",
         f"{API}/pullrequests/1/comments", f"{API}/pullrequests/1/tasks", f"{API}/pullrequests/activity",
         f"{API}/commit/base/statuses", f"{API}/commit/base/comments", f"{API}/commit/base/reports",
           f"{API}/pipelines_config/variables", f"{API}/pullrequests/1/merge/task-status/x",
         f"{API}/pipelines_config/schedules", f"{API}/environments", f"{API}/hooks",
         "/workspaces/acme/projects")  # fmt: skip

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
)


@pytest.fixture(scope="module")
def bitbucket() -> Iterator[BitbucketEmulator]:
    with BitbucketEmulator("empty", speed=0, now=NOW) as emulator:
        send(emulator, "POST", f"{API}/refs/tags", {"name": "base", "target": {"hash": "HEAD"}})
        emulator.control("POST", "pullrequests/acme/api", {"title": "Add search", "events": [{"do": "comment", "text": "Why?"}]})
        send(emulator, "POST", f"{API}/pullrequests/1/tasks", {"content": {"raw": "Test it"}})
        send(emulator, "POST", f"{API}/commit/base/statuses/build", {"key": "known", "state": "FAILED", "url": "https://x"})
        yield emulator


def send(bitbucket: BitbucketEmulator, method: str, path: str, body: Any = None) -> requests.Response:
    content = None if body is None else json.dumps(body)
    headers = {"Content-Type": "application/json"}
    url = f"{bitbucket.api_url}{path}"
    return requests.request(
        method, url, data=content, headers=headers, auth=bitbucket.api_token, allow_redirects=False, timeout=10
    )


def digest(bitbucket: BitbucketEmulator) -> str:
    sha: str = bitbucket.control("GET", "digest")["sha256"]
    return sha


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the paths of all values in a body, beginning with that of the body itself."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from paths_of(child, (*path, name))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a copy of a body with another value at a path."""
    if not path:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


OF_ANOTHER_TYPE = {str: 1, bool: "yes", int: "1", dict: "text", list: {"a": 1}}
WRONG_TYPES = [
    pytest.param(
        path, method, replaced(body, at, OF_ANOTHER_TYPE[type(value_at)]), id=f"{method} {path} {'.'.join(map(str, at))}"
    )
    for path, (method, body) in WRITES.items()
    for at in paths_of(body)
    for value_at in [reduce(lambda value, name: value[name], at, body)]
]


@pytest.mark.parametrize(("path", "method", "body"), WRONG_TYPES)
def test_a_value_of_the_wrong_type_is_a_400_that_changes_nothing(
    bitbucket: BitbucketEmulator, path: str, method: str, body: Any
) -> None:
    before = digest(bitbucket)
    answer = send(bitbucket, method, path, body)
    assert answer.status_code == 400, answer.text
    assert answer.json().get("error", answer.json())["message"]  # Code Insights sends no envelope
    assert digest(bitbucket) == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", API, {"name": []}),
        ("PUT", API, {"project": None}),
        ("PUT", f"{API}/pullrequests/1", {"title": 1}),
        ("PUT", f"{API}/pullrequests/1", {"reviewers": [1]}),
        ("POST", f"{API}/pullrequests/1/comments", {"content": {"raw": "x"}, "inline": 5}),
        ("POST", f"{API}/pullrequests/1/tasks", {"content": "text"}),
        ("POST", f"{API}/pipelines/?target=x&target.ref_name=y", None),
    ],
)
def test_malformed_bodies_that_other_clients_have_sent_are_refused(
    bitbucket: BitbucketEmulator, method: str, path: str, body: Any
) -> None:
    assert send(bitbucket, method, path, body).status_code == 400


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_body_causes_a_server_error_in_its_write_or_in_a_later_read(bitbucket: BitbucketEmulator, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(WRITES)))
    method, body = WRITES[path]
    at = data.draw(st.sampled_from(list(paths_of(body))))
    answer = send(bitbucket, method, path, replaced(body, at, data.draw(ANYTHING)))
    assert answer.status_code < 500, answer.text
    for read in READS:
        assert send(bitbucket, "GET", read).status_code < 500, read


def test_excessively_long_or_nested_json_is_refused(bitbucket: BitbucketEmulator) -> None:
    for content in ("[" * 100_000, '{"title":' * 100_000, '{"title": ' + "9" * 5000 + "}"):
        for path, (method, _) in WRITES.items():
            url = f"{bitbucket.api_url}{path}"
            headers = {"Content-Type": "application/json"}
            answer = requests.request(method, url, data=content, headers=headers, auth=bitbucket.api_token, timeout=30)
            assert answer.status_code == 400, f"{method} {path}"
