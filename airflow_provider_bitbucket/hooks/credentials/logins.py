"""The OAuth logins of a connection's users: where they are kept, who there is, and that none lapses."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.exceptions import BitbucketUserError
from airflow_provider_bitbucket.hooks.credentials.acting_user import as_key
from airflow_provider_bitbucket.hooks.credentials.token_store import VariableStore

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import Lease, Login, OAuthConsumer, OAuthLogin, StoredLogin

_TAKE_LEASE_SECONDS = 60.0


class Logins:
    """The logins of one connection.

    Variables: ``bitbucket_token__<connection>__<user>`` for each login (``..._token__<...>__next`` while it is written),
    ``bitbucket_login_lease__<connection>__<user>`` for who may renew it, ``bitbucket_logins__<connection>`` with the names,
    ``bitbucket_logins_lease__<connection>`` for who may change them.

    :param bitbucket_conn_id: the connection, of auth type ``oauth``
    """

    def __init__(self, bitbucket_conn_id: str) -> None:
        self.bitbucket_conn_id = bitbucket_conn_id
        self._store = VariableStore()
        self._names_key = f"bitbucket_logins__{bitbucket_conn_id}"

    def names(self) -> list[str]:
        """Return who has logged in, by the names they have in Airflow."""
        return sorted(json.loads(self._store.read(self._names_key) or "[]"))

    def get(self, user: str) -> Login | None:
        """Return a user's login as it is kept, None when there is none.

        :raises BitbucketUserError: what is kept there is somebody else's, whose name is much like this one
        """
        login = self._stored(user).read(thoroughly=True)
        if login and login.user != user:
            raise BitbucketUserError(
                f"The login that is kept for {user!r} with connection {self.bitbucket_conn_id!r} belongs to {login.user!r}: "
                "their names are too much alike."
            )
        return login

    def auth(self, consumer: OAuthConsumer, user: str) -> OAuthLogin:
        """Return what signs requests in the name of a user."""
        from airflow_provider_bitbucket.client import OAuthLogin

        hint = (
            f"Log in: airflow bitbucket login --conn-id {self.bitbucket_conn_id} --user {user} (before Airflow 3.2: "
            f"python -m airflow_provider_bitbucket.cli login ...)."
        )
        return OAuthLogin(consumer, self._stored(user), self._lease(user), user=user, hint=hint)

    def keep(self, login: Login) -> None:
        """Keep a new login in place of the user's old one.

        :raises BitbucketUserError: the place is taken by somebody whose name is much like this one
        :raises TimeoutError: somebody renews the old one and does not come to an end
        """

        self._alone(login.user, lambda: self._stored(login.user).write(login))
        self._list(login.user)

    def forget(self, user: str) -> None:
        """Forget a user's login.

        :raises BitbucketUserError: what is kept is somebody else's, whose name is much like this one
        :raises TimeoutError: somebody renews it and does not come to an end
        """

        self._alone(user, self._stored(user).delete)
        self._list(user)

    def renew_all(self, consumer: OAuthConsumer) -> list[dict[str, Any]]:
        """Renew every login, which puts off the day it lapses.

        :return: ``user``, ``account`` and ``problem`` (None: renewed), one for each
        """
        from airflow_provider_bitbucket.client import BitbucketError

        rows = []
        for user in self.names():
            row: dict[str, Any] = {"user": user, "account": None, "problem": None}
            try:
                row["account"] = self.auth(consumer, user).renewed().account
            except BitbucketError as error:
                row["problem"] = str(error)
            rows.append(row)
        return rows

    def _alone(self, user: str, change: Callable[[], None]) -> None:
        """Change a login while nobody renews it: who does would write the old one over it."""
        lease = self._lease(user)
        if self.get(user) is None:  # then there is nothing that anybody could be renewing
            change()
            lease.open()
            return
        with _holding(lease, f"The login of {user!r} is being renewed just now; try again in a few minutes"):
            change()

    def _list(self, user: str) -> None:
        """Add a user to the names, or remove them, as there is a login or none: alone, because others come and go as well."""
        if (user in self.names()) == (self.get(user) is not None):
            return
        busy = f"The list of who has logged in is being changed just now; try again with {user!r} in a few minutes"
        with _holding(self._new_lease(f"bitbucket_logins_lease__{self.bitbucket_conn_id}"), busy):
            others = {*self.names()} - {user}
            self._store.write(self._names_key, json.dumps(sorted({*others, user} if self.get(user) else others)))

    def _stored(self, user: str) -> StoredLogin:
        from airflow_provider_bitbucket.client import StoredLogin

        return StoredLogin(self._store, f"bitbucket_token__{self.bitbucket_conn_id}__{as_key(user)}")

    def _lease(self, user: str) -> Lease:
        return self._new_lease(f"bitbucket_login_lease__{self.bitbucket_conn_id}__{as_key(user)}")

    def _new_lease(self, key: str) -> Lease:
        from airflow_provider_bitbucket.client import Lease

        return Lease(self._store, key)


@contextmanager
def _holding(lease: Lease, busy: str) -> Iterator[None]:
    """Do something while nobody else has the lease.

    :raises TimeoutError: somebody has it and keeps it; says what is busy
    """
    give_up = time.monotonic() + _TAKE_LEASE_SECONDS
    while not lease.try_take():
        if time.monotonic() > give_up:
            raise TimeoutError(busy)
        time.sleep(1)
    try:
        yield
    finally:
        lease.release()
