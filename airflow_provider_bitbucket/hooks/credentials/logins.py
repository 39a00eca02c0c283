"""The OAuth logins of a connection's users: keep, list, renew and delete them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_bitbucket.exceptions import BitbucketUserError
from airflow_provider_bitbucket.hooks.credentials.acting_user import as_key
from airflow_provider_bitbucket.hooks.credentials.token_store import VariableStore

if TYPE_CHECKING:
    from airflow_provider_bitbucket.client import Clock, Lease, Login, OAuthConsumer, OAuthLogin, StoredLogin

#: Longest time to wait while another process renews a login or changes the list.
_LEASE_TIMEOUT_SECONDS = 60.0


class Logins:
    """The logins of one connection.

    Variables: ``bitbucket_token__<connection>__<user>`` for each login (``..._token__<...>__next`` while it is written),
    ``bitbucket_login_lease__<connection>__<user>`` for the right to renew it, ``bitbucket_logins__<connection>`` with the names,
    ``bitbucket_logins_lease__<connection>`` for the right to change them.

    :param bitbucket_conn_id: the connection, of auth type ``oauth``
    :param clock: time, and how to wait for other processes; default: the system's
    """

    def __init__(self, bitbucket_conn_id: str, *, clock: Clock | None = None) -> None:
        self.bitbucket_conn_id = bitbucket_conn_id
        self._clock = clock
        self._store = VariableStore()
        self._names_key = f"bitbucket_logins__{bitbucket_conn_id}"

    def names(self) -> list[str]:
        """Return the users who have logged in, by their names in Airflow."""
        return sorted(json.loads(self._store.read(self._names_key) or "[]"))

    def get(self, user: str) -> Login | None:
        """Return the stored login of a user, None if there is none.

        :raises BitbucketUserError: the stored login belongs to another user with a similar name
        """
        login = self._stored(user).read(thoroughly=True)
        if login and login.user != user:
            raise BitbucketUserError(
                f"The login stored for {user!r} with connection {self.bitbucket_conn_id!r} belongs to {login.user!r}: "
                "the names are too similar."
            )
        return login

    def auth(self, consumer: OAuthConsumer, user: str) -> OAuthLogin:
        """Return the credentials that sign requests as a user."""
        from airflow_provider_bitbucket.client import OAuthLogin

        hint = (
            f"Log in: airflow bitbucket login --conn-id {self.bitbucket_conn_id} --user {user} (before Airflow 3.2: "
            f"python -m airflow_provider_bitbucket.cli login ...)."
        )
        return OAuthLogin(consumer, self._stored(user), self._lease(user), user=user, hint=hint)

    def keep(self, login: Login) -> None:
        """Store a new login, replacing the user's earlier one.

        :raises BitbucketUserError: the stored login belongs to another user with a similar name
        :raises TimeoutError: another process keeps renewing the earlier login
        """

        self._change(login.user, lambda: self._stored(login.user).write(login))
        self._update_names(login.user)

    def forget(self, user: str) -> None:
        """Delete a user's login.

        :raises BitbucketUserError: the stored login belongs to another user with a similar name
        :raises TimeoutError: another process keeps renewing it
        """

        self._change(user, self._stored(user).delete)
        self._update_names(user)

    def renew_all(self, consumer: OAuthConsumer) -> list[dict[str, Any]]:
        """Renew every login, which extends its lifetime.

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

    def _change(self, user: str, change: Callable[[], None]) -> None:
        """Change a login while no process renews it: the renewal would overwrite the change."""
        lease = self._lease(user)
        if self.get(user) is None:  # no process can be renewing it
            change()
            lease.open()
            return
        with self._holding(lease, f"The login of {user!r} is being renewed; try again in a few minutes"):
            change()

    def _update_names(self, user: str) -> None:
        """Add a user to the names, or remove them if there is no login; exclusively, because other processes do the same."""
        if (user in self.names()) == (self.get(user) is not None):
            return
        busy = f"The list of logins is being changed; try again with {user!r} in a few minutes"
        with self._holding(self._new_lease(f"bitbucket_logins_lease__{self.bitbucket_conn_id}"), busy):
            others = {*self.names()} - {user}
            self._store.write(self._names_key, json.dumps(sorted({*others, user} if self.get(user) else others)))

    def _stored(self, user: str) -> StoredLogin:
        from airflow_provider_bitbucket.client import StoredLogin

        return StoredLogin(self._store, f"bitbucket_token__{self.bitbucket_conn_id}__{as_key(user)}", clock=self._time)

    def _lease(self, user: str) -> Lease:
        return self._new_lease(f"bitbucket_login_lease__{self.bitbucket_conn_id}__{as_key(user)}")

    def _new_lease(self, key: str) -> Lease:
        from airflow_provider_bitbucket.client import Lease

        return Lease(self._store, key, clock=self._time)

    @contextmanager
    def _holding(self, lease: Lease, busy: str) -> Iterator[None]:
        """Hold a lease within a block.

        :raises TimeoutError: another process holds it for too long; ``busy`` is the message
        """
        clock = self._time
        deadline = clock.monotonic() + _LEASE_TIMEOUT_SECONDS
        while not lease.try_take():
            if clock.monotonic() > deadline:
                raise TimeoutError(busy)
            clock.sleep(1)
        try:
            yield
        finally:
            lease.release()

    @property
    def _time(self) -> Clock:
        from airflow_provider_bitbucket.client.transport.clock import SYSTEM_CLOCK

        return self._clock or SYSTEM_CLOCK
