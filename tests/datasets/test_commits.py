"""The commits of repositories: which are read, and how far back."""

from __future__ import annotations

from datetime import datetime

import pytest

from airflow_provider_bitbucket.datasets.commits import SCHEMA
from airflow_provider_bitbucket.datasets.intervals import passed, within
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.commits.graph import add_commit
from tests.emulator_data import OPENED, OWNER, after, client_of, frame_of, open_pull_request, requested

PAGE = 100


def write(bitbucket: BitbucketEmulator, *dates: datetime, branch: str = "main") -> None:
    """Add commits without an account, each a child of the one before."""
    repository = next(bitbucket.state.repositories())
    for date in dates:
        add_commit(bitbucket.state, repository, author=None, message="More", branch=branch, at=date)


def test_a_commit_is_a_row_also_when_no_account_has_its_email(bitbucket_emulator: BitbucketEmulator):
    write(bitbucket_emulator, after(0))
    frame = frame_of(bitbucket_emulator, "commits")
    first, newest = frame.iloc[-1], frame.iloc[0]
    assert len(frame) == 4
    assert set(frame["repository"]) == {"acme/api"}
    assert frame["hash"].str.len().eq(40).all()
    assert (first["author"], first["message"], first["parents"]) == ("Dana Demo", "Initial commit", 0)
    assert (newest["author"], newest["date"], newest["parents"]) == ("Unknown <unknown@example.com>", OPENED, 1)
    assert newest.isna()["author_id"]
    assert (newest["parent_hashes"], first.isna()["parent_hashes"]) == (frame["hash"][1], True)


def test_a_merge_names_both_its_parents(bitbucket_emulator: BitbucketEmulator):
    number = open_pull_request(bitbucket_emulator, (2, "merge", OWNER))
    frame = frame_of(bitbucket_emulator, "commits")
    merge = frame[frame["parents"] == 2].iloc[0]
    assert client_of(bitbucket_emulator).pull_requests.get("api", number)["merge_commit"]["hash"] == merge["hash"][:12]
    assert set(merge["parent_hashes"].split()) < set(frame["hash"])


def test_commits_of_all_branches_are_read(bitbucket_emulator: BitbucketEmulator):
    write(bitbucket_emulator, after(0), branch="beside")
    assert len(frame_of(bitbucket_emulator, "commits")) == 3 + 1


def test_since_and_until_bound_the_date(bitbucket_emulator: BitbucketEmulator):
    write(bitbucket_emulator, *map(after, range(5)))
    frame = frame_of(bitbucket_emulator, "commits", since=after(1), until=after(3))
    assert sorted(frame["date"]) == [after(1), after(2)]


def test_reading_stops_after_three_pages_that_are_older_than_asked_for(bitbucket_emulator: BitbucketEmulator):
    write(bitbucket_emulator, *map(after, range(6 * PAGE)))
    bitbucket_emulator.reset_requests()
    assert len(frame_of(bitbucket_emulator, "commits", since=after(6 * PAGE - 10))) == 10
    assert requested(bitbucket_emulator) == {"commits": 4}  # three pages of old ones end it
    bitbucket_emulator.reset_requests()
    assert len(frame_of(bitbucket_emulator, "commits")) == 6 * PAGE + 3
    assert requested(bitbucket_emulator) == {"commits": 7}


@pytest.mark.parametrize("rebased", [1, 100, 299])
def test_new_commits_below_a_branch_that_was_rebased_are_found(bitbucket_emulator: BitbucketEmulator, rebased: int):
    write(bitbucket_emulator, *map(after, range(5)), *[after(-1000)] * rebased)
    assert sorted(frame_of(bitbucket_emulator, "commits", since=after(0))["date"]) == [*map(after, range(5))]


def test_an_old_commit_among_new_ones_does_not_end_the_reading():
    # Rebased and cherry-picked commits keep their author date, so the list is newest first but for some.
    assert not passed([after(-1000), after(0), after(-1000)], since=after(0))
    assert not passed([after(-0.5)], since=after(0))
    assert passed([None, after(-2), after(-1000)], since=after(0))
    assert not passed([None], since=after(0))


def test_what_has_no_date_belongs_to_the_whole_only():
    assert within(None, None, None)
    assert not within(None, after(0), None)
    assert not within(None, None, after(0))


def test_a_repository_without_commits_is_a_frame_with_every_column(bitbucket_emulator: BitbucketEmulator):
    repository = next(bitbucket_emulator.state.repositories())
    repository.branches.clear()
    frame = frame_of(bitbucket_emulator, "commits")
    assert frame.empty
    assert frame.dtypes.to_dict() == SCHEMA.empty().dtypes.to_dict()
