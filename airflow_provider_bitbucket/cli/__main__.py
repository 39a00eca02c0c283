"""The same commands for Airflow 3.1, whose command line cannot be extended by providers."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from airflow.cli.cli_config import CLICommand, GroupCommand

from airflow_provider_bitbucket.cli.definition import COMMANDS


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command.

    :param arguments: command line arguments; default: those of this process
    """
    parser = argparse.ArgumentParser("python -m airflow_provider_bitbucket.cli", description=__doc__)
    _add_commands(parser, COMMANDS)
    given = parser.parse_args(arguments)
    given.func(given)


def _add_commands(parser: argparse.ArgumentParser, commands: Iterable[CLICommand]) -> None:
    subparsers = parser.add_subparsers(required=True, metavar="command")
    for command in commands:
        its_parser = subparsers.add_parser(command.name, help=command.help, description=command.description or command.help)
        if isinstance(command, GroupCommand):
            _add_commands(its_parser, command.subcommands)
            continue
        its_parser.set_defaults(func=command.func)
        for argument in command.args:
            argument.add_to_parser(its_parser)


if __name__ == "__main__":
    main()
