"""Test DAGs against the Bitbucket emulator (extra ``emulator``).

In a ``conftest.py``: ``pytest_plugins = ["airflow_provider_bitbucket.testing"]``. The fixtures ``bitbucket_emulator`` and
``bitbucket_demo`` come with the emulator; ``bitbucket_default`` adds an Airflow connection to the first.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator

__all__ = ["bitbucket_default", "connection_json"]


def connection_json(emulator: BitbucketEmulator, auth_type: str = "api_token", **extra: Any) -> str:
    """Return an Airflow connection to an emulator as JSON, for ``AIRFLOW_CONN_BITBUCKET_DEFAULT``.

    :param emulator: the emulator that the connection points to
    :param auth_type: ``api_token``, ``api_token_per_user`` (without credentials), ``access_token``,
        ``oauth_client_credentials`` or ``oauth``
    :param extra: further extra fields
    :raises ValueError: unknown ``auth_type``
    """
    credentials: dict[str, tuple[str | None, str | None]] = {
        "api_token": emulator.api_token,
        "api_token_per_user": (None, None),
        "access_token": (None, emulator.access_token),
        "oauth_client_credentials": emulator.oauth_consumer,
        "oauth": emulator.oauth_consumer,
    }
    if auth_type not in credentials:
        raise ValueError(f"auth_type is {auth_type!r}; expected one of {', '.join(credentials)}")
    login, password = credentials[auth_type]
    fields = {"workspace": emulator.workspace, "auth_type": auth_type, **extra}
    connection = {"conn_type": "bitbucket", "login": login, "password": password, "host": emulator.api_url, "extra": fields}
    return json.dumps({name: value for name, value in connection.items() if value is not None})


@pytest.fixture
def bitbucket_default(bitbucket_emulator: BitbucketEmulator, monkeypatch: pytest.MonkeyPatch) -> BitbucketEmulator:
    """The emulator of ``bitbucket_emulator``, with the Airflow connection ``bitbucket_default`` pointing to it."""
    monkeypatch.setenv("AIRFLOW_CONN_BITBUCKET_DEFAULT", connection_json(bitbucket_emulator))
    return bitbucket_emulator
