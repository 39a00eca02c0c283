"""Run the commands."""

from __future__ import annotations

import functools
import getpass
import os
import secrets
import time
import webbrowser
from argparse import Namespace
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.cli.simple_table import AirflowConsole
from airflow.providers.common.compat.sdk import AirflowException, mask_secret

from airflow_provider_bitbucket.cli.callback import LOOPBACK, Listener, LoginDeniedError, code_from
from airflow_provider_bitbucket.client import AccessToken, BitbucketClient, BitbucketError, BitbucketPermissionError, Login
from airflow_provider_bitbucket.client.auth.login import WARN_BEFORE_SECONDS
from airflow_provider_bitbucket.client.transport.addresses import Address
from airflow_provider_bitbucket.exceptions import BitbucketUserError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.hooks.check import check_connection
from airflow_provider_bitbucket.hooks.credentials.acting_user import as_key, blank_to_none
from airflow_provider_bitbucket.hooks.credentials.connection import (
    auth_type_of,
    base_url_of,
    client_options_of,
    id_for_user,
    read_consumer,
    user_of,
)
from airflow_provider_bitbucket.hooks.credentials.logins import Logins

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_bitbucket.client import OAuthTokens

CALLBACK_URL = "http://127.0.0.1:8910/callback"
_LOGIN_SECONDS = 300.0


def command(run: Callable[[Namespace], None]) -> Callable[[Namespace], None]:
    """Return a command that can read Airflow's connections and turns errors into a message and exit code 1."""

    @functools.wraps(run)
    def guarded(arguments: Namespace) -> None:
        os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"  # as Airflow's own commands that read connections
        try:
            run(arguments)
        except (AirflowException, BitbucketError, LoginDeniedError, OSError, ValueError) as error:
            raise SystemExit(str(error)) from error

    return guarded


@command
def login(arguments: Namespace) -> None:
    """Connect a user's own Bitbucket account."""
    connection = BitbucketHook.get_connection(arguments.conn_id)
    consumer = read_consumer(connection, on_secret=mask_secret)
    user = _user(arguments, connection)
    extra = connection.extra_dejson
    callback_url = str(extra.get("callback_url") or "").strip() or CALLBACK_URL
    state = secrets.token_urlsafe(32)
    address = consumer.authorize_url(state, redirect_uri=callback_url, scopes=str(extra.get("scopes") or "").split())
    code = _ask_for_code(address, callback_url, state, browser=not arguments.no_browser)
    tokens = consumer.exchange(code, redirect_uri=callback_url)
    account = _account(connection, tokens)
    print("Keeping the login ...", flush=True)
    Logins(arguments.conn_id).keep(Login(user, account, tokens))
    print(f"{user} is connected to {arguments.conn_id} as {account}.\n")
    print(check_connection(BitbucketHook(arguments.conn_id, run_as=user).get_conn()).message)


@command
def logout(arguments: Namespace) -> None:
    """Delete a user's login."""
    connection = BitbucketHook.get_connection(arguments.conn_id)
    consumer, user = read_consumer(connection, on_secret=mask_secret), _user(arguments, connection)
    logins = Logins(arguments.conn_id)
    if logins.get(user) is None and user not in logins.names():
        raise ValueError(f"{user} has no login for {arguments.conn_id}.")
    logins.forget(user)
    print(
        f"The login of {user} for {arguments.conn_id} is deleted here. To revoke the access itself, {user} must remove it at "
        f"Bitbucket: {consumer.site}/account/settings/app-authorizations/"
    )


@command
def status(arguments: Namespace) -> None:
    """Show the logins of a connection."""
    connection = BitbucketHook.get_connection(arguments.conn_id)
    read_consumer(connection, on_secret=mask_secret)  # fails for a connection without logins
    logins = Logins(arguments.conn_id)
    kept = {user: logins.get(user) for user in logins.names()}
    if not kept:
        print(
            f"No user has logged in to {arguments.conn_id}: airflow bitbucket login --conn-id {arguments.conn_id} --user <name>"
        )
        return
    AirflowConsole().print_as([_row(user, login) for user, login in kept.items()], output=arguments.output)


@command
def users(arguments: Namespace) -> None:
    """Show the users with credentials of their own."""
    connection = BitbucketHook.get_connection(arguments.conn_id)
    match auth_type_of(connection):
        case "oauth":
            status(arguments)
        case "api_token_per_user":
            found = _connections_of_users(arguments.conn_id)
            if found:
                AirflowConsole().print_as(found, output=arguments.output)
            else:
                print(f"No user is connected: no connection {arguments.conn_id}__<user> names its user.")
        case shared:
            print(f"{arguments.conn_id} has one credential for all (auth type {shared}).")


@command
def check(arguments: Namespace) -> None:
    """Show the account of a connection, its workspace and the available features."""
    try:
        result = check_connection(BitbucketHook(arguments.conn_id, run_as=blank_to_none(arguments.user)).get_conn())
    except BitbucketUserError as error:
        raise SystemExit(f"{error}\nCheck the credentials of one user: airflow bitbucket check --user <name>") from error
    if not result.works:
        raise SystemExit(result.message)
    print(f"{result.message}\n\n{result.table}")


def _user(arguments: Namespace, connection: Connection) -> str:
    user = blank_to_none(arguments.user) or blank_to_none(connection.extra_dejson.get("default_user")) or getpass.getuser()
    as_key(user)
    return user


def _ask_for_code(address: str, callback_url: str, state: str, *, browser: bool) -> str:
    """Send the user to Bitbucket and return the code that Bitbucket sends back."""
    if not browser or Address.parse(callback_url).host not in LOOPBACK:
        print(f"Open this address in a browser and grant access:\n\n  {address}\n")
        print(f"Your browser is then sent to {callback_url}?code=..., which may well show an error.")
        return code_from(input("Paste that whole address (or only the code): "), state)
    with Listener(callback_url, state) as listener:
        print(
            f"Grant access in your browser; if none opens, go to:\n\n  {address}\n\nWaiting for you at {callback_url} ...",
            flush=True,
        )
        webbrowser.open(address)
        return listener.wait(_LOGIN_SECONDS)


def _account(connection: Connection, tokens: OAuthTokens) -> str:
    """Return the name of the Bitbucket account that granted access."""
    client = BitbucketClient(AccessToken(tokens.access_token), base_url=base_url_of(connection), **client_options_of(connection))
    try:
        account = client.users.me()
    except BitbucketPermissionError:
        return "(unknown account: scope 'account' was not granted)"
    return str(account.get("display_name") or account.get("nickname") or account["uuid"])


def _row(user: str, login: Login | None) -> dict[str, Any]:
    if login is None:
        return {"user": user, "account": "", "scopes": "", "renewed_on": "", "expires_on": "deleted: log in again"}
    late = login.lapses_at - time.time() < WARN_BEFORE_SECONDS
    return {
        "user": user,
        "account": login.account,
        "scopes": " ".join(login.tokens.scopes),
        "renewed_on": _date(login.tokens.received_at),
        "expires_on": _date(login.lapses_at) + (" (soon: log in again, or run example_bitbucket_keep_logins)" if late else ""),
    }


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _connections_of_users(conn_id: str) -> list[dict[str, str]]:
    """Return the users' own connections in Airflow's database and this environment; other secrets backends cannot be listed."""
    from airflow.models import Connection as StoredConnection
    from airflow.utils.session import create_session
    from sqlalchemy import select

    variable = f"AIRFLOW_CONN_{conn_id.upper()}__"
    ids = {f"{conn_id}__{name.removeprefix(variable).lower()}" for name in os.environ if name.startswith(variable)}
    with create_session() as session:
        query = select(StoredConnection.conn_id).where(StoredConnection.conn_id.startswith(f"{conn_id}__", autoescape=True))
        ids |= set(session.scalars(query))
    found = [BitbucketHook.get_connection(each) for each in sorted(ids)]
    return [
        {"user": user, "connection": str(own.conn_id), "e-mail": str(own.login or "(in the password)")}
        for own in found
        if (user := user_of(own)) and id_for_user(conn_id, user) == own.conn_id
    ]
