"""Requests that schemathesis generates from Bitbucket's published OpenAPI: no 5xx and no hang."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.app import ROUTERS
from bitbucket_cloud_emulator.core.http import API, route_template
from tests.openapi import OpenApi

#: Values with which a path leads to something; generated ones would end in 404 nearly always.
PATH_VALUES = {
    "workspace": "acme",
    "repo_slug": "api",
    "pull_request_id": 1,
    "comment_id": 538893001,
    "task_id": 1,
    "commit": "HEAD",
    "revision": "main",
    "spec": "HEAD",
    "name": "main",
    "path": "README.md",
    "key": "ci",
    "pipeline_uuid": "1",
    "project_key": "ACME",
}


@pytest.mark.slow
def test_generated_requests_are_never_answered_with_a_server_error(bitbucket_emulator: BitbucketEmulator, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    document = OpenApi.load()
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(served(document.document)))
    prepare(bitbucket_emulator)
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(path), "--url", bitbucket_emulator.api_url]
    options = "--checks not_a_server_error --phases fuzzing --max-examples 3 --seed 1 --no-shrink --request-timeout 10"
    done = subprocess.run(
        [*command, *options.split(), "--auth", ":".join(bitbucket_emulator.api_token)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert sum(bitbucket_emulator.requests().values()) > 250


def prepare(bitbucket: BitbucketEmulator) -> None:
    """Make what the paths lead to."""
    bitbucket.control("POST", "pullrequests/acme/api", {"title": "Add search", "events": [{"do": "comment", "text": "Why?"}]})
    api = f"{bitbucket.api_url}/repositories/acme/api"
    target = {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main"}
    writes = {
        "pipelines": {"target": target},
        "pullrequests/1/tasks": {"content": {"raw": "Test it"}},
        "commit/HEAD/statuses/build": {"key": "ci", "state": "FAILED", "url": "https://ci.example.com"},
    }
    for path, body in writes.items():
        assert requests.post(f"{api}/{path}", json=body, auth=bitbucket.api_token, timeout=10).status_code == 201


def served(document: dict[str, Any]) -> dict[str, Any]:
    """The part of a document that the emulator serves, with fixed path parameters and without deleting the repository."""
    routes = {
        (method.lower(), route_template(route.path))  # type: ignore[attr-defined]  # all are API routes
        for router in ROUTERS
        for route in router.routes
        if route.path.startswith(API)  # type: ignore[attr-defined]
        for method in route.methods  # type: ignore[attr-defined]
    }
    kept = copy.deepcopy(document)
    for template, item in list(kept["paths"].items()):
        for method in [name for name in item if name in ("get", "post", "put", "delete")]:
            if (method, template.rstrip("/")) not in routes or (method, template) == (
                "delete",
                "/repositories/{workspace}/{repo_slug}",
            ):
                del item[method]
        operations = [value for value in item.values() if isinstance(value, dict)]
        for parameter in [each for place in (item, *operations) for each in place.get("parameters", [])]:
            if parameter.get("in") == "path" and parameter["name"] in PATH_VALUES:
                parameter["schema"] = {"enum": [PATH_VALUES[parameter["name"]]]}
    return kept
