"""Which commands there are. Airflow reads this for every command of its own, so nothing else is imported here."""

from __future__ import annotations

from typing import Any

from airflow.cli.cli_config import ARG_OUTPUT, ActionCommand, Arg, CLICommand, GroupCommand, lazy_load_command


def _flag(name: str, explanation: str, **more: Any) -> Arg:
    return Arg((name,), help=explanation, **more)  # type: ignore[no-untyped-call]  # Airflow leaves its signature untyped


_CONN_ID = _flag("--conn-id", "The connection (default: bitbucket_default)", default="bitbucket_default")
_USER = _flag(
    "--user", "In whose name, by the name in Airflow (default: the connection's default user, else who is logged in here)"
)
_NO_BROWSER = _flag(
    "--no-browser",
    "For a machine without a browser: print the address to open elsewhere, and ask for the one you are sent to",
    action="store_true",
)


def _command(name: str, summary: str, *arguments: Arg, description: str | None = None) -> ActionCommand:
    run = lazy_load_command(f"airflow_provider_bitbucket.cli.commands.{name}")
    return ActionCommand(name, summary, run, (_CONN_ID, *arguments), description)


_BUNDLE_COMMANDS = (
    ActionCommand(
        "check",
        "Load the DAG bundles on Bitbucket that Airflow is configured with, and report why one does not load",
        lazy_load_command("airflow_provider_bitbucket.cli.bundles.check"),
        (_flag("--name", "Check only this bundle"),),
    ),
)

COMMANDS: tuple[CLICommand, ...] = (
    _command(
        "login",
        "Connect a user's Bitbucket account",
        _USER,
        _NO_BROWSER,
        description="Connect a user's own Bitbucket account to a connection of auth type oauth.",
    ),
    _command("logout", "Forget a user's login", _USER),
    _command("status", "Show the logins of a connection, and when they lapse", ARG_OUTPUT),
    _command("users", "Show who has credentials of their own for a connection", ARG_OUTPUT),
    _command("check", "Show who a connection acts as, what it reaches and what it may do", _USER),
    GroupCommand("bundle", "DAG bundles on Bitbucket", _BUNDLE_COMMANDS),
)


def get_bitbucket_cli_commands() -> list[CLICommand]:
    """Return the commands, for Airflow 3.2 and newer."""
    return [GroupCommand("bitbucket", "Log in to Bitbucket Cloud, see who is connected, check a connection", COMMANDS)]
