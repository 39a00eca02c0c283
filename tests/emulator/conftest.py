"""A caller for the emulator's tests: plain requests, so that our client can not hide a mistake of the emulator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator

Call = Callable[..., requests.Response]


@pytest.fixture
def call(bitbucket_emulator: BitbucketEmulator) -> Call:
    """``call("/user")``: GET below ``/2.0`` as the owner; ``method=``, ``auth=None``, ``token=`` and requests' options."""

    def send(path: str, method: str = "GET", token: str | None = None, **options: Any) -> requests.Response:
        if token:
            options["headers"] = {**options.get("headers", {}), "Authorization": f"Bearer {token}"}
        elif "auth" not in options:
            options["auth"] = bitbucket_emulator.api_token
        url = path if path.startswith("http") else f"{bitbucket_emulator.api_url}{path}"
        return requests.request(method, url, allow_redirects=False, timeout=10, **options)

    return send
