"""Accounts, and who wrote a commit."""

from __future__ import annotations

from typing import TypedDict

from airflow_provider_bitbucket.client.types.common import HtmlLinks


class Account(TypedDict, total=False):
    """A person, team or app. ``nickname`` and ``account_id`` are only those of people."""

    type: str
    uuid: str
    display_name: str
    nickname: str
    account_id: str
    links: HtmlLinks


class Author(TypedDict, total=False):
    """The author of a commit: the text in git, and the account if there is one."""

    type: str
    raw: str
    user: Account | None
