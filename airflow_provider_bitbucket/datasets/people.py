"""Who did something: accounts that may be missing, deleted or machines."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def account_id(account: Mapping[str, Any] | None) -> str | None:
    """Return an account's uuid, the id that never changes; None for a deleted account."""
    return (account or {}).get("uuid")


def display_name(account: Mapping[str, Any] | None) -> str | None:
    """Return the name people see; None for a deleted account."""
    return (account or {}).get("display_name")


def is_bot(account: Mapping[str, Any] | None, bots: Collection[str] = ()) -> bool:
    """Say whether an account is a machine: Bitbucket says so (``app_user``, ``team``), or it is on the list.

    :param account: the account
    :param bots: nicknames, display names, account ids or uuids of accounts that are no people though Bitbucket says ``user``
    """
    if not account:
        return False
    if account.get("type") in ("app_user", "team"):
        return True
    return any(account.get(name) in bots for name in ("uuid", "account_id", "nickname", "display_name"))
