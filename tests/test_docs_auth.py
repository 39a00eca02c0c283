"""The commands on the pages about authentication types define working connections."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from airflow.cli import cli_parser
from airflow.providers.common.compat.sdk import Connection

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from bitbucket_cloud_emulator import BitbucketEmulator

DOCS = Path(__file__).parents[1] / "docs"
TYPES = ["api_token", "access_token", "oauth_client_credentials", "api_token_per_user", "oauth"]
PLACEHOLDERS = {
    "you@example.com": "demo@example.com",
    "<API token>": "demo-api-token",
    "<access token>": "demo-access-token",
    "<consumer key>": "demo-key",
    "<consumer secret>": "demo-secret",
    "anna@example.com": "demo@example.com",
    "<API token of Anna>": "demo-api-token",
}


def blocks(auth_type: str) -> list[str]:
    page = (DOCS / "auth" / f"{auth_type}.md").read_text()
    return re.findall(r"^```shell\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def exported(auth_type: str) -> dict[str, Any]:
    """Return the connections that the page defines in the environment, by id."""
    found = {}
    for block in blocks(auth_type):
        for name in re.findall(r"^export AIRFLOW_CONN_(\w+)", block, re.MULTILINE):
            shell = f'{block}\nprintf %s "$AIRFLOW_CONN_{name}"'
            text = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True).stdout
            found[name.lower()] = json.loads(text)
    return found


def added(auth_type: str) -> dict[str, Any]:
    """Return the connections that the page adds on the command line, by id, as Airflow's parser reads them."""
    found = {}
    for block in blocks(auth_type):
        if block.startswith("airflow connections add"):
            arguments = cli_parser.get_parser().parse_args(shlex.split(block.replace("\\\n", " "))[1:])
            fields = {
                "login": arguments.conn_login,
                "password": arguments.conn_password,
                "extra": json.loads(arguments.conn_extra),
            }
            found[arguments.conn_id] = {
                "conn_type": arguments.conn_type,
                **{name: value for name, value in fields.items() if value},
            }
    return found


@pytest.mark.parametrize("auth_type", TYPES)
def test_environment_and_command_line_define_the_same_connection(auth_type: str) -> None:
    connections = exported(auth_type)
    assert connections == added(auth_type)
    assert connections["bitbucket_default"]["extra"]["auth_type"] == auth_type
    assert all(Connection.from_json(json.dumps(fields), conn_id=name).conn_type for name, fields in connections.items())


@pytest.mark.parametrize("auth_type", TYPES)
def test_a_connection_from_the_docs_works(
    auth_type: str, bitbucket_emulator: BitbucketEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, fields in exported(auth_type).items():
        text = json.dumps({**fields, "host": bitbucket_emulator.api_url})
        for placeholder, value in PLACEHOLDERS.items():
            text = text.replace(placeholder, value)
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", text)
    works, message = BitbucketHook(run_as="anna" if "per_user" in auth_type else None).test_connection()
    assert works, message


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_to_existing_pages_and_headings(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!\w+:)([^)#]*)(?:#([^)]*))?\)", page.read_text()):
        other = page.parent / target if target else page
        assert other.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", other.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}, anchor
