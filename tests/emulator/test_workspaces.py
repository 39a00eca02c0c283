"""Accounts, workspaces, projects and repositories are served as by Bitbucket."""

from __future__ import annotations

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call


def test_members_have_accounts_without_e_mail_addresses(call: Call) -> None:
    members = call("/workspaces/acme/members").json()["values"]
    assert [one["user"]["display_name"] for one in members] == ["Dana Demo", "Robin Reviewer", "Alex Author"]
    assert all("email" not in one["user"] for one in members)
    found = call("/workspaces/acme/members", params={"q": 'user.nickname = "robin.reviewer"'}).json()["values"]
    assert [one["user"]["display_name"] for one in found] == ["Robin Reviewer"]


def test_the_links_of_a_workspace_lead_to_its_repositories_projects_and_members(call: Call) -> None:
    links = call("/workspaces/acme").json()["links"]
    found = {name: call(links[name]["href"]).json()["values"] for name in ("repositories", "projects", "members")}
    assert {name for name, values in found.items() if not values} == set()


def test_an_account_is_found_by_uuid_or_account_id_but_not_by_name(call: Call) -> None:
    me = call("/user").json()
    assert call(f"/users/{me['uuid']}").json()["display_name"] == "Dana Demo"
    assert call(f"/users/{me['account_id']}").json()["uuid"] == me["uuid"]
    assert call(f"/users/{me['username']}").status_code == 404


def test_owners_are_distinguished_from_members(call: Call) -> None:
    found = call("/workspaces/acme/permissions", params={"q": 'permission = "owner"'}).json()["values"]
    assert [one["user"]["display_name"] for one in found] == ["Dana Demo"]
    assert call("/user/workspaces/acme/permission").json()["permission"] == "owner"
    assert call("/user/workspaces").json()["values"][0]["administrator"] is True


def test_the_owner_of_a_repository_is_a_team_whose_name_is_not_the_slug(call: Call) -> None:
    repository = call("/repositories/acme/api").json()
    assert repository["workspace"]["slug"] == "acme"
    assert repository["owner"]["type"] == "team"
    assert repository["owner"]["username"] != "acme"
    assert "has_issues" not in repository


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('name ~ "AP"', ["api"]),
        ('name ~ "ap" AND is_private = false', []),
        ("updated_on >= 2026-11-01T00:00:00+00:00", ["web"]),
        ('project.key = "ACME" AND mainbranch.name = "main"', ["api"]),
    ],
)
def test_repositories_are_filtered_on_the_server(call: Call, query: str, expected: list[str]) -> None:
    call("/repositories/acme/web", "POST", json={"language": "rust"})
    assert [one["slug"] for one in call("/repositories/acme", params={"q": query}).json()["values"]] == expected


def test_a_filter_by_an_unknown_field_of_repositories_is_refused(call: Call) -> None:
    refused = call("/repositories/acme", params={"q": 'colour = "red"'})
    assert (refused.status_code, refused.json()["error"]["message"]) == (400, 'Field "colour" does not support filtering')


def test_a_put_creates_a_missing_repository_and_changes_an_existing_one(call: Call) -> None:
    assert call("/repositories/acme/web", "PUT", json={"description": "Site"}).status_code == 201
    changed = call("/repositories/acme/web", "PUT", json={"description": "The site"})
    assert (changed.status_code, changed.json()["description"]) == (200, "The site")
    assert call("/repositories/acme/web", "PUT", json={"name": "api"}).status_code == 400


def test_the_error_for_an_unknown_project_names_it(call: Call) -> None:
    refused = call("/repositories/acme/web", "POST", json={"project": {"key": "NONE"}})
    assert refused.status_code == 400
    assert "NONE" in refused.json()["error"]["message"]


def test_a_deleted_repository_is_not_found(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    assert call("/repositories/acme/api", "DELETE").status_code == 204
    assert call("/repositories/acme/api").status_code == 404
    assert call("/repositories/acme").json()["size"] == 0
