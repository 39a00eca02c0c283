"""Read files and commit them without a clone."""

from __future__ import annotations

import pytest

from airflow_provider_bitbucket.client import (
    BitbucketAmbiguousError,
    BitbucketBadRequestError,
    BitbucketClient,
    BitbucketConflictError,
    BitbucketNotFoundError,
)
from airflow_provider_bitbucket.client.resources.source import FileContent
from bitbucket_cloud_emulator import BitbucketEmulator

AWKWARD_PATHS = ["a b.txt", "ä/ö.txt", "100%.txt", "%41.txt", "message", "files", "c#d?e.txt", "x;y=z.txt", " lead.txt"]


def head(client: BitbucketClient, branch: str = "main") -> str:
    return str(client.refs.branch("api", branch)["target"]["hash"])


@pytest.mark.parametrize("path", AWKWARD_PATHS)
def test_a_committed_file_is_read_back_byte_for_byte(client: BitbucketClient, path: str) -> None:
    content = bytes(range(256)) + b"\r\n--boundary\r\n"

    client.source.commit("api", {path: FileContent(content)}, message="Add a file")

    assert client.source.read("api", path) == content
    assert client.source.meta("api", path)["size"] == len(content)


@pytest.mark.parametrize("path", ["", "/", "a//b", "../a", "a/./b", ".git/config", "a/.GIT/hooks", 'a"b', "a\nb", "a\\b", "a\0"])
def test_a_path_that_is_none_is_refused_before_a_request(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator, path: str
) -> None:
    with pytest.raises(ValueError, match="path of a file"):
        client.source.commit("api", {path: FileContent(b"")})
    with pytest.raises(ValueError, match="path of a file"):
        client.source.read("api", path)
    assert bitbucket_emulator.requests() == {}


def test_a_commit_returns_its_hash_and_moves_its_branch_only(client: BitbucketClient) -> None:
    before = head(client)

    made = client.source.commit("api", {"f.txt": FileContent(b"f")}, branch="topic", parent=before, author="Ann <ann@acme.org>")

    commit = client.commits.get("api", made)
    assert (head(client, "topic"), head(client)) == (made, before)
    assert (commit["author"]["raw"], [one["hash"] for one in commit["parents"]]) == ("Ann <ann@acme.org>", [before])


def test_a_lost_race_is_a_conflict_and_changes_nothing(client: BitbucketClient) -> None:
    before = head(client)
    theirs = client.source.commit("api", {"theirs.txt": FileContent(b"1")})

    with pytest.raises(BitbucketConflictError):
        client.source.commit("api", {"ours.txt": FileContent(b"2")}, parent=before)

    assert head(client) == theirs


def test_an_unknown_parent_is_refused(client: BitbucketClient) -> None:
    with pytest.raises(BitbucketBadRequestError, match="Commit not found"):
        client.source.commit("api", {"f.txt": FileContent(b"f")}, parent="f" * 40)


def test_files_are_written_and_deleted_in_one_commit(client: BitbucketClient) -> None:
    client.source.commit("api", {"old.txt": FileContent(b"1"), "run.sh": FileContent(b"true", "executable")})

    client.source.commit("api", {"new.txt": FileContent(b"1")}, deleted=["old.txt"])

    assert {"new.txt", "run.sh"} <= {entry["path"] for entry in client.source.list("api")}
    with pytest.raises(BitbucketNotFoundError):
        client.source.read("api", "old.txt")
    assert client.source.meta("api", "run.sh")["attributes"] == ["executable"]


def test_a_lost_response_to_a_commit_is_reported_as_ambiguous_and_not_sent_again(
    client: BitbucketClient, bitbucket_emulator: BitbucketEmulator
) -> None:
    bitbucket_emulator.fault("lost_answer", method="POST", path="/src")

    with pytest.raises(BitbucketAmbiguousError):
        client.source.commit("api", {"f.txt": FileContent(b"f")})

    assert bitbucket_emulator.requests()["POST /repositories/{workspace}/{repo_slug}/src"] == 1
    assert client.source.read("api", "f.txt") == b"f"


def test_branches_and_tags_with_slashes_can_be_read(client: BitbucketClient) -> None:
    made = client.source.commit("api", {"f.txt": FileContent(b"f")}, branch="feature/f")
    client.refs.create_tag("api", "release/1", made)

    assert client.source.read("api", "f.txt", "feature/f") == client.source.read("api", "f.txt", "release/1") == b"f"


def test_a_directory_is_no_file(client: BitbucketClient) -> None:
    with pytest.raises(BitbucketNotFoundError, match="directory"):
        client.source.read("api", "src")


def test_a_json_file_that_resembles_a_list_is_read_as_a_file(client: BitbucketClient) -> None:
    client.source.commit("api", {"page.json": FileContent(b'{"values": [], "pagelen": 10}')})

    assert client.source.read("api", "page.json") == b'{"values": [], "pagelen": 10}'


def test_a_listing_is_complete_across_pages_and_levels(client: BitbucketClient) -> None:
    client.source.commit("api", {f"many/{number:03}/f.txt": FileContent(b"") for number in range(120)})

    assert len([*client.source.list("api", "many")]) == 120
    assert len([*client.source.list("api", "many", depth=2)]) == 240


def test_the_history_of_a_file_follows_a_rename(client: BitbucketClient) -> None:
    first = client.source.commit("api", {"a.txt": FileContent(b"text")})
    second = client.source.commit("api", {"b.txt": FileContent(b"text")}, deleted=["a.txt"])
    third = client.source.commit("api", {"b.txt": FileContent(b"more text")})

    versions = [(one["commit"]["hash"], one["path"]) for one in client.source.history("api", "b.txt")]
    without = [one["commit"]["hash"] for one in client.source.history("api", "b.txt", follow_renames=False)]

    assert versions == [(third, "b.txt"), (second, "b.txt"), (first, "a.txt")]
    assert without == [third, second]
