"""A person's OAuth login, shared by all processes that act for them.

Each refresh revokes the previous refresh token, so two processes that refresh at once could lose the login. A lease in the
store admits one at a time; the others continue with the current token, or wait for the new one.
"""

from __future__ import annotations

import json
import logging
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_bitbucket.client.auth.credentials import GIT_TOKEN_USER
from airflow_provider_bitbucket.client.auth.lease import Lease
from airflow_provider_bitbucket.client.auth.oauth import OAuthConsumer, OAuthRefusedError, OAuthTokens
from airflow_provider_bitbucket.client.auth.token_store import TokenStore
from airflow_provider_bitbucket.client.transport.clock import SYSTEM_CLOCK, Clock
from airflow_provider_bitbucket.client.transport.errors import BitbucketAuthError, BitbucketConnectionError, BitbucketError
from airflow_provider_bitbucket.client.transport.signing import Auth

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)

#: An unused refresh token expires after three months (developer.atlassian.com, CHANGE-3052).
LAPSES_AFTER_SECONDS = 90 * 24 * 3600
WARN_BEFORE_SECONDS = 14 * 24 * 3600
#: Longest duration of a refresh and of storing its result.
_REFRESH_SECONDS = 45.0
_SAVE_PAUSES = (0.2, 1.0, 5.0, 15.0)
_RETRY_SECONDS = 60.0


@contextmanager
def _store_errors() -> Iterator[None]:
    """Raise a transient error for any error of the store; its text quotes no token, as the store's own might."""
    try:
        yield
    except BitbucketConnectionError:
        raise
    except Exception as error:
        raise BitbucketConnectionError(f"The token store cannot be used: {type(error).__name__}.") from None


@dataclass(frozen=True)
class Login:
    """A user's OAuth access to Bitbucket.

    :param user: name of the user in Airflow
    :param account: name of the account at Bitbucket
    :param tokens: the newest tokens
    """

    user: str
    account: str
    tokens: OAuthTokens

    @property
    def lapses_at(self) -> float:
        """Unix time at which the login expires unless its refresh token is used first."""
        return self.tokens.received_at + LAPSES_AFTER_SECONDS

    def to_text(self) -> str:
        """Serialize the login for a store."""
        return json.dumps(
            {
                "user": self.user,
                "account": self.account,
                "access_token": self.tokens.access_token,
                "refresh_token": self.tokens.refresh_token,
                "expires_at": self.tokens.expires_at,
                "received_at": self.tokens.received_at,
                "scopes": list(self.tokens.scopes),
            }
        )

    @classmethod
    def from_text(cls, text: str | None) -> Login | None:
        """Deserialize a login; None if it is missing or incomplete."""
        try:
            kept = json.loads(text or "")
            tokens = OAuthTokens(
                str(kept["access_token"]),
                float(kept["expires_at"]),
                float(kept["received_at"]),
                tuple(kept["scopes"]),
                str(kept["refresh_token"]),
            )
            return cls(str(kept["user"]), str(kept["account"]), tokens)
        except (ValueError, KeyError, TypeError):
            return None


class StoredLogin:
    """A login in a store. The old one stays until the new one is confirmed, so a process that dies in between loses nothing.

    :param store: keeps the login
    :param key: key of the login; a second key, ``<key>__next``, exists while a new login is written
    :param clock: waits before another attempt to write
    """

    def __init__(self, store: TokenStore, key: str, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self._store = store
        self._clock = clock
        self.key = key
        self._next = f"{key}__next"

    def read(self, *, thoroughly: bool = False) -> Login | None:
        """Return the login, None if there is none.

        :param thoroughly: also read a login whose write was interrupted; needed before a refresh, not before each use
        :raises BitbucketConnectionError: the store cannot be read
        """
        with _store_errors():
            login = Login.from_text(self._store.read(self.key))
            if login and not thoroughly:
                return login
            newer = Login.from_text(self._store.read(self._next))
        both = [each for each in (login, newer) if each]
        return max(both, key=lambda each: each.tokens.received_at, default=None)

    def write(self, login: Login) -> None:
        """Store a login.

        :raises BitbucketConnectionError: it cannot be stored
        """
        with _store_errors():
            newest = self.read(thoroughly=True)
            if newest and newest != Login.from_text(self._store.read(self.key)):
                self._write_surely(self.key, newest.to_text())  # the last write was interrupted, and the other key is needed now
            for key in (self._next, self.key):
                self._write_surely(key, login.to_text())
            self._store.delete(self._next)

    def delete(self) -> None:
        """Delete the login.

        :raises BitbucketConnectionError: it cannot be deleted
        """
        with _store_errors():
            self._store.delete(self._next)
            self._store.delete(self.key)

    def _write_surely(self, key: str, text: str) -> None:
        problem = "the stored text differs from the written one"
        for pause in (0.0, *_SAVE_PAUSES):
            self._clock.sleep(pause)
            try:
                self._store.write(key, text)
                if self._store.read(key) == text:
                    return
            except Exception as error:  # any error of a store: the token must not be lost because of it
                problem = type(error).__name__  # not its text, which may quote the token
        raise BitbucketConnectionError(f"The token store cannot store a login: {problem}.")


class OAuthLogin(Auth):
    """Credentials of a person who granted an OAuth consumer access; any number of processes can share them.

    Tokens are renewed in the last quarter of their lifetime, by one process at a time. Until then the current token is used.

    :param consumer: the OAuth consumer
    :param stored: the login in the store
    :param lease: admits one process at a time to renew it
    :param user: name of the user in Airflow
    :param hint: how to log in again
    """

    kind = "oauth"
    counted = "consumer"

    def __init__(self, consumer: OAuthConsumer, stored: StoredLogin, lease: Lease, *, user: str, hint: str) -> None:
        super().__init__(consumer.key, *consumer.secrets(), stored.key)  # Bitbucket counts by consumer
        self.consumer = consumer
        self._clock = consumer.clock
        self.user = user
        self.hint = hint
        self._stored = stored
        self._lease = lease
        self._login: Login | None = None
        self._renew_at = 0.0
        self._unsaved = False
        self._busy = False
        self._lock = threading.RLock()  # reentrant for signal handlers, which stop the pipeline of a killed task

    def connect(self, base_url: str, *, verify: bool | str = True, proxies: dict[str, str] | None = None) -> None:
        self.consumer.connect(base_url, verify=verify, proxies=proxies)

    def secrets(self) -> list[str]:
        tokens = self._login.tokens if self._login else None
        return [*self.consumer.secrets(), *([tokens.access_token, tokens.refresh_token] if tokens else [])]

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.current().tokens.access_token}"
        return request

    def git_login(self) -> tuple[str, str]:
        return GIT_TOKEN_USER, self.current().tokens.access_token

    def renew(self, used: str | None) -> bool:
        refused = (used or "").removeprefix("Bearer ")
        with self._lock:
            if self._login and self._login.tokens.access_token == refused and not self._busy:
                self._renew(refused)
        return True

    def load(self) -> Login:
        """Return the stored login.

        :raises BitbucketAuthError: there is none
        """
        with self._lock:
            return self._login or self._adopt(self._read() or self._missing())

    def current(self) -> Login:
        """Return the login, renewed if it is due.

        :raises BitbucketAuthError: there is none, or it has expired
        :raises BitbucketConnectionError: the store or the token endpoint cannot be reached, and the token has expired
        """
        with self._lock:
            login = self.load()
            if self._unsaved:
                self._save(login)
            if self._clock.timestamp() < self._renew_at or self._busy:
                return login
            try:
                return self._renew(refused=None)
            except BitbucketError as error:  # the current token may still be valid
                if self._clock.timestamp() >= login.tokens.expires_at:
                    raise
                log.warning("The Bitbucket login of %s could not be renewed yet: %s", self.user, error)
                self._renew_at = self._clock.timestamp() + _RETRY_SECONDS
                return login

    def renewed(self) -> Login:
        """Refresh the login even if it is not due, which postpones its expiry, and return it."""
        with self._lock:
            return self._renew(refused=self.load().tokens.access_token)

    def _renew(self, refused: str | None) -> Login:
        """Return a login with a new token.

        :param refused: token that Bitbucket refused; None: the current one may be returned while another process renews it
        """
        self._busy = True
        try:
            deadline = self._clock.monotonic() + self._lease.seconds + _REFRESH_SECONDS
            while self._clock.monotonic() < deadline:
                login = self._read()
                if login and not self._unsaved and self._is_good(login, refused):
                    return self._adopt(login)
                with _store_errors():
                    taken = self._lease.try_take()
                if taken:
                    try:
                        return self._refresh(refused)
                    finally:
                        self._lease.release()
                login = self._login
                if login and refused is None and self._clock.timestamp() < login.tokens.expires_at - _RETRY_SECONDS:
                    self._renew_at = self._clock.timestamp() + random.uniform(0.5, 1) * _RETRY_SECONDS  # noqa: S311 - jitter
                    return login
                self._clock.sleep(random.uniform(0.1, 0.5) * self._lease.settle_seconds)  # noqa: S311 - jitter, no secret
            raise BitbucketConnectionError(
                f"No new token for {self.user!r} in {self._lease.seconds + _REFRESH_SECONDS:.0f} s: another process has kept "
                "the lease for it, or the token store is too slow."
            )
        finally:
            self._busy = False

    def _refresh(self, refused: str | None) -> Login:
        login = self._newest() or self._missing()
        if self._is_good(login, refused):
            return self._adopt(login)  # another process has renewed it, or died while it was writing it
        if not self._lease.has_seconds(_REFRESH_SECONDS):
            raise BitbucketConnectionError("The token store is too slow to renew a login safely.")
        try:
            tokens = self.consumer.refresh(login.tokens.refresh_token)
        except OAuthRefusedError as error:
            return self._after_refusal(login, error)
        kept = tokens.refresh_token or login.tokens.refresh_token
        renewed = self._adopt(replace(login, tokens=replace(tokens, refresh_token=kept)))
        log.info("Renewed the Bitbucket login of %s.", self.user)
        self._unsaved = True
        self._save(renewed)
        return renewed

    def _after_refusal(self, login: Login, error: OAuthRefusedError) -> Login:
        if not error.is_dead_grant:
            raise error
        newer = self._read(thoroughly=True)
        if newer and newer.tokens.refresh_token != login.tokens.refresh_token:
            return self._adopt(newer)  # the user logged in again, or another process renewed it in spite of the lease
        raise error.with_message(f"The Bitbucket login of {self.user!r} has expired: {error.message} {self.hint}") from error

    def _is_good(self, login: Login, refused: str | None) -> bool:
        """Return whether a stored login can replace this one: another token, not refused, not expired."""
        ours = self._login.tokens.access_token if self._login else None
        token = login.tokens.access_token
        return token not in (ours, refused) and self._clock.timestamp() < login.tokens.expires_at

    def _adopt(self, login: Login) -> Login:
        for secret in (login.tokens.access_token, login.tokens.refresh_token):
            self.consumer.on_secret(secret)
        if login.lapses_at - self._clock.timestamp() < WARN_BEFORE_SECONDS:
            log.warning("The Bitbucket login of %s has not been used for a long time and is about to expire.", self.user)
        self._login, self._renew_at, self._unsaved = login, login.tokens.renew_at(), False
        return login

    def _newest(self) -> Login | None:
        """Return the login with the valid refresh token: this one while it is unsaved, else the stored one."""
        if self._login and self._unsaved:
            self._save(self._login)  # replaced by a newer one that another process has stored
        return self._login if self._unsaved else self._read(thoroughly=True)

    def _save(self, login: Login) -> None:
        """Store a renewed login; if that fails, continue and retry at the next use."""
        try:
            newest = self._read(thoroughly=True)
            if newest and newest.tokens.received_at > login.tokens.received_at:
                self._adopt(newest)
                return
            self._stored.write(login)
            self._unsaved = False
        except BitbucketConnectionError as error:
            log.error("%s If this process ends before the login is stored, %s has to log in again.", error, self.user)

    def _read(self, *, thoroughly: bool = False) -> Login | None:
        login = self._stored.read(thoroughly=thoroughly)
        if login and login.user != self.user:
            raise BitbucketAuthError(
                f"The login that is stored for {self.user!r} belongs to {login.user!r}: their names are too similar."
            )
        return login

    def _missing(self) -> Login:
        raise BitbucketAuthError(f"{self.user!r} has not logged in to Bitbucket. {self.hint}")
