"""The logins of a connection, also when several users log in at the same time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from airflow_provider_bitbucket.client import Login, OAuthTokens
from airflow_provider_bitbucket.hooks.credentials.logins import Logins

USERS = ["anna", "ben", "cleo"]


def login_of(user: str) -> Login:
    now = time.time()
    return Login(user, user, OAuthTokens(f"access-{user}", now + 7200, now, (), f"refresh-{user}"))


def at_once(act: Callable[[str], None]) -> None:
    barrier = threading.Barrier(len(USERS))

    def run(user: str) -> None:
        barrier.wait(timeout=10)
        act(user)

    with ThreadPoolExecutor(len(USERS)) as pool:
        list(pool.map(run, USERS))


@pytest.fixture
def logins(airflow_home: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Logins:
    """The logins of a connection of the test's own, as the command line sees them."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    return Logins(f"bitbucket_{len(request.node.name)}")


@pytest.mark.timeout(120)
def test_of_several_concurrent_logins_each_is_kept(logins: Logins) -> None:
    at_once(lambda user: Logins(logins.bitbucket_conn_id).keep(login_of(user)))
    assert logins.names() == USERS
    logins.forget("ben")
    assert logins.names() == ["anna", "cleo"]


def test_a_user_who_logs_in_again_is_listed_once_and_one_without_a_login_not_at_all(logins: Logins) -> None:
    for _ in range(2):
        logins.keep(login_of("anna"))
    assert logins.names() == ["anna"]
    logins.forget("ben")
    logins.forget("anna")
    assert logins.names() == []
