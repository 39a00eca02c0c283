"""Many processes share one OAuth login whose tokens expire under them, on a Bitbucket that ends a login when a used refresh
token comes back. Prints how often the login was renewed; exits 1 when it was lost or a request failed.

Usage: python benchmarks/login_race.py [processes] [expiries] [--airflow]

With ``--airflow`` the login is kept where it is in production, in Variables of an Airflow (a new one, on SQLite); otherwise in
a SQLite file, which takes less time to start.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from airflow_provider_bitbucket.client import (
    BitbucketClient,
    BitbucketError,
    Lease,
    Login,
    OAuthConsumer,
    OAuthLogin,
    OAuthTokens,
    StoredLogin,
    TokenStore,
)
from bitbucket_cloud_emulator import BitbucketEmulator

KEY = "bitbucket_token__race"


class FileStore:
    """Texts in a SQLite file."""

    def __init__(self, path: str) -> None:
        self._path = path
        with self._open() as database:
            database.execute("CREATE TABLE IF NOT EXISTS texts (key TEXT PRIMARY KEY, text TEXT)")

    def read(self, key: str) -> str | None:
        """Return a text."""
        with self._open() as database:
            row = database.execute("SELECT text FROM texts WHERE key = ?", (key,)).fetchone()
        return row[0] if row else None

    def write(self, key: str, text: str) -> None:
        """Keep a text."""
        with self._open() as database:
            database.execute("INSERT OR REPLACE INTO texts VALUES (?, ?)", (key, text))

    def delete(self, key: str) -> None:
        """Forget a text."""
        with self._open() as database:
            database.execute("DELETE FROM texts WHERE key = ?", (key,))

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path, timeout=30)


def open_store(path: str | None) -> TokenStore:
    """Return the store of a race: a file, or (None) Airflow's Variables."""
    if path:
        return FileStore(path)
    from airflow_provider_bitbucket.hooks.credentials.token_store import VariableStore

    return VariableStore()


def race(path: str | None, api_url: str, settle: float, done: Synchronized[int], failed: Synchronized[int], over: Any) -> None:
    """Request the current user until the race has ended; the body of one process."""
    store = open_store(path)
    consumer = OAuthConsumer(*BitbucketEmulator.oauth_consumer)
    login = OAuthLogin(
        consumer, StoredLogin(store, KEY), Lease(store, f"{KEY}__lease", settle_seconds=settle), user="racer", hint=""
    )
    client = BitbucketClient(login, base_url=api_url, rate_limit=1_000_000)
    while not over.is_set():
        try:
            client.users.me()
            done.value += 1
        except BitbucketError as error:
            failed.value += 1
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        time.sleep(0.02)


def run(path: str | None, *, processes: int, expiries: int, settle: float) -> dict[str, float]:
    """Run a race.

    :param path: of the file to keep the login in; None: Airflow's Variables
    :return: ``requests`` that were answered, ``failed`` ones, ``refreshes``, ``revoked`` logins, ``seconds``
    """
    with BitbucketEmulator("empty") as bitbucket:
        bitbucket.settings(strict_refresh_reuse=True)
        answer = bitbucket.login()
        now = time.time()
        tokens = OAuthTokens(answer["access_token"], now + answer["expires_in"], now, (), answer["refresh_token"])
        store = open_store(path)
        StoredLogin(store, KEY).write(Login("racer", "Racer", tokens))
        Lease(store, f"{KEY}__lease").open()

        context = multiprocessing.get_context("spawn")
        over, counters = context.Event(), [(context.Value("i", 0), context.Value("i", 0)) for _ in range(processes)]
        racers = [
            context.Process(target=race, args=(path, bitbucket.api_url, settle, *counter, over), daemon=True)
            for counter in counters
        ]
        for racer in racers:
            racer.start()
        _all_answered([done for done, _ in counters], racers)
        started = time.monotonic()
        for _ in range(expiries):
            bitbucket.expire_access_tokens()
            _all_answered([done for done, _ in counters], racers)
        seconds = time.monotonic() - started
        over.set()
        for racer in racers:
            racer.join(timeout=60)
        logins = bitbucket.logins()
        return {
            "requests": sum(done.value for done, _ in counters),
            "failed": sum(failed.value for _, failed in counters),
            "refreshes": sum(one["refreshes"] for one in logins),
            "revoked": sum(one["revoked"] for one in logins),
            "seconds": seconds,
        }


def _all_answered(counters: list[Synchronized[int]], racers: list[Any]) -> None:
    """Wait until every process was answered twice more: the first answer may be to what was sent before."""
    before, give_up = [counter.value for counter in counters], time.monotonic() + 300
    while any(counter.value < start + 2 for counter, start in zip(counters, before, strict=True)):
        if time.monotonic() > give_up or not all(racer.is_alive() for racer in racers):
            raise RuntimeError("A process of the race hangs or has died")
        time.sleep(0.05)


def main() -> None:
    """Run a race and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("processes", type=int, nargs="?", default=20)
    parser.add_argument("expiries", type=int, nargs="?", default=50)
    parser.add_argument("--airflow", action="store_true", help="keep the login in Airflow's Variables")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.airflow:
            os.environ.update(
                AIRFLOW_HOME=folder, AIRFLOW__CORE__LOAD_EXAMPLES="False", AIRFLOW__USAGE_DATA_COLLECTION__ENABLED="False"
            )
            subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True)
        path = None if arguments.airflow else str(Path(folder) / "store.db")
        result = run(path, processes=arguments.processes, expiries=arguments.expiries, settle=2.0 if arguments.airflow else 1.0)
    print(
        f"{arguments.processes} processes, {arguments.expiries} expiries in {result['seconds']:.0f} s: "
        f"{result['requests']:,} requests answered, {result['failed']} failed; {result['refreshes']} refreshes; the login "
        + ("was revoked" if result["revoked"] else "lives")
    )
    if result["revoked"] or result["failed"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
