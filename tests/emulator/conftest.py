"""Tests of the emulator send plain requests, so that a mistake of the provider's client cannot hide one of the emulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator

Call = Callable[..., requests.Response]


@pytest.fixture
def call(bitbucket_emulator: BitbucketEmulator) -> Call:
    """Send a request to a path below ``/2.0``, by default a GET as the owner of the workspace; takes options of requests."""

    def send(path: str, method: str = "GET", token: str | None = None, **options: Any) -> requests.Response:
        if token:
            options["headers"] = {**options.get("headers", {}), "Authorization": f"Bearer {token}"}
        elif "auth" not in options:
            options["auth"] = bitbucket_emulator.api_token
        url = path if path.startswith("http") else f"{bitbucket_emulator.api_url}{path}"
        return requests.request(method, url, allow_redirects=False, timeout=10, **options)

    return send
