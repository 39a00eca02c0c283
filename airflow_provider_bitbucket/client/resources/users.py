"""Accounts."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment


class Users(Resource):
    """People and bots."""

    def me(self) -> dict[str, Any]:
        """Return the account behind the credentials. Access tokens are refused here (403): they are no person."""
        return self._api.get("/user")

    def get(self, user: str) -> dict[str, Any]:
        """Return an account by uuid or account id; user names are not accepted since 2019."""
        return self._api.get(f"/users/{segment(user)}")
