"""A person's OAuth login, shared by all processes that act for them.

Each refresh ends the refresh token before it, so that two processes that refresh at once could lose the login. A lease in the
store lets one do it; the others go on with the token they have, or wait for the new one.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_provider_bitbucket.client.auth.lease import Lease
from airflow_provider_bitbucket.client.auth.oauth import OAuthConsumer, OAuthRefusedError, OAuthTokens
from airflow_provider_bitbucket.client.auth.token_store import TokenStore
from airflow_provider_bitbucket.client.transport.errors import BitbucketAuthError, BitbucketConnectionError, BitbucketError
from airflow_provider_bitbucket.client.transport.signing import Auth

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)

#: An unused refresh token lapses after three months (developer.atlassian.com, CHANGE-3052).
LAPSES_AFTER_SECONDS = 90 * 24 * 3600
WARN_BEFORE_SECONDS = 14 * 24 * 3600
#: What a refresh and keeping its result can take.
_REFRESH_SECONDS = 45.0
_SAVE_PAUSES = (0.2, 1.0, 5.0, 15.0)
_LOOK_AGAIN_SECONDS = 60.0


@contextmanager
def _asking_the_store() -> Iterator[None]:
    """Turn whatever a store raises into an error that may pass, and whose text quotes no token as the store's own may."""
    try:
        yield
    except BitbucketConnectionError:
        raise
    except Exception as error:
        raise BitbucketConnectionError(f"The token store can not be used: {type(error).__name__}.") from None


@dataclass(frozen=True)
class Login:
    """Somebody's access to Bitbucket.

    :param user: whose it is, by the name the user has here
    :param account: whose it is, by the name the account has at Bitbucket
    :param tokens: what Bitbucket gave last
    """

    user: str
    account: str
    tokens: OAuthTokens

    @property
    def lapses_at(self) -> float:
        """Unix time at which it ends unless it is used before."""
        return self.tokens.received_at + LAPSES_AFTER_SECONDS

    def to_text(self) -> str:
        """Return it as a store keeps it."""
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
        """Return what a store kept; None when there is nothing, or half of it."""
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
    """A login in a store. The old one is kept until the new one is known to be there; what dies in between loses nothing.

    :param store: where it is kept
    :param key: under which key; a second one, ``<key>__next``, exists while a new login is written
    """

    def __init__(self, store: TokenStore, key: str) -> None:
        self._store = store
        self.key = key
        self._next = f"{key}__next"

    def read(self, *, thoroughly: bool = False) -> Login | None:
        """Return the login, None when there is none.

        :param thoroughly: look also for one whose writing was cut off; needed before a refresh, not before each use
        :raises BitbucketConnectionError: the store can not be read
        """
        with _asking_the_store():
            login = Login.from_text(self._store.read(self.key))
            if login and not thoroughly:
                return login
            newer = Login.from_text(self._store.read(self._next))
        both = [each for each in (login, newer) if each]
        return max(both, key=lambda each: each.tokens.received_at, default=None)

    def write(self, login: Login) -> None:
        """Keep a login.

        :raises BitbucketConnectionError: the store does not take it
        """
        with _asking_the_store():
            newest = self.read(thoroughly=True)
            if newest and newest != Login.from_text(self._store.read(self.key)):
                self._write_surely(self.key, newest.to_text())  # the last writing was cut off; the other place is needed now
            for key in (self._next, self.key):
                self._write_surely(key, login.to_text())
            self._store.delete(self._next)

    def delete(self) -> None:
        """Forget the login.

        :raises BitbucketConnectionError: the store does not forget it
        """
        with _asking_the_store():
            self._store.delete(self._next)
            self._store.delete(self.key)

    def _write_surely(self, key: str, text: str) -> None:
        problem = "what was written is not what is read"
        for pause in (0.0, *_SAVE_PAUSES):
            time.sleep(pause)
            try:
                self._store.write(key, text)
                if self._store.read(key) == text:
                    return
            except Exception as error:  # whatever a store raises: the token must not be lost for it
                problem = type(error).__name__  # not its text, which may quote the token
        raise BitbucketConnectionError(f"The token store does not take a login: {problem}.")


class OAuthLogin(Auth):
    """A person who granted an OAuth consumer access to their account; any number of processes can share it.

    Tokens are renewed in the last quarter of their life, by one process at a time. While a new one is not there, the
    old one serves.

    :param consumer: the OAuth consumer
    :param stored: the login in the store
    :param lease: who may renew it
    :param user: whose login it is
    :param hint: how to log in again
    """

    kind = "oauth"
    counted = "consumer"

    def __init__(self, consumer: OAuthConsumer, stored: StoredLogin, lease: Lease, *, user: str, hint: str) -> None:
        super().__init__(consumer.key, *consumer.secrets(), stored.key)  # counted by consumer, whoever granted it access
        self.consumer = consumer
        self.user = user
        self.hint = hint
        self._stored = stored
        self._lease = lease
        self._login: Login | None = None
        self._renew_at = 0.0
        self._unsaved = False
        self._busy = False
        self._lock = threading.RLock()  # a signal handler may ask from within: it stops the pipeline of a killed task

    def connect(self, base_url: str, *, verify: bool | str = True, proxies: dict[str, str] | None = None) -> None:
        self.consumer.connect(base_url, verify=verify, proxies=proxies)

    def secrets(self) -> list[str]:
        tokens = self._login.tokens if self._login else None
        return [*self.consumer.secrets(), *([tokens.access_token, tokens.refresh_token] if tokens else [])]

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.current().tokens.access_token}"
        return request

    def renew(self, used: str | None) -> bool:
        refused = (used or "").removeprefix("Bearer ")
        with self._lock:
            if self._login and self._login.tokens.access_token == refused and not self._busy:
                self._renew(refused)
        return True

    def load(self) -> Login:
        """Return the login as it is kept.

        :raises BitbucketAuthError: there is none
        """
        with self._lock:
            return self._login or self._adopt(self._look() or self._missing())

    def current(self) -> Login:
        """Return the login, renewed if it is time.

        :raises BitbucketAuthError: there is none, or it is over
        :raises BitbucketConnectionError: the store or the token endpoint can not be reached, and the token has ended
        """
        with self._lock:
            login = self.load()
            if self._unsaved:
                self._save(login)
            if time.time() < self._renew_at or self._busy:
                return login
            try:
                return self._renew(refused=None)
            except BitbucketError as error:  # what is good for some time yet is no reason to fail
                if time.time() >= login.tokens.expires_at:
                    raise
                log.warning("The Bitbucket login of %s could not be renewed yet: %s", self.user, error)
                self._renew_at = time.time() + _LOOK_AGAIN_SECONDS
                return login

    def renewed(self) -> Login:
        """Return the login after a refresh whether or not it is time, which puts off the day it lapses."""
        with self._lock:
            return self._renew(refused=self.load().tokens.access_token)

    def _renew(self, refused: str | None) -> Login:
        """Get a token other than the refused one; without one, only if nobody else is about to, while the old one is good."""
        self._busy = True
        try:
            give_up = time.monotonic() + self._lease.seconds + _REFRESH_SECONDS
            while time.monotonic() < give_up:
                login = self._look()
                if login and not self._unsaved and self._is_good(login, refused):
                    return self._adopt(login)
                with _asking_the_store():
                    taken = self._lease.try_take()
                if taken:
                    try:
                        return self._refresh(refused)
                    finally:
                        self._lease.release()
                login = self._login
                if login and refused is None and time.time() < login.tokens.expires_at - _LOOK_AGAIN_SECONDS:
                    self._renew_at = time.time() + random.uniform(0.5, 1) * _LOOK_AGAIN_SECONDS  # noqa: S311 - jitter
                    return login
                time.sleep(random.uniform(0.1, 0.5) * self._lease.settle_seconds)  # noqa: S311 - jitter, no secret
            raise BitbucketConnectionError(
                f"No new token for {self.user!r} in {self._lease.seconds + _REFRESH_SECONDS:.0f} s: another process has kept "
                "the lease for it, or the token store is too slow."
            )
        finally:
            self._busy = False

    def _refresh(self, refused: str | None) -> Login:
        login = self._newest() or self._missing()
        if self._is_good(login, refused):
            return self._adopt(login)  # somebody else did it meanwhile, or died before it was in its place
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
        newer = self._look(thoroughly=True)
        if newer and newer.tokens.refresh_token != login.tokens.refresh_token:
            return self._adopt(newer)  # somebody logged in anew, or renewed it in spite of our lease
        raise error.with_message(f"The Bitbucket login of {self.user!r} is over: {error.message} {self.hint}") from error

    def _is_good(self, login: Login, refused: str | None) -> bool:
        """Say whether a login is worth going on with: another than ours, not refused, not about to end."""
        ours = self._login.tokens.access_token if self._login else None
        token = login.tokens.access_token
        return token not in (ours, refused) and time.time() < login.tokens.expires_at

    def _adopt(self, login: Login) -> Login:
        for secret in (login.tokens.access_token, login.tokens.refresh_token):
            self.consumer.on_secret(secret)
        if login.lapses_at - time.time() < WARN_BEFORE_SECONDS:
            log.warning("The Bitbucket login of %s was not used for long and is about to lapse.", self.user)
        self._login, self._renew_at, self._unsaved = login, login.tokens.renew_at(), False
        return login

    def _newest(self) -> Login | None:
        """Return the login whose refresh token is alive: ours, where the store has not taken it yet, else what is kept."""
        if self._login and self._unsaved:
            self._save(self._login)  # what somebody else has kept since then is newer
        return self._login if self._unsaved else self._look(thoroughly=True)

    def _save(self, login: Login) -> None:
        """Keep a renewed login; when the store does not take it now, this process goes on and tries again at the next use."""
        try:
            newest = self._look(thoroughly=True)
            if newest and newest.tokens.received_at > login.tokens.received_at:
                self._adopt(newest)
                return
            self._stored.write(login)
            self._unsaved = False
        except BitbucketConnectionError as error:
            log.error("%s If this process ends before it does, %s has to log in again.", error, self.user)

    def _look(self, *, thoroughly: bool = False) -> Login | None:
        login = self._stored.read(thoroughly=thoroughly)
        if login and login.user != self.user:
            raise BitbucketAuthError(
                f"The login that is kept for {self.user!r} belongs to {login.user!r}: their names are too much alike."
            )
        return login

    def _missing(self) -> Login:
        raise BitbucketAuthError(f"{self.user!r} has not logged in to Bitbucket. {self.hint}")
