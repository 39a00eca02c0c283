"""Workspaces, their members and projects."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_bitbucket.client.types.accounts import Account


class Project(TypedDict, total=False):
    """A project of a workspace."""

    type: str
    uuid: str
    key: str
    name: str
    description: str
    is_private: bool


class Workspace(TypedDict, total=False):
    """A workspace."""

    type: str
    uuid: str
    name: str
    slug: str


class Membership(TypedDict, total=False):
    """A member of a workspace."""

    type: str
    user: Account
    workspace: Workspace
