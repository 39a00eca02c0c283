"""Secrets that are the password of an Airflow connection of any type."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import BaseHook, mask_secret

from airflow_provider_bitbucket.exceptions import BitbucketConfigurationError


def connection_secret(conn_id: str) -> str:
    """Return the password of a connection, masked in logs from now on.

    :raises BitbucketConfigurationError: it has none
    :raises AirflowNotFoundException: there is no such connection
    """
    secret = BaseHook.get_connection(conn_id).password
    if not secret:
        raise BitbucketConfigurationError(f"Connection {conn_id!r} has no password; expected the secret there")
    mask_secret(secret)
    return str(secret)
