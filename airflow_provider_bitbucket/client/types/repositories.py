"""Repositories, and the commits and refs in them."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_bitbucket.client.types.accounts import Account, Author
from airflow_provider_bitbucket.client.types.common import HtmlLinks
from airflow_provider_bitbucket.client.types.workspaces import Project


class Commit(TypedDict, total=False):
    """A commit. In pull requests and pipelines only ``hash`` is present, with 12 characters in pull requests."""

    type: str
    hash: str
    date: str
    author: Author | None
    message: str
    parents: list[Commit]
    repository: Repository


class Branch(TypedDict, total=False):
    """A branch with its head."""

    type: str
    name: str
    target: Commit | None
    links: HtmlLinks


class Tag(TypedDict, total=False):
    """A tag with its commit."""

    type: str
    name: str
    target: Commit | None
    message: str | None
    date: str | None
    tagger: Author | None
    links: HtmlLinks


class Repository(TypedDict, total=False):
    """A repository."""

    type: str
    uuid: str
    name: str
    full_name: str
    slug: str  # recorded
    is_private: bool
    description: str
    language: str
    size: int
    created_on: str
    updated_on: str
    mainbranch: Branch | None
    project: Project | None
    owner: Account | None
    parent: Repository | None
    links: HtmlLinks
