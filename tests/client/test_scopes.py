"""Granted scopes determine the available features, in both spellings, and are reported clearly."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_bitbucket.client.auth.scope_table import markdown, summary, table
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
        (("pipeline:variable",), OF_PIPELINE | {"start and stop pipelines", "change pipeline variables"}),
        (("write:pipeline:bitbucket",), set()),
        (("read:pipeline:bitbucket", "write:pipeline:bitbucket"), OF_PIPELINE | {"start and stop pipelines"}),
        (("pullrequest",), OF_REPOSITORY | OF_PULL_REQUEST),
        (("read:pullrequest:bitbucket",), OF_PULL_REQUEST - {"read diffs of pull requests"}),
        (("account",), {"show the account", "list workspaces and members"}),
        (("account:write",), {"show the account", "list workspaces and members"}),
        (("webhook",), {"manage webhooks", "remove webhooks"}),
        (("repository:admin",), {"administer repositories"}),
        (("project:admin", "nonsense"), {"administer projects"}),
    ],
)
def test_granted_scopes_determine_the_features(granted: tuple[str, ...], features: set[str]) -> None:
    assert possible(*granted) == features


def test_the_scope_to_write_pull_requests_of_a_consumer_includes_reading_them_and_the_repository() -> None:
    changes = {"change branches and files", "change and merge pull requests"}
    assert possible("pullrequest:write") == OF_REPOSITORY | OF_PULL_REQUEST | changes


def test_a_consumer_with_the_usual_scopes_can_do_everything() -> None:
    assert possible(*CONSUMER_SCOPES) == ALL


def test_the_scopes_header_is_parsed_with_any_separator() -> None:
    assert parse("pipeline, repository:write,account  email") == {"pipeline", "repository:write", "account", "email"}
    assert parse("") == frozenset()


class TestSpellings:
    """Every scope has two names: one for API tokens, one for OAuth and access tokens."""

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
    def test_the_other_spelling_grants_the_same(self, scopes: set[str], others: set[str]) -> None:
        assert other_spelling(scopes) == others

    @pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
    def test_each_spelling_of_the_scopes_of_a_feature_is_sufficient(self, feature: Feature) -> None:
        assert feature.name in possible(*feature.scopes)
        assert feature.name in possible(*feature.legacy)
        assert len(feature.legacy) == 1  # docs/auth names one box to tick per feature

    def test_a_required_scope_may_be_granted_in_the_other_spelling(self) -> None:
        required = ["read:pipeline:bitbucket", "write:pipeline:bitbucket", "admin:workspace:bitbucket"]
        assert missing(required, ["pipeline"]) == {"write:pipeline:bitbucket", "admin:workspace:bitbucket"}


class TestTable:
    """The report of scopes for a log, a terminal and the Airflow UI."""

    def test_scopes_of_api_tokens_are_reported_in_their_spelling(self) -> None:
        scopes = ["read:pipeline:bitbucket", "read:user:bitbucket"]
        (features, lines), page = summary(scopes), table(scopes)
        lacking, switched_off = lines
        granted, _, head, *rows = page.splitlines()
        assert features == f"2 of {len(FEATURES)} features available"
        assert granted == "Granted scopes: read:pipeline:bitbucket, read:user:bitbucket."
        assert lacking.startswith(
            "Missing scopes: admin:pipeline:bitbucket, admin:project:bitbucket, admin:repository:bitbucket, "
        )
        assert "start and stop pipelines" in switched_off
        assert "read pipelines" not in switched_off
        assert head == "      feature                        | needs"
        assert "[no]  start and stop pipelines       | read:pipeline:bitbucket, write:pipeline:bitbucket" in rows
        assert "[yes] read pipelines and deployments | read:pipeline:bitbucket" in rows
        assert [row[6:].partition(" | ")[0].strip() for row in rows] == [feature.name for feature in FEATURES]

    def test_scopes_of_consumers_are_reported_in_their_spelling(self) -> None:
        granted = ["pipeline", "pullrequest:write"]
        assert summary(granted)[1] == [
            "Missing scopes: account, pipeline:variable, pipeline:write, project:admin, repository:admin, repository:delete, "
            "webhook.",
            "This switches off: administer repositories; delete repositories; administer projects; start and stop pipelines; "
            "change pipeline variables; show the account; "
            "list workspaces and members; manage webhooks; remove webhooks.",
        ]
        page = table(granted).splitlines()
        assert page[0] == "Granted scopes: pipeline, pullrequest:write."
        assert "[no]  start and stop pipelines       | pipeline:write" in page
        assert "[yes] change branches and files      | repository:write" in page

    def test_sufficient_scopes_are_reported_as_such(self) -> None:
        assert summary(CONSUMER_SCOPES) == ("all features available", [])
        assert all(row.startswith("[yes] ") for row in table(CONSUMER_SCOPES).splitlines()[3:])

    def test_missing_scopes_are_reported_in_both_spellings_if_none_is_granted(self) -> None:
        assert summary([])[1][1] == "This switches off: everything."
        assert table([]).startswith("Granted scopes: none.\n")
        (row,) = (row for row in table([]).splitlines() if "start and stop" in row)
        cells = [cell.strip() for cell in row.split(" | ")]
        assert cells == [
            "[no]  start and stop pipelines",
            "pipeline:write",
            "read:pipeline:bitbucket, write:pipeline:bitbucket",
        ]

    def test_scopes_that_bitbucket_does_not_report_are_not_guessed(self) -> None:
        assert summary(None) == ("Bitbucket does not report the scopes of these credentials", [])
        assert all(row.startswith("[?]   ") for row in table(None).splitlines()[1:])
        assert "| pipeline:write " in table(None)
        assert "write:pipeline:bitbucket" in table(None)

    def test_the_docs_page_is_up_to_date(self) -> None:
        page = Path(__file__).parents[2] / "docs" / "auth" / "scopes.md"
        assert page.read_text() == markdown(), (
            "run: python -m airflow_provider_bitbucket.client.auth.scope_table > docs/auth/scopes.md"
        )


class TestRefusal:
    """The explanation that a 403 adds to Bitbucket's message."""

    def test_missing_and_granted_scopes_and_unavailable_features_are_named_for_an_api_token(self) -> None:
        required = ["read:pipeline:bitbucket", "write:pipeline:bitbucket"]
        assert explain_refusal(required, ["read:pipeline:bitbucket", "read:snippet:bitbucket"]).splitlines() == [
            "Missing: write:pipeline:bitbucket (OAuth and access tokens: pipeline:write).",
            "Granted: read:pipeline:bitbucket, read:snippet:bitbucket (OAuth and access tokens: pipeline).",
            "This switches off: start and stop pipelines.",
        ]

    def test_missing_and_granted_scopes_and_unavailable_features_are_named_for_a_consumer(self) -> None:
        assert explain_refusal(["account"], ["team"]).splitlines() == [
            "Missing: account (API tokens: read:user:bitbucket, read:workspace:bitbucket).",
            "Granted: team.",
            "This switches off: show the account; list workspaces and members.",
        ]

    def test_a_missing_scope_without_a_feature_is_named(self) -> None:
        assert explain_refusal(["admin:workspace:bitbucket"], []).splitlines() == [
            "Missing: admin:workspace:bitbucket.",
            "Granted: none.",
        ]

    def test_the_required_scope_is_named_even_if_it_is_granted(self) -> None:
        assert explain_refusal(["pipeline"], ["pipeline"]).startswith("Missing: pipeline (API tokens: read:pipeline:bitbucket).")

    def test_the_explanation_has_a_maximum_length(self) -> None:
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
    "administer repositories": [
        f"POST {REPOSITORY}",
        f"PUT {REPOSITORY}",
        f"POST {REPOSITORY}/branch-restrictions",
        f"PUT {REPOSITORY}/branching-model/settings",
        f"PUT {REPOSITORY}/default-reviewers/{{target_username}}",
    ],
    "delete repositories": [f"DELETE {REPOSITORY}"],
    "administer projects": [
        "POST /workspaces/{workspace}/projects",
        "PUT /workspaces/{workspace}/projects/{project_key}",
        "PUT /workspaces/{workspace}/projects/{project_key}/branching-model/settings",
    ],
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
    "change pipeline variables": [
        f"POST {REPOSITORY}/pipelines_config/variables",
        f"PUT {REPOSITORY}/deployments_config/environments/{{environment_uuid}}/variables/{{variable_uuid}}",
        f"POST {REPOSITORY}/environments",
    ],
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
def test_the_scopes_of_a_feature_are_those_that_the_openapi_names_for_its_operations(feature: Feature) -> None:
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
