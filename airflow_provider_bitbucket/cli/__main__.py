"""The same commands for Airflow 3.1, whose own command line takes none from providers."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from airflow_provider_bitbucket.cli.definition import COMMANDS


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command.

    :param arguments: of the command line; default: those of this process
    """
    parser = argparse.ArgumentParser("python -m airflow_provider_bitbucket.cli", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for command in COMMANDS:
        its_parser = commands.add_parser(command.name, help=command.help, description=command.description or command.help)
        its_parser.set_defaults(func=command.func)
        for argument in command.args:
            argument.add_to_parser(its_parser)
    given = parser.parse_args(arguments)
    given.func(given)


if __name__ == "__main__":
    main()
