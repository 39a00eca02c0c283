"""Accounts."""

from __future__ import annotations

from typing import cast

from airflow_provider_bitbucket.client.resources.resource import Resource
from airflow_provider_bitbucket.client.transport.urls import segment
from airflow_provider_bitbucket.client.types import Account


class Users(Resource):
    """People and bots."""

    def me(self) -> Account:
        """Return the account behind the credentials. Access tokens are refused here (403): they belong to no user."""
        return cast("Account", self._api.get("/user"))

    def get(self, user: str) -> Account:
        """Return an account by uuid or account id; user names are not accepted since 2019."""
        return cast("Account", self._api.get(f"/users/{segment(user)}"))
