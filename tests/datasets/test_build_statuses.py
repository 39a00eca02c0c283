"""Build statuses of pull requests as rows."""

from __future__ import annotations

from typing import Any

from airflow_provider_bitbucket.datasets import build_statuses
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator_data import AUTHOR, after, asked, client_of, frame_of, open_pull_request, set_status


def read(bitbucket: BitbucketEmulator, **options: Any) -> Any:
    return frame_of(bitbucket, "build_statuses", **options)


def commits_of(bitbucket: BitbucketEmulator, number: int) -> list[str]:
    """Full hashes, oldest first."""
    return [one["hash"] for one in client_of(bitbucket).pull_requests.commits("api", number)][::-1]


def test_a_status_is_a_row_with_its_commit_and_its_build(bitbucket_emulator: BitbucketEmulator):
    number = open_pull_request(bitbucket_emulator)
    (head,) = commits_of(bitbucket_emulator, number)
    set_status(bitbucket_emulator, head, "lint", "FAILED", name="Lint", description="3 problems", refname="feature")
    row = read(bitbucket_emulator).iloc[0]
    assert (row["repository"], row["pull_request_id"], row["commit"], row["key"]) == ("acme/api", number, head, "lint")
    assert (row["state"], row["is_latest"]) == ("FAILED", True)
    assert (row["name"], row["description"], row["ref_name"]) == ("Lint", "3 problems", "feature")
    assert (row["created_on"], row["updated_on"]) == (NOW, NOW)
    assert row["url"] == "https://ci.example.com/1"


def test_the_latest_status_of_each_key_is_marked_among_those_of_all_pushes(bitbucket_emulator: BitbucketEmulator):
    number = open_pull_request(bitbucket_emulator, (2, "push", AUTHOR))
    first, second = commits_of(bitbucket_emulator, number)
    set_status(bitbucket_emulator, second, "lint", "SUCCESSFUL")
    set_status(bitbucket_emulator, first, "tests", "FAILED")
    bitbucket_emulator.clock(advance=60)
    set_status(bitbucket_emulator, second, "tests", "INPROGRESS")
    frame = read(bitbucket_emulator).set_index(["key", "commit"])
    assert frame["is_latest"].to_dict() == {("lint", second): True, ("tests", first): False, ("tests", second): True}


def test_they_cost_the_list_and_one_request_for_each_pull_request_of_the_interval(bitbucket_emulator: BitbucketEmulator):
    for hours in (0, 24, 48):
        number = open_pull_request(bitbucket_emulator, opened=after(hours))
        set_status(bitbucket_emulator, commits_of(bitbucket_emulator, number)[0], "lint", "SUCCESSFUL")
    bitbucket_emulator.reset_requests()
    frame = read(bitbucket_emulator, since=after(24), until=after(48))
    assert list(frame["pull_request_id"]) == [2]
    assert asked(bitbucket_emulator) == {"": 1, "/one/statuses": 1}


def test_a_pull_request_whose_commits_are_gone_has_none(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(bitbucket_emulator)
    bitbucket_emulator.fault("server_error", status=404, count=None, path="/statuses")
    assert read(bitbucket_emulator).empty


def test_a_status_of_unknown_values_is_a_row():
    status = {"key": "lint", "state": "CANCELLED", "commit": {"hash": "a" * 40}, "refname": None, "updated_on": None}
    record = {"repository": "acme/api", "pull_request_id": 1, "status": status, "is_latest": True}
    row = build_statuses.SPEC.to_frame([record]).iloc[0]
    assert row["state"] == "CANCELLED"
    assert row[["name", "ref_name", "created_on", "updated_on", "url"]].isna().all()


def test_no_statuses_are_a_frame_with_every_column(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(bitbucket_emulator)
    found = read(bitbucket_emulator)
    assert found.empty
    assert found.dtypes.to_dict() == build_statuses.SCHEMA.empty().dtypes.to_dict()
