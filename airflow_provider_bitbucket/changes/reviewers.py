"""Find the accounts of reviewers that are given by name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from airflow_provider_bitbucket.client import (
    BitbucketAuthError,
    BitbucketBadRequestError,
    BitbucketClient,
    BitbucketPermissionError,
    bbql,
)

#: Stands for the effective default reviewers of the repository, those of its project included.
DEFAULT_REVIEWERS = "default"
_UUID = re.compile(r"\{[0-9a-fA-F-]{36}\}")
_ACCOUNT_ID = re.compile(r"[0-9a-f]{24}|[0-9]+:[0-9a-fA-F-]{36}")


class Reviewers:
    """Finds the accounts of reviewers; reads each list once.

    :param client: the client
    :param repository: slug, or ``workspace/slug``
    """

    def __init__(self, client: BitbucketClient, repository: str) -> None:
        self._client = client
        self._repository = repository
        self._workspace = client.full_name(repository).partition("/")[0]

    def find(self, names: Iterable[str], author: str | None = None) -> Sequence[str]:
        """Return the uuids (or account ids, where these were given) of reviewers, each once.

        Costs no request for uuids and account ids, one for every 100 members for names, one for each e-mail address, and two
        for ``default``.

        :param names: uuids in braces, account ids, nicknames, display names, e-mail addresses, or ``default``: the effective
            default reviewers without the author, which Bitbucket does not add by itself
        :param author: uuid of the author; None: the account of the credentials
        :raises ValueError: a name is that of no member or of several, or the credentials may not search e-mail addresses
        """
        return [*dict.fromkeys(account for name in names for account in self._find(name.strip(), author))]

    def _find(self, name: str, author: str | None) -> Iterator[str]:
        if name == DEFAULT_REVIEWERS:
            without = author or self._account
            yield from (uuid for uuid in self._defaults() if uuid != without)
        elif _UUID.fullmatch(name) or _ACCOUNT_ID.fullmatch(name):
            yield name
        else:
            yield self._only(name, self._with_email(name) if "@" in name else self._members[name.casefold()])

    def _only(self, name: str, uuids: Sequence[str]) -> str:
        if len(uuids) == 1:
            return uuids[0]
        problem = f"{len(uuids)} members have that name ({', '.join(uuids)}); give the uuid" if uuids else "it has no such member"
        raise ValueError(
            f"reviewers has {name!r}, which cannot be found in workspace {self._workspace!r}: {problem}. Expected a nickname, "
            "display name, e-mail address, account id or uuid in braces."
        )

    @cached_property
    def _members(self) -> Mapping[str, Sequence[str]]:
        """Return the uuids of members by nickname and by display name, in lower case."""
        found: dict[str, list[str]] = defaultdict(list)
        for row in self._client.workspaces.members(self._workspace):
            user: Mapping[str, Any] = row.get("user") or {}
            for name in {str(user.get(key) or "").casefold() for key in ("nickname", "display_name")} - {""}:
                found[name].append(str(user["uuid"]))
        return found

    def _with_email(self, email: str) -> Sequence[str]:
        path = f"{self._client.workspace_path(self._workspace)}/members"
        try:
            rows = [*self._client.paginate(path, {"q": f"user.email IN ({bbql.quote(email)})"})]
        except (BitbucketPermissionError, BitbucketBadRequestError) as error:
            # Bitbucket searches e-mail addresses for administrators and workspace tokens alone.
            raise ValueError(
                f"reviewers has the e-mail address {email!r}, which these credentials may not search ({error.message}). "
                "Give the nickname or uuid instead, or use credentials of an administrator of the workspace."
            ) from error
        return [str(row["user"]["uuid"]) for row in rows]

    def _defaults(self) -> Sequence[str]:
        path = f"{self._client.repository_path(self._repository)}/effective-default-reviewers"
        accounts = (row.get("user") or {} for row in self._client.paginate(path))
        return [str(account["uuid"]) for account in accounts if account.get("uuid")]

    @cached_property
    def _account(self) -> str | None:
        """Return the uuid of the account of the credentials; None for an access token, whose bot is no reviewer."""
        try:
            return str(self._client.users.me()["uuid"])
        except (BitbucketPermissionError, BitbucketAuthError):
            return None
