"""Many processes share and renew the login of one user."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_bitbucket.client import (
    NO_RETRIES,
    BitbucketAuthError,
    BitbucketClient,
    BitbucketConnectionError,
    Lease,
    Login,
    OAuthConsumer,
    OAuthLogin,
    OAuthTokens,
    StoredLogin,
)
from airflow_provider_bitbucket.client.transport.clock import SYSTEM_CLOCK, Clock
from airflow_provider_bitbucket.client.transport.retry import is_transient
from benchmarks.login_race import run
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.client.memory_store import MemoryStore
from tests.client.timing import Time

KEY = "bitbucket_token__ci__anna"
REFRESH = "refresh_token 200"


def tokens(number: int, *, seconds: float = 7200) -> OAuthTokens:
    """Return the tokens of the n-th refresh."""
    received = 1_795_000_000.0 + number
    return OAuthTokens(f"access-{number}", received + seconds, received, ("account",), f"refresh-{number}")


@pytest.fixture
def store() -> MemoryStore:
    """The token store that the logins of a test share."""
    return MemoryStore()


@pytest.fixture
def masked() -> list[str]:
    """Every secret that the client has reported for masking."""
    return []


@pytest.fixture
def make_login(bitbucket_emulator: BitbucketEmulator, store: MemoryStore, masked: list[str]) -> Callable[..., OAuthLogin]:
    """Store a login and return a factory for the objects that processes use it through."""
    answer = bitbucket_emulator.login()
    now = time.time()
    first = OAuthTokens(
        answer["access_token"], now + answer["expires_in"], now, tuple(answer["scope"].split()), answer["refresh_token"]
    )
    StoredLogin(store, KEY).write(Login("anna", "Dana Demo", first))
    bitbucket_emulator.reset_requests()

    def make(clock: Clock = SYSTEM_CLOCK) -> OAuthLogin:
        consumer = OAuthConsumer(*bitbucket_emulator.oauth_consumer, on_secret=masked.append, clock=clock)
        consumer.connect(bitbucket_emulator.api_url)
        lease = Lease(store, "lease", settle_seconds=0.05, clock=clock)
        return OAuthLogin(consumer, StoredLogin(store, KEY), lease, user="anna", hint="Log in: somehow.")

    return make


@pytest.fixture
def client(make_login: Callable[[], OAuthLogin], make_client: Callable[..., BitbucketClient]) -> BitbucketClient:
    """A client that uses the login."""
    return make_client(make_login())


def test_requests_are_sent_as_the_user_who_logged_in(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> None:
    assert client.users.me()["display_name"] == "Dana Demo"
    assert bitbucket_emulator.grants() == {}


def test_an_expired_login_is_renewed_stored_and_masked(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, store: MemoryStore, masked: list[str]
) -> None:
    client.users.me()
    bitbucket_emulator.expire_access_tokens()
    client.users.me()
    kept = StoredLogin(store, KEY).read()
    assert kept is not None
    assert {kept.tokens.access_token, kept.tokens.refresh_token} <= set(masked)
    assert {kept.tokens.access_token, kept.tokens.refresh_token} <= set(client.auth.secrets())
    assert kept.account == "Dana Demo"
    assert "pipeline:variable" in kept.tokens.scopes
    assert sorted(store.texts) == [KEY, "lease"]
    assert bitbucket_emulator.grants() == {REFRESH: 1}


def test_a_process_uses_the_login_that_another_process_has_renewed(
    make_login: Callable[[], OAuthLogin], make_client: Callable[..., BitbucketClient], bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.settings(strict_refresh_reuse=True)
    one, other = make_client(make_login()), make_client(make_login())
    one.users.me()
    other.users.me()
    bitbucket_emulator.expire_access_tokens()
    one.users.me()
    other.users.me()
    assert bitbucket_emulator.grants() == {REFRESH: 1}


def test_a_login_is_renewed_in_the_last_quarter_of_its_lifetime_while_the_old_token_is_used(
    make_login: Callable[[], OAuthLogin], store: MemoryStore, bitbucket_emulator: BitbucketEmulator
) -> None:
    login = make_login()
    before = login.load()
    StoredLogin(store, KEY).write(
        Login("anna", "Dana Demo", OAuthTokens("old", time.time() + 300, time.time() - 6900, (), before.tokens.refresh_token))
    )
    holder = Lease(store, "lease", settle_seconds=0.05)
    assert holder.try_take()
    other = make_login()
    assert other.current().tokens.access_token == "old", "another process is renewing it, and the old token is still valid"
    assert bitbucket_emulator.grants() == {}
    holder.release()
    assert make_login().current().tokens.access_token != "old"
    assert bitbucket_emulator.grants() == {REFRESH: 1}


def test_an_unreachable_store_does_not_fail_requests_while_the_token_is_valid(
    make_login: Callable[[], OAuthLogin], store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    login = make_login()
    refresh_token = login.load().tokens.refresh_token
    StoredLogin(store, KEY).write(
        Login("anna", "Dana Demo", OAuthTokens("old", time.time() + 300, time.time() - 6900, (), refresh_token))
    )

    class Unreachable(MemoryStore):
        def write(self, key: str, text: str) -> None:
            raise ConnectionError("no database")

    broken = Unreachable()
    broken.texts = store.texts
    login = OAuthLogin(
        login.consumer, StoredLogin(broken, KEY), Lease(broken, "lease", settle_seconds=0.05), user="anna", hint=""
    )
    assert login.current().tokens.access_token == "old"
    assert "could not be renewed yet: The token store cannot be used: ConnectionError." in caplog.text


@pytest.mark.parametrize("operation", ["read", "write"])
def test_an_unreachable_store_is_a_transient_error_without_a_token_once_the_token_has_expired(
    make_login: Callable[[], OAuthLogin], make_client: Callable[..., BitbucketClient], store: MemoryStore, operation: str
) -> None:
    class Unreachable(MemoryStore):
        reachable = True

        def read(self, key: str) -> str | None:
            if not self.reachable and operation == "read":
                raise RuntimeError(f"INSERT INTO variable ... {self.texts}")
            return super().read(key)

        def write(self, key: str, text: str) -> None:
            if not self.reachable:
                raise RuntimeError(f"INSERT INTO variable ... {text} {self.texts}")
            super().write(key, text)

    refresh_token, week_ago = make_login().load().tokens.refresh_token, time.time() - 7 * 24 * 3600
    broken = Unreachable()
    StoredLogin(broken, KEY).write(Login("anna", "Dana", OAuthTokens("old", week_ago + 7200, week_ago, (), refresh_token)))
    consumer, lease = make_login().consumer, Lease(broken, "lease", settle_seconds=0.05)
    client = make_client(OAuthLogin(consumer, StoredLogin(broken, KEY), lease, user="anna", hint=""), retries=NO_RETRIES)
    broken.reachable = False
    with pytest.raises(BitbucketConnectionError, match=r"The token store cannot be used: RuntimeError\.") as caught:
        client.users.me()
    assert is_transient(caught.value), "a wait would end at a permanent error and lose its pipeline"
    assert refresh_token not in "".join(traceback.format_exception(caught.value))
    broken.reachable = True
    assert client.users.me()["display_name"] == "Dana Demo"


def test_a_lease_that_another_process_keeps_is_a_transient_error(
    make_login: Callable[..., OAuthLogin], make_client: Callable[..., BitbucketClient], store: MemoryStore
) -> None:
    waiting = Time()
    clock = waiting.clock
    refresh_token, week_ago = make_login().load().tokens.refresh_token, clock.timestamp() - 7 * 24 * 3600
    StoredLogin(store, KEY).write(Login("anna", "Dana", OAuthTokens("old", week_ago + 7200, week_ago, (), refresh_token)))
    assert Lease(store, "lease", seconds=1000, settle_seconds=0.05, clock=clock).try_take()
    with pytest.raises(BitbucketConnectionError, match="another process has kept the lease") as caught:
        make_client(make_login(clock), retries=NO_RETRIES).users.me()
    assert is_transient(caught.value)
    assert 45 < sum(waiting.waits) < 1000


def test_a_store_that_is_too_slow_for_a_refresh_is_a_transient_error(
    make_login: Callable[[], OAuthLogin], make_client: Callable[..., BitbucketClient], store: MemoryStore
) -> None:
    refresh_token, week_ago = make_login().load().tokens.refresh_token, time.time() - 7 * 24 * 3600
    StoredLogin(store, KEY).write(Login("anna", "Dana", OAuthTokens("old", week_ago + 7200, week_ago, (), refresh_token)))
    lease = Lease(store, "lease", seconds=60, settle_seconds=0.01)  # a third of it is a margin for clocks that differ
    login = OAuthLogin(make_login().consumer, StoredLogin(store, KEY), lease, user="anna", hint="")
    with pytest.raises(BitbucketConnectionError, match="too slow to renew a login safely") as caught:
        make_client(login, retries=NO_RETRIES).users.me()
    assert is_transient(caught.value)


def test_the_error_for_an_expired_login_explains_how_to_log_in_again(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    client.users.me()
    bitbucket_emulator.revoke_logins()
    with pytest.raises(BitbucketAuthError, match=r"The Bitbucket login of 'anna' has expired: .* Log in: somehow\."):
        client.users.me()


@pytest.mark.parametrize("word", ["invalid_request", "invalid_grant"])
def test_both_error_codes_of_a_refused_refresh_token_are_recognised(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, word: str
) -> None:
    bitbucket_emulator.settings(refused_refresh_error=word)
    client.users.me()
    bitbucket_emulator.revoke_logins()
    with pytest.raises(BitbucketAuthError, match="has expired"):
        client.users.me()


def test_a_login_expires_when_it_is_not_used_for_three_months(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.clock(advance=91 * 24 * 3600)
    with pytest.raises(BitbucketAuthError, match="has expired"):
        client.users.me()


def test_a_login_that_the_user_has_renewed_meanwhile_is_used(
    make_login: Callable[[], OAuthLogin],
    make_client: Callable[..., BitbucketClient],
    bitbucket_emulator: BitbucketEmulator,
    store: MemoryStore,
) -> None:
    client = make_client(make_login())
    client.users.me()
    bitbucket_emulator.revoke_logins()
    answer = bitbucket_emulator.login()
    bitbucket_emulator.reset_requests()
    now = time.time()
    anew = OAuthTokens(answer["access_token"], now + 7200, now, (), answer["refresh_token"])
    StoredLogin(store, KEY).write(Login("anna", "Dana Demo", anew))
    assert client.users.me()["display_name"] == "Dana Demo"
    assert bitbucket_emulator.grants() == {}


def test_a_refresh_token_that_is_not_rotated_is_kept(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> None:
    bitbucket_emulator.settings(rotate_refresh_tokens=False)
    for _ in range(2):
        bitbucket_emulator.expire_access_tokens()
        client.users.me()
    assert bitbucket_emulator.grants() == {REFRESH: 2}


def test_a_missing_login_and_the_login_of_another_user_are_errors(store: MemoryStore) -> None:
    consumer = OAuthConsumer("key", "secret")
    login = OAuthLogin(consumer, StoredLogin(store, KEY), Lease(store, "lease"), user="anna", hint="Log in: somehow.")
    with pytest.raises(BitbucketAuthError, match=r"'anna' has not logged in to Bitbucket\. Log in: somehow"):
        login.load()
    StoredLogin(store, KEY).write(Login("Anna", "Anna", tokens(1)))
    with pytest.raises(BitbucketAuthError, match="stored for 'anna' belongs to 'Anna'"):
        login.load()


def test_a_warning_is_logged_before_a_login_expires(store: MemoryStore, caplog: pytest.LogCaptureFixture) -> None:
    received = time.time() - 80 * 24 * 3600
    StoredLogin(store, KEY).write(Login("anna", "Anna", OAuthTokens("a", received + 7200, received, (), "r")))
    login = OAuthLogin(OAuthConsumer("k", "s"), StoredLogin(store, KEY), Lease(store, "lease"), user="anna", hint="")
    login.load()
    assert "about to expire" in caplog.text


def test_keeping_a_login_alive_renews_it_once_even_if_it_has_expired(
    make_login: Callable[[], OAuthLogin], store: MemoryStore, bitbucket_emulator: BitbucketEmulator
) -> None:
    refresh_token = make_login().load().tokens.refresh_token
    week_ago = time.time() - 7 * 24 * 3600
    expired = OAuthTokens("old", week_ago + 7200, week_ago, (), refresh_token)
    StoredLogin(store, KEY).write(Login("anna", "Dana Demo", expired))
    assert make_login().renewed().tokens.access_token != "old"
    assert bitbucket_emulator.grants() == {REFRESH: 1}


def test_a_login_that_cannot_be_stored_is_kept_in_the_process_until_it_can(
    make_login: Callable[[], OAuthLogin], store: MemoryStore, bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.settings(strict_refresh_reuse=True)

    class Full(MemoryStore):
        full = True

        def write(self, key: str, text: str) -> None:
            if self.full and key != "lease":
                raise OSError("no space left on device")
            super().write(key, text)

    full, first = Full(), make_login()
    full.texts = store.texts
    lease = Lease(full, "lease", settle_seconds=0.05)
    login = OAuthLogin(first.consumer, StoredLogin(full, KEY), lease, user="anna", hint="Log in: somehow.")
    unsaved = login.renewed()
    assert first.load().tokens != unsaved.tokens, "the store has the old login, whose refresh token is no longer valid"
    full.full = False
    assert login.renew(f"Bearer {unsaved.tokens.access_token}")
    assert bitbucket_emulator.grants() == {REFRESH: 2}
    kept = StoredLogin(store, KEY).read()
    assert kept == login.load() != unsaved


def test_the_threads_of_a_process_renew_a_login_once(client: BitbucketClient, bitbucket_emulator: BitbucketEmulator) -> None:
    client.users.me()
    bitbucket_emulator.expire_access_tokens()
    barrier = threading.Barrier(8)

    def ask(_: int) -> str:
        barrier.wait(timeout=10)
        return str(client.users.me()["display_name"])

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"Dana Demo"}
    assert bitbucket_emulator.grants() == {REFRESH: 1}


@given(writes=st.integers(0, 4), torn=st.booleans(), again=st.integers(0, 4))
def test_a_process_that_dies_while_it_stores_a_login_leaves_the_old_or_the_new_one(writes: int, torn: bool, again: int) -> None:
    store = MemoryStore()
    stored = StoredLogin(store, KEY)
    stored.write(Login("anna", "Anna", tokens(0)))
    for number, left in ((1, writes), (2, again)):
        newest = stored.read(thoroughly=True)
        store.writes_left, store.torn = left, torn
        try:
            stored.write(Login("anna", "Anna", tokens(number)))
        except KeyboardInterrupt:
            pass
        else:
            assert stored.read() == stored.read(thoroughly=True)
        found = stored.read(thoroughly=True)
        assert found in (newest, Login("anna", "Anna", tokens(number)))
        if left >= 2:
            assert found == Login("anna", "Anna", tokens(number)), "it has been written completely once"
    store.writes_left = 100
    stored.write(Login("anna", "Anna", tokens(3)))
    assert sorted(store.texts) == [KEY]


@pytest.mark.slow
def test_twenty_processes_never_use_a_refresh_token_twice(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    result = run(str(tmp_path_factory.mktemp("race") / "store.db"), processes=20, expiries=8, settle=1.0)
    assert (result["failed"], result["revoked"]) == (0, 0)
    assert result["refreshes"] == 8
