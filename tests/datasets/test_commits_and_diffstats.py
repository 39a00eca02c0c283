"""Commits and changed files of pull requests as rows."""

from __future__ import annotations

from airflow_provider_bitbucket.datasets import diffstats, pull_request_commits
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import AUTHOR, OWNER, after, asked, change, frame_of, open_pull_request


def test_commits_are_rows_with_whole_hashes_also_after_a_squash(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(
        bitbucket_emulator,
        (2, "push", AUTHOR, {"message": "Second"}),
        (3, "merge", OWNER, {"strategy": "squash"}),
    )
    bitbucket_emulator.reset_requests()
    frame = frame_of(bitbucket_emulator, "pull_request_commits").sort_values("date")
    assert asked(bitbucket_emulator) == {"": 1, "/one/commits": 1}
    assert list(frame["message"].str.strip()) == ["Add search", "Second"]
    assert list(frame["date"]) == [after(0), after(2)]
    assert frame["hash"].str.len().eq(40).all()
    assert set(frame["author"]) == {"Alex Author"}
    assert set(frame["parents"]) == {1}


def test_a_commit_without_an_account_keeps_its_raw_author():
    record = {
        "repository": "acme/api",
        "pull_request_id": 1,
        "commit": {"hash": "a" * 40, "author": {"raw": "Ghost <ghost@example.com>"}, "date": "2026-10-01T08:00:00+00:00"},
    }
    row = pull_request_commits.SPEC.to_frame([record, {**record, "commit": {}}]).iloc[0]
    assert row["author"] == "Ghost <ghost@example.com>"
    assert row.isna()["author_id"]


def test_changed_files_are_rows_with_their_paths_before_and_after(bitbucket_emulator: BitbucketEmulator):
    files = {"new.py": "1\n", "README.md": "# api\nmore\n"}
    open_pull_request(bitbucket_emulator, files=files)
    frame = frame_of(bitbucket_emulator, "diffstats").set_index("status")
    assert (frame.loc["added", "path"], frame.loc["modified", "path"]) == ("new.py", "README.md")
    assert frame["old_path"].isna()["added"]
    assert frame.loc["modified", "old_path"] == "README.md"
    assert list(frame["lines_added"]) == [1, 1]


def test_a_pull_request_without_common_history_has_no_files(bitbucket_emulator: BitbucketEmulator):
    open_pull_request(bitbucket_emulator)
    change(bitbucket_emulator, 1, unrelated_histories=True)
    assert frame_of(bitbucket_emulator, "diffstats").empty


def test_nothing_is_a_frame_with_every_column(bitbucket_emulator: BitbucketEmulator):
    for module in (diffstats, pull_request_commits):
        found = frame_of(bitbucket_emulator, module.SCHEMA.dataset)
        assert found.dtypes.to_dict() == module.SCHEMA.empty().dtypes.to_dict()
