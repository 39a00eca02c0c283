"""The commands. Airflow imports this module for every command of its own, so it imports nothing else."""

from __future__ import annotations

from typing import Any

from airflow.cli.cli_config import ARG_OUTPUT, ActionCommand, Arg, CLICommand, GroupCommand, lazy_load_command


def _flag(name: str, explanation: str, **more: Any) -> Arg:
    return Arg((name,), help=explanation, **more)  # type: ignore[no-untyped-call]  # Airflow leaves its signature untyped


_CONN_ID = _flag("--conn-id", "The connection (default: bitbucket_default)", default="bitbucket_default")
_USER = _flag("--user", "The user, by name in Airflow (default: the connection's default user, else the user of this terminal)")
_CHECKED_USER = _flag("--user", "The user, by name in Airflow (default: the connection's default user)")
_NO_BROWSER = _flag(
    "--no-browser",
    "For a machine without a browser: print the address to open elsewhere, and ask for the address you are sent to",
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

_DATASET_OPTIONS = (
    _flag("--dataset", "The dataset, such as pull_requests (docs/datasets.md)", required=True),
    _flag("--repositories", "Slugs, separated by commas (default: all repositories of the workspace)"),
    _flag("--since", "Start of the interval, ISO 8601 (default: from the beginning)"),
    _flag("--until", "End of the interval, exclusive (default: until now)"),
    *(
        _flag(f"--with-{what}", f"pull_requests: read the {text} too", action="store_true")
        for what, text in (("activity", "timelines"), ("commits", "commits"), ("diffstat", "diffstats"))
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
    _command("logout", "Delete a user's login", _USER),
    _command("status", "Show the logins of a connection, and when they expire", ARG_OUTPUT),
    _command("users", "Show the users with credentials of their own for a connection", ARG_OUTPUT),
    _command("check", "Show the account of a connection, its workspace and the available features", _CHECKED_USER),
    ActionCommand(
        "estimate",
        "Estimate the requests and the time of an extraction; costs one request for each repository",
        lazy_load_command("airflow_provider_bitbucket.cli.estimate.estimate"),
        (_CONN_ID, _CHECKED_USER, *_DATASET_OPTIONS),
    ),
    GroupCommand("bundle", "DAG bundles on Bitbucket", _BUNDLE_COMMANDS),
)


def get_bitbucket_cli_commands() -> list[CLICommand]:
    """Return the commands, for Airflow 3.2 and newer."""
    return [GroupCommand("bitbucket", "Log in to Bitbucket Cloud, show connected users, check a connection", COMMANDS)]
