"""Accounts of authors, reviewers and bots, which can be missing or deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

_FIELDS = ("uuid", "display_name", "type", "nickname", "account_id")


class Account(NamedTuple):
    """An account; all fields are None if Bitbucket reports none, as for a deleted account.

    :param id: its uuid, which never changes
    :param name: display name
    :param type: ``user``, ``app_user`` or ``team``
    """

    id: str | None = None
    name: str | None = None
    type: str | None = None
    nickname: str | None = None
    account_id: str | None = None

    @classmethod
    def of(cls, json: Mapping[str, Any] | None) -> Account:
        """Return the account of Bitbucket's JSON."""
        if not json:
            return NO_ACCOUNT
        return cls._make(map(json.get, _FIELDS))  # millions of them: four times as fast as by name

    @classmethod
    def of_commit(cls, json: Mapping[str, Any]) -> Account:
        """Return the author of a commit; only name and e-mail address if no account has that address."""
        author = json.get("author") or {}
        account = cls.of(author.get("user"))
        return account if account.name else account._replace(name=author.get("raw"))

    @property
    def names(self) -> tuple[str | None, ...]:
        """Names and ids by which the account can be specified."""
        return self.id, self.name, self.nickname, self.account_id

    def is_bot(self, bots: Collection[str] = ()) -> bool:
        """Return whether it is a bot: an ``app_user`` (access tokens, OAuth consumers, apps), or on the list.

        :param bots: nicknames, display names, account ids or uuids of bots that use an ordinary user account
        """
        if self.type == "app_user":
            return True
        return bool(bots) and any(one in bots for one in self.names if one)


NO_ACCOUNT = Account()


class Bots(frozenset[str]):
    """Names of bots that use an ordinary user account, and which of them have been read.

    :ivar met: names that an account read so far has
    """

    met: set[str]

    @classmethod
    def of(cls, names: Collection[str] | str) -> Bots:
        """Return the names, or the one name, as an object of this class; one that is passed is returned itself."""
        if isinstance(names, Bots):
            return names
        bots = cls([names] if isinstance(names, str) else names)
        bots.met = set()
        return bots

    @property
    def unmet(self) -> list[str]:
        """Names that no account read so far has: misspelled, or not active in this interval."""
        return sorted(self - self.met)

    def meet(self, accounts: Iterable[Any]) -> None:
        """Record accounts.

        :param accounts: accounts, or their JSON, which may be malformed
        """
        if len(self.met) == len(self):  # also of no names
            return
        for one in accounts:
            names = one.names if isinstance(one, Account) else map(one.get, _FIELDS) if isinstance(one, Mapping) else ()
            self.met.update(name for name in names if isinstance(name, str) and name in self)


def is_bot(json: Mapping[str, Any], bots: Collection[str] = ()) -> bool:
    """Return :meth:`Account.is_bot` for Bitbucket's JSON of an account, reading as little of it as possible."""
    return json.get("type") == "app_user" or (bool(bots) and Account.of(json).is_bot(bots))
