"""Branches, tags, commits, files and build statuses are created and read through the API."""

from __future__ import annotations

from typing import Any

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call

API = "/repositories/acme/api"


def head(call: Call, branch: str = "main") -> str:
    return str(call(f"{API}/refs/branches/{branch}").json()["target"]["hash"])


def write(call: Call, **form: Any) -> str:
    """Commit and return the new hash."""
    answer = call(f"{API}/src", "POST", data=form)
    assert answer.status_code == 201, answer.text
    assert answer.content == b""
    return answer.headers["Location"].rpartition("/")[2]


def messages(call: Call, below: str = "/commits", **params: Any) -> list[str]:
    return [one["message"] for one in call(API + below, params=params).json()["values"]]


def test_a_branch_is_created_read_and_deleted(call: Call) -> None:
    made = call(f"{API}/refs/branches", "POST", json={"name": "feature/a-b", "target": {"hash": head(call)[:7]}})
    assert made.status_code == 201
    assert made.json()["target"]["hash"] == head(call)
    for spelling in ("feature/a-b", "feature%2Fa-b"):
        assert call(f"{API}/refs/branches/{spelling}").json()["name"] == "feature/a-b"
    assert call(f"{API}/refs/branches/feature/a-b", "DELETE").status_code == 204
    assert call(f"{API}/refs/branches/feature/a-b").status_code == 404


@pytest.mark.parametrize("body", [{}, {"name": "x"}, {"name": "x", "target": {}}, {"name": "", "target": {"hash": "main"}}, []])
def test_an_incomplete_description_of_a_branch_is_refused(call: Call, body: object) -> None:
    assert call(f"{API}/refs/branches", "POST", json=body).status_code == 400


def test_a_tag_that_the_api_creates_is_annotated(call: Call) -> None:
    target = {"hash": head(call)}
    silent = call(f"{API}/refs/tags", "POST", json={"name": "v1", "target": target}).json()
    described = call(f"{API}/refs/tags", "POST", json={"name": "v2", "target": target, "message": "Two"}).json()
    assert silent["message"] == f"Added tag v1 for changeset {target['hash'][:12]}"
    assert (described["message"], described["date"]) == ("Two", "2026-11-02T08:00:00+00:00")


def test_commits_of_a_branch_are_listed_without_those_of_another(call: Call) -> None:
    first = head(call)
    write(call, branch="feature", message="On the feature", **{"a.txt": "a"})
    write(call, branch="main", message="On main", **{"b.txt": "b"})
    assert messages(call, "/commits/feature", exclude="main") == ["On the feature"]
    assert messages(call, include=["feature", "main"], exclude=first) == ["On main", "On the feature"]
    posted = call(f"{API}/commits", "POST", data={"include": "feature", "exclude": ["main"]})
    assert [one["message"] for one in posted.json()["values"]] == ["On the feature"]


def test_commits_are_filtered_by_path(call: Call) -> None:
    write(call, message="Change a file", **{"src/module_1.py": "VERSION = 2\n"})
    assert messages(call, path="src/module_1.py") == ["Change a file", "Add module 1"]
    assert messages(call, path="README.md") == ["Initial commit"]
    assert len(messages(call, path="src")) == 4


def test_a_commit_has_its_full_hash_and_a_date_in_whole_seconds(call: Call) -> None:
    short = call(f"{API}/commit/{head(call)[:12]}").json()
    assert short["hash"] == head(call)
    assert short["date"] == "2026-08-04T10:00:00+00:00"
    assert short["participants"] == []
    assert "participants" not in call(f"{API}/commits").json()["values"][0]


@pytest.mark.parametrize("path", ["commit/none", "commits/none", "src/none/README.md", "commit/none/statuses"])
def test_an_unknown_revision_is_named_in_the_answer(call: Call, path: str) -> None:
    answer = call(f"{API}/{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "Commit not found"
    assert answer.json()["data"] == {"shas": ["none"]}


def test_files_are_read_as_they_were_written(call: Call) -> None:
    binary = bytes(range(256))
    answer = call(
        f"{API}/src", "POST", data={"message": "Both"}, files={"/data/all.bin": ("all.bin", binary), "t.txt": (None, "ä\n")}
    )
    assert answer.status_code == 201
    assert call(f"{API}/src/main/data/all.bin").content == binary
    assert call(f"{API}/src/main/t.txt").content == "ä\n".encode()
    assert call(f"{API}/src/main/README.md").content == b"# api\n"
    assert messages(call)[0] == "Both"


def test_a_path_named_without_content_is_deleted(call: Call) -> None:
    write(call, files=["README.md", "new.txt"], **{"new.txt": "new"})
    assert call(f"{API}/src/main/README.md").json()["error"]["message"] == "No such file or directory: README.md"
    assert call(f"{API}/src/main/new.txt").text == "new"


def test_a_new_branch_starts_at_the_given_parent(call: Call) -> None:
    parent = call(f"{API}/commits").json()["values"][1]["hash"]
    made = write(call, branch="old", parents=parent)
    assert call(f"{API}/commit/{made}").json()["parents"][0]["hash"] == parent
    assert head(call, "old") == made


def test_a_commit_whose_parent_is_no_longer_the_head_is_refused(call: Call) -> None:
    before = head(call)
    write(call, **{"a.txt": "first"})
    late = call(f"{API}/src", "POST", data={"parents": before, "a.txt": "second"})
    assert late.status_code == 409
    assert call(f"{API}/src/main/a.txt").text == "first"


def test_an_unknown_parent_is_refused(call: Call) -> None:
    refused = call(f"{API}/src", "POST", data={"parents": "f" * 40})
    assert refused.status_code == 400
    assert refused.json()["error"]["fields"] == {"parents": []}
    assert refused.json()["error"]["message"].startswith("parents: Commit not found: ")


def test_the_first_commit_creates_the_main_branch(call: Call) -> None:
    call("/repositories/acme/fresh", "POST", json={"scm": "git"})
    assert call("/repositories/acme/fresh").json()["mainbranch"] is None
    assert call("/repositories/acme/fresh/refs/branches").json()["values"] == []
    call("/repositories/acme/fresh/src", "POST", data={"branch": "trunk", "README": "first"})
    assert call("/repositories/acme/fresh").json()["mainbranch"] == {"name": "trunk", "type": "branch"}


def test_a_folder_lists_its_files_and_folders(call: Call) -> None:
    listed = call(f"{API}/src/main/").json()["values"]
    assert [(one["type"], one["path"]) for one in listed] == [
        ("commit_file", "README.md"),
        ("commit_file", "bitbucket-pipelines.yml"),
        ("commit_directory", "src"),
    ]
    assert call(f"{API}/src/main/src").json()["values"][0]["path"] == "src/module_0.py"
    assert call(f"{API}/src/main/README.md", params={"format": "meta"}).json()["size"] == 6


def test_a_build_status_is_created_once_and_then_updated(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    build = f"{API}/commit/{head(call)}/statuses/build"
    status = {"key": "ci", "state": "INPROGRESS", "url": "https://ci.example.com/1"}
    assert call(build, "POST", json=status).status_code == 201
    bitbucket_emulator.clock(advance=5)
    again = call(build, "POST", data={**status, "state": "SUCCESSFUL", "refname": "main"})
    assert again.status_code == 200
    assert (again.json()["created_on"], again.json()["updated_on"]) == (
        "2026-11-02T08:00:00.000000+00:00",
        "2026-11-02T08:00:05.000000+00:00",
    )
    listed = call(f"{API}/commit/{head(call)}/statuses", params={"refname": "main"}).json()
    assert [(one["key"], one["state"]) for one in listed["values"]] == [("ci", "SUCCESSFUL")]


def test_a_key_of_more_than_forty_characters_is_refused_with_the_message_of_bitbucket(call: Call) -> None:
    refused = call(
        f"{API}/commit/main/statuses/build", "POST", json={"key": "k" * 48, "state": "FAILED", "url": "https://ci.example.com"}
    )
    assert refused.status_code == 400
    problem = "Ensure this value has at most 40 characters (it has 48)."
    assert refused.json()["error"] == {"message": f"key: {problem}", "fields": {"key": [problem]}}


@pytest.mark.parametrize("change", [{"state": "GREEN"}, {"url": ""}, {"key": None}])
def test_a_malformed_build_status_is_refused(call: Call, change: dict[str, Any]) -> None:
    status = {"key": "ci", "state": "FAILED", "url": "https://ci.example.com", **change}
    assert call(f"{API}/commit/main/statuses/build", "POST", json=status).status_code == 400


def test_every_request_to_a_renamed_repository_is_redirected(call: Call) -> None:
    call(API, "PUT", json={"name": "Core API"})
    moved = call(f"{API}/refs/branches", params={"pagelen": 5})
    assert moved.status_code == 301
    assert moved.headers["Location"].endswith("/2.0/repositories/acme/core-api/refs/branches?pagelen=5")
    assert call(moved.headers["Location"]).status_code == 200
    assert call("/repositories/acme/core-api").json()["full_name"] == "acme/core-api"


def test_a_repository_is_found_by_uuid_too(call: Call) -> None:
    uuid = call(API).json()["uuid"]
    assert call(f"/repositories/acme/{uuid}").json()["slug"] == "api"


def test_a_slug_that_is_in_use_is_refused(call: Call) -> None:
    refused = call(API, "POST", json={})
    assert refused.status_code == 400
    assert refused.json()["error"]["fields"] == {"name": ["You already have a repository with this name."]}
