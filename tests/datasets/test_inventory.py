"""What a workspace consists of: repositories, branches, members, environments."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_bitbucket.client import BitbucketNotFoundError
from airflow_provider_bitbucket.datasets import branches, environments, members, repositories
from airflow_provider_bitbucket.extraction.dataset import Dataset
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.commits.graph import add_commit
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator_data import after, client_of, deploy, frame_of, requested


@pytest.fixture(scope="module")
def three() -> Iterator[BitbucketEmulator]:
    """Repositories api, service-2 and service-3; for reading."""
    with BitbucketEmulator("large", speed=0, now=NOW, pull_requests=3, repositories=3) as bitbucket:
        yield bitbucket


def test_all_repositories_cost_one_request(three: BitbucketEmulator):
    three.reset_requests()
    frame = frame_of(three, "repositories", repositories=None)
    assert requested(three) == {"repositories/{workspace}": 1}
    assert list(frame["repository"]) == ["acme/api", "acme/service-2", "acme/service-3"]
    row = frame.iloc[0]
    assert (row["name"], row["project_key"], row["main_branch"], row["owner"]) == ("api", "ACME", "main", "Acme")
    assert row["is_private"]
    assert row["size"] > 0
    assert row["url"] == f"{three.url}/acme/api"
    assert row.isna()[["description", "parent"]].all()


@pytest.mark.parametrize("names", [None, ["api"]])
def test_a_repository_is_spelled_as_it_was_asked_for_in_every_dataset(bitbucket_demo: BitbucketEmulator, names: list[str] | None):
    """Bitbucket takes any case and answers in its own; what is joined by name would find nothing."""
    client = client_of(bitbucket_demo, workspace="ACME")
    known, with_branches = (
        {*dataset.frame(dataset.records(client, names))["repository"]} for dataset in map(Dataset, ("repositories", "branches"))
    )
    assert "ACME/api" in with_branches
    assert with_branches <= known


def test_named_repositories_cost_one_request_each_and_have_to_exist(three: BitbucketEmulator):
    three.reset_requests()
    frame = frame_of(three, "repositories", repositories=["api", "acme/service-3"])
    assert list(frame["repository"]) == ["acme/api", "acme/service-3"]
    assert requested(three) == {"repositories/{workspace}/{repo_slug}": 2}
    with pytest.raises(BitbucketNotFoundError):
        frame_of(three, "repositories", repositories=["gone"])


def test_repositories_are_those_updated_in_the_interval(bitbucket_emulator: BitbucketEmulator):
    next(bitbucket_emulator.state.repositories()).updated_on = after(1)
    for names in (None, "api"):
        found = [
            len(frame_of(bitbucket_emulator, "repositories", repositories=names, since=since, until=until))
            for since, until in ((after(1), after(2)), (after(0), after(1)), (after(2), None))
        ]
        assert found == [1, 0, 0]


def test_an_empty_repository_without_owner_is_a_row(bitbucket_emulator: BitbucketEmulator):
    client_of(bitbucket_emulator).request("POST", "/repositories/acme/bare", json={"language": ""})
    row = frame_of(bitbucket_emulator, "repositories", repositories=["bare"]).iloc[0]
    assert row.isna()[["main_branch", "language"]].all()
    assert frame_of(bitbucket_emulator, "branches", repositories=["bare"]).empty
    nothing = {"uuid": "{1}", "owner": None, "mainbranch": None, "project": None, "parent": None, "links": None}
    row = repositories.SPEC.to_frame([{"repository": "acme/bare", "json": nothing}]).iloc[0]
    assert (row["repository"], row["id"]) == ("acme/bare", "{1}")
    assert row.drop(["repository", "id"]).isna().all()


def test_branches_are_rows_with_their_newest_commit(bitbucket_emulator: BitbucketEmulator):
    repository = next(bitbucket_emulator.state.repositories())
    add_commit(bitbucket_emulator.state, repository, author=None, message="Try", branch="try/this", at=after(0))
    bitbucket_emulator.reset_requests()
    frame = frame_of(bitbucket_emulator, "branches").set_index("name")
    assert requested(bitbucket_emulator) == {"refs/branches": 1}
    assert list(frame["commit"]) == [repository.branches[name] for name in frame.index]
    assert (frame.loc["try/this", "committed_on"], frame.loc["try/this", "author"]) == (
        after(0),
        "Unknown <unknown@example.com>",
    )
    assert frame.isna()["author_id"].to_dict() == {"main": False, "try/this": True}
    assert frame.loc["main", "merge_strategy"] == "merge_commit"
    assert list(frame_of(bitbucket_emulator, "branches", since=after(0))["name"]) == ["try/this"]
    assert list(frame_of(bitbucket_emulator, "branches", until=after(0))["name"]) == ["main"]


def test_a_branch_without_a_commit_is_a_row():
    row = branches.SPEC.to_frame([{"repository": "acme/api", "branch": {"name": "odd", "target": None}}]).iloc[0]
    assert row["name"] == "odd"
    assert row.isna()[["commit", "committed_on", "author"]].all()


@pytest.mark.parametrize("names", [None, ["api", "service-2"]])
def test_members_are_read_once_for_a_workspace(three: BitbucketEmulator, names: list[str] | None):
    three.reset_requests()
    frame = frame_of(three, "members", repositories=names, since=after(0))
    assert requested(three) == {"workspaces/{workspace}/members": 1}
    assert len(frame) == 12
    assert set(frame["workspace"]) == {"acme"}
    assert frame["id"].is_unique
    assert frame.iloc[0][["name", "nickname", "type"]].tolist() == ["Ada Large", "ada.large", "user"]


def test_a_member_without_a_name_is_a_row():
    row = members.SPEC.to_frame([{"workspace": "acme", "user": {"uuid": "{1}"}}]).iloc[0]
    assert row.drop(["workspace", "id"]).isna().all()


def test_environments_are_rows_by_rank(bitbucket_emulator: BitbucketEmulator):
    deploy(bitbucket_emulator)
    repository = next(bitbucket_emulator.state.repositories())
    repository.environments[0].locked_by = next(iter(bitbucket_emulator.state.users.values()))
    bitbucket_emulator.reset_requests()
    frame = frame_of(bitbucket_emulator, "environments", since=after(0))
    assert requested(bitbucket_emulator) == {"environments": 1}
    columns = ["name", "slug", "type", "rank", "is_locked", "is_hidden", "is_admin_only"]
    assert frame[columns].values.tolist() == [
        ["Test", "test", "Test", 0, True, False, False],
        ["Production", "production", "Production", 2, False, False, False],
    ]


def test_an_environment_of_another_type_or_of_none_is_a_row():
    kinds = [
        {"category": {"name": "Staging"}},
        {"environment_type": {"name": "Canary"}},
        {"environment_type": None, "lock": None},
    ]
    frame = environments.SPEC.to_frame({"repository": "acme/api", "environment": {"uuid": "{1}", **kind}} for kind in kinds)
    assert frame["type"].astype("string").fillna("-").tolist() == ["Staging", "Canary", "-"]
    assert frame["is_locked"].isna().all()


@pytest.mark.parametrize("module", [branches, environments, members, repositories])
def test_nothing_is_a_frame_with_every_column(bitbucket_emulator: BitbucketEmulator, module: object):
    schema = module.SCHEMA  # type: ignore[attr-defined]  # any of the modules above
    found = frame_of(bitbucket_emulator, schema.dataset, repositories=[])
    assert found.dtypes.to_dict() == schema.empty().dtypes.to_dict()
