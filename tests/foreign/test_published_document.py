"""Requests that schemathesis generates from Bitbucket's published OpenAPI cause neither a 5xx nor a hang."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from fastapi.routing import APIRoute

from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.app import ROUTERS
from bitbucket_cloud_emulator.core.http import API, route_template
from tests.openapi import OpenApi

#: Path parameters of existing resources; with generated values nearly every request would be a 404.
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
def test_no_generated_request_is_answered_with_a_server_error(bitbucket_emulator: BitbucketEmulator, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    document = OpenApi.load()
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(served_operations(document.document)))
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
    """Create the resources that ``PATH_VALUES`` names."""
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


def served_operations(document: dict[str, Any]) -> dict[str, Any]:
    """Return the operations that the emulator serves, with fixed path parameters and without deleting the repository."""
    routes = {
        (method.lower(), route_template(route.path))
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute) and route.path.startswith(API)
        for method in route.methods
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
        for parameter in [each for owner in (item, *operations) for each in owner.get("parameters", [])]:
            if parameter.get("in") == "path" and parameter["name"] in PATH_VALUES:
                parameter["schema"] = {"enum": [PATH_VALUES[parameter["name"]]]}
    return kept
