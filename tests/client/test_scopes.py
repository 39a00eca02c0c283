"""What granted scopes allow, in both spellings, and how that is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_bitbucket.client.auth.scope_table import markdown, text
from airflow_provider_bitbucket.client.transport.scopes import (
    FEATURES,
    Feature,
    explain_refusal,
    missing,
    missing_features,
    other_spelling,
    parse,
)
from bitbucket_cloud_emulator.seeds.common import CONSUMER_SCOPES
from tests.openapi import OpenApi

ALL = {feature.name for feature in FEATURES}
OF_REPOSITORY = {"read repositories and commits", "report build statuses"}
OF_PULL_REQUEST = {"read pull requests", "read diffs of pull requests", "comment on pull requests"}
OF_PIPELINE = {"read pipelines and deployments"}


def possible(*granted: str) -> set[str]:
    return ALL - {feature.name for feature in missing_features(granted)}


@pytest.mark.parametrize(
    ("granted", "features"),
    [
        ((), set()),
        (("repository",), OF_REPOSITORY),
        (("read:repository:bitbucket",), OF_REPOSITORY),
        (("write:repository:bitbucket",), set()),  # API-token scopes include nothing else
        (("repository:write",), OF_REPOSITORY | {"change branches and files"}),
        (("pipeline",), OF_PIPELINE),
        (("pipeline:write",), OF_PIPELINE | {"start and stop pipelines"}),
        (("pipeline:variable",), OF_PIPELINE | {"start and stop pipelines"}),
        (("write:pipeline:bitbucket",), set()),
        (("read:pipeline:bitbucket", "write:pipeline:bitbucket"), OF_PIPELINE | {"start and stop pipelines"}),
        (("pullrequest",), OF_REPOSITORY | OF_PULL_REQUEST),
        (("read:pullrequest:bitbucket",), OF_PULL_REQUEST - {"read diffs of pull requests"}),
        (("account",), {"show the account", "list workspaces and members"}),
        (("account:write",), {"show the account", "list workspaces and members"}),
        (("webhook",), {"manage webhooks", "remove webhooks"}),
        (("project:admin", "nonsense"), set()),
    ],
)
def test_what_each_scope_allows(granted: tuple[str, ...], features: set[str]) -> None:
    assert possible(*granted) == features


def test_writing_pull_requests_as_a_consumer_brings_reading_them_and_the_repository() -> None:
    changes = {"change branches and files", "change and merge pull requests"}
    assert possible("pullrequest:write") == OF_REPOSITORY | OF_PULL_REQUEST | changes


def test_a_consumer_with_the_usual_scopes_can_do_everything() -> None:
    assert possible(*CONSUMER_SCOPES) == ALL


def test_the_header_is_read_whatever_separates_it() -> None:
    assert parse("pipeline, repository:write,account  email") == {"pipeline", "repository:write", "account", "email"}
    assert parse("") == frozenset()


class TestSpellings:
    """One scope, two names."""

    @pytest.mark.parametrize(
        ("scopes", "others"),
        [
            ({"write:pipeline:bitbucket"}, {"pipeline:write"}),
            ({"read:pipeline:bitbucket", "write:pipeline:bitbucket"}, {"pipeline:write"}),
            ({"read:pullrequest:bitbucket", "read:repository:bitbucket"}, {"pullrequest"}),
            ({"pipeline:write"}, {"read:pipeline:bitbucket", "write:pipeline:bitbucket"}),
            ({"account"}, {"read:user:bitbucket", "read:workspace:bitbucket"}),
            ({"webhook"}, {"read:webhook:bitbucket", "write:webhook:bitbucket", "delete:webhook:bitbucket"}),
            ({"read:snippet:bitbucket", "wiki"}, set()),
        ],
    )
    def test_the_other_spelling_allows_the_same(self, scopes: set[str], others: set[str]) -> None:
        assert other_spelling(scopes) == others

    @pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
    def test_both_spellings_of_a_feature_are_enough_for_it(self, feature: Feature) -> None:
        assert feature.name in possible(*feature.scopes)
        assert feature.name in possible(*feature.legacy)
        assert len(feature.legacy) == 1  # or the docs would have to say more than "tick this box"

    def test_what_is_wanted_in_one_spelling_may_be_granted_in_the_other(self) -> None:
        wanted = ["read:pipeline:bitbucket", "write:pipeline:bitbucket", "admin:workspace:bitbucket"]
        assert missing(wanted, ["pipeline"]) == {"write:pipeline:bitbucket", "admin:workspace:bitbucket"}


class TestTable:
    """For a log, a terminal and the Airflow UI."""

    def test_api_tokens_see_the_spelling_of_api_tokens(self) -> None:
        told, table = text(["read:pipeline:bitbucket", "read:user:bitbucket"]).split("\n\n")
        granted, lacking, switched_off = told.splitlines()
        assert granted == "Granted scopes: read:pipeline:bitbucket, read:user:bitbucket."
        assert lacking.startswith("Missing scopes: delete:webhook:bitbucket, read:pullrequest:bitbucket, ")
        assert "start and stop pipelines" in switched_off
        assert "read pipelines" not in switched_off
        head, *rows = table.splitlines()
        assert head == "      feature                        | needs"
        assert "[no]  start and stop pipelines       | read:pipeline:bitbucket, write:pipeline:bitbucket" in rows
        assert "[yes] read pipelines and deployments | read:pipeline:bitbucket" in rows
        assert [row[6:].partition(" | ")[0].strip() for row in rows] == [feature.name for feature in FEATURES]

    def test_consumers_see_the_spelling_of_consumers(self) -> None:
        told, table = text(["pipeline", "pullrequest:write"]).split("\n\n")
        assert told.splitlines() == [
            "Granted scopes: pipeline, pullrequest:write.",
            "Missing scopes: account, pipeline:write, webhook.",
            "This switches off: start and stop pipelines; show the account; list workspaces and members; "
            "manage webhooks; remove webhooks.",
        ]
        assert "[no]  start and stop pipelines       | pipeline:write" in table.splitlines()
        assert "[yes] change branches and files      | repository:write" in table.splitlines()

    def test_credentials_that_can_do_everything_are_told_so(self) -> None:
        told, table = text(CONSUMER_SCOPES).split("\n\n")
        assert told.splitlines()[1] == "They are enough for everything this provider does."
        assert all(row.startswith("[yes] ") for row in table.splitlines()[1:])

    def test_credentials_without_any_scope_see_both_spellings(self) -> None:
        told, table = text([]).split("\n\n")
        assert told.splitlines()[0] == "Granted scopes: none."
        assert told.splitlines()[2] == "This switches off: everything."
        (row,) = (row for row in table.splitlines() if "start and stop" in row)
        cells = [cell.strip() for cell in row.split(" | ")]
        assert cells == [
            "[no]  start and stop pipelines",
            "pipeline:write",
            "read:pipeline:bitbucket, write:pipeline:bitbucket",
        ]

    def test_what_bitbucket_does_not_tell_is_not_guessed(self) -> None:
        told, table = text(None).split("\n\n")
        assert told.startswith("Bitbucket does not report which scopes these credentials have")
        assert all(row.startswith("[?]   ") for row in table.splitlines()[1:])
        assert "| pipeline:write " in table
        assert "write:pipeline:bitbucket" in table

    def test_lines_can_be_told_apart_where_line_ends_get_lost(self) -> None:
        flat = " ".join(text(["pipeline"]).split())
        assert "[yes] read pipelines and deployments | pipeline [no] start and stop pipelines | pipeline:write [no]" in flat

    def test_the_docs_page_says_what_the_code_says(self) -> None:
        page = Path(__file__).parents[2] / "docs" / "auth" / "scopes.md"
        assert page.read_text() == markdown(), (
            "run: python -m airflow_provider_bitbucket.client.auth.scope_table > docs/auth/scopes.md"
        )


class TestRefusal:
    """What a 403 adds to Bitbucket's sentence."""

    def test_an_api_token_is_told_what_is_missing_what_it_has_and_what_that_switches_off(self) -> None:
        wanted = ["read:pipeline:bitbucket", "write:pipeline:bitbucket"]
        assert explain_refusal(wanted, ["read:pipeline:bitbucket", "read:snippet:bitbucket"]).splitlines() == [
            "Missing: write:pipeline:bitbucket (OAuth and access tokens: pipeline:write).",
            "Granted: read:pipeline:bitbucket, read:snippet:bitbucket (OAuth and access tokens: pipeline).",
            "This switches off: start and stop pipelines.",
        ]

    def test_a_consumer_too(self) -> None:
        assert explain_refusal(["account"], ["team"]).splitlines() == [
            "Missing: account (API tokens: read:user:bitbucket, read:workspace:bitbucket).",
            "Granted: team.",
            "This switches off: show the account; list workspaces and members.",
        ]

    def test_a_scope_that_belongs_to_no_feature_is_told_all_the_same(self) -> None:
        assert explain_refusal(["admin:workspace:bitbucket"], []).splitlines() == [
            "Missing: admin:workspace:bitbucket.",
            "Granted: none.",
        ]

    def test_a_refusal_in_spite_of_all_that_was_wanted_names_it(self) -> None:
        assert explain_refusal(["pipeline"], ["pipeline"]).startswith("Missing: pipeline (API tokens: read:pipeline:bitbucket).")

    def test_what_a_server_made_up_does_not_fill_the_log(self) -> None:
        assert len(explain_refusal([f"x\n{number}" for number in range(10_000)], [])) < 1100


REPOSITORY = "/repositories/{workspace}/{repo_slug}"
PULL_REQUEST = f"{REPOSITORY}/pullrequests/{{pull_request_id}}"
OPERATIONS = {
    "read repositories and commits": [
        f"GET {REPOSITORY}",
        f"GET {REPOSITORY}/commits",
        f"GET {REPOSITORY}/refs/branches",
        "GET /repositories/{workspace}",
    ],
    "report build statuses": [f"POST {REPOSITORY}/commit/{{commit}}/statuses/build"],
    "change branches and files": [f"POST {REPOSITORY}/refs/branches", f"POST {REPOSITORY}/src"],
    "read pull requests": [
        f"GET {REPOSITORY}/pullrequests",
        f"GET {REPOSITORY}/pullrequests/activity",
        f"GET {PULL_REQUEST}/commits",
    ],
    "read diffs of pull requests": [f"GET {PULL_REQUEST}/diffstat", f"GET {REPOSITORY}/diffstat/{{spec}}"],
    "comment on pull requests": [f"POST {PULL_REQUEST}/comments", f"POST {PULL_REQUEST}/tasks"],
    "change and merge pull requests": [
        f"POST {REPOSITORY}/pullrequests",
        f"PUT {PULL_REQUEST}",
        f"POST {PULL_REQUEST}/approve",
        f"POST {PULL_REQUEST}/merge",
        f"POST {PULL_REQUEST}/decline",
    ],
    "read pipelines and deployments": [f"GET {REPOSITORY}/pipelines", f"GET {REPOSITORY}/deployments"],
    "start and stop pipelines": [f"POST {REPOSITORY}/pipelines", f"POST {REPOSITORY}/pipelines/{{pipeline_uuid}}/stopPipeline"],
    "show the account": ["GET /user"],
    "list workspaces and members": [
        "GET /user/workspaces",
        "GET /workspaces/{workspace}",
        "GET /workspaces/{workspace}/members",
    ],
    "manage webhooks": [f"GET {REPOSITORY}/hooks", f"POST {REPOSITORY}/hooks", f"PUT {REPOSITORY}/hooks/{{uid}}"],
    "remove webhooks": [f"DELETE {REPOSITORY}/hooks/{{uid}}"],
}


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_a_feature_needs_what_bitbucket_says_its_operations_need(feature: Feature) -> None:
    operations = OpenApi.load().operations
    needed: set[str] = set()
    for operation in OPERATIONS[feature.name]:
        method, template = operation.split(" ")
        definition = operations[method, template].definition
        (current,) = definition["x-atlassian-oauth2-scopes"]
        needed |= set(current["scopes"])
        legacy = [scope for way in definition["security"] for scope in way.get("oauth2", [])]
        assert not missing(legacy, feature.legacy), operation
    assert needed == feature.scopes
