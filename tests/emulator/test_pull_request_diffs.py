"""Diffs, diffstats and patches of pull requests are computed from their commits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.commits.diffs import conflicts, diff, diffstat, replay
from tests.emulator.conftest import Call
from tests.emulator.pull_requests import API, PULLS, add_events, change, create_pull_request, values


@pytest.mark.parametrize("kind", ["diff", "diffstat", "patch"])
def test_diff_diffstat_and_patch_redirect_to_the_repository(bitbucket_emulator: BitbucketEmulator, call: Call, kind: str) -> None:
    number = create_pull_request(bitbucket_emulator)
    pr = call(f"{PULLS}/{number}").json()
    spec = f"{pr['source']['commit']['hash']}%0D{pr['destination']['commit']['hash']}"
    answer = call(f"{PULLS}/{number}/{kind}")
    expected = f"{bitbucket_emulator.api_url}{API}/{kind}/acme/api:{spec}?from_pullrequest_id={number}&topic=true"
    assert (answer.status_code, answer.headers["Location"]) == (302, expected)
    assert call(answer.headers["Location"]).status_code == 200


def rows(call: Call, number: int) -> dict[str, tuple[str, int, int]]:
    """Return status, added and removed lines of each changed file."""
    found = values(call, call(f"{PULLS}/{number}/diffstat").headers["Location"])
    return {(one["new"] or one["old"])["path"]: (one["status"], one["lines_added"], one["lines_removed"]) for one in found}


def test_a_diffstat_counts_the_committed_lines(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    call(f"{API}/src", "POST", data={"branch": "change", "README.md": "# api\n\nMore.\n", "notes.txt": "a\nb\nc\n"})
    call(f"{API}/src", "POST", data={"branch": "change", "files": "src/module_0.py", "moved.py": "VERSION = 0\n"})
    call(f"{API}/src", "POST", data={"branch": "change", "files": "src/module_1.py"})
    number = call(PULLS, "POST", json={"title": "Change", "source": {"branch": {"name": "change"}}}).json()["id"]
    assert rows(call, number) == {
        "README.md": ("modified", 2, 0),
        "moved.py": ("renamed", 0, 0),
        "notes.txt": ("added", 3, 0),
        "src/module_1.py": ("removed", 0, 1),
    }
    page = call(call(f"{PULLS}/{number}/diffstat").headers["Location"]).json()
    assert (page["pagelen"], page["size"], page["page"]) == (500, 4, 1)
    by_path = {(one["new"] or one["old"])["path"]: one for one in page["values"]}
    assert by_path["notes.txt"]["old"] is None
    assert by_path["src/module_1.py"]["new"] is None
    assert by_path["moved.py"]["old"]["path"] == "src/module_0.py"


def test_changes_merged_by_others_are_not_counted(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    number = create_pull_request(bitbucket_emulator, files={"mine.txt": "1\n2\n"})
    call(f"{API}/src", "POST", data={"branch": "main", "theirs.txt": "x\n"})
    add_events(bitbucket_emulator, number, {"do": "push", "files": {"mine.txt": "1\n2\n3\n"}})
    assert rows(call, number) == {"mine.txt": ("added", 3, 0)}


def test_a_merged_pull_request_keeps_its_diffstat(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    number = create_pull_request(
        bitbucket_emulator, files={"mine.txt": "1\n"}, close_source_branch=True, events=[{"do": "merge"}]
    )
    assert rows(call, number) == {"mine.txt": ("added", 1, 0)}


def test_branches_without_a_common_history_have_no_diffstat(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    number = create_pull_request(bitbucket_emulator)
    change(bitbucket_emulator, number, unrelated_histories=True)
    answer = call(call(f"{PULLS}/{number}/diffstat").headers["Location"])
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "No common ancestor")


def test_diff_and_patch_have_the_format_of_git(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    number = create_pull_request(bitbucket_emulator, files={"README.md": "# api\nNew.\n"})
    answer = call(call(f"{PULLS}/{number}/diff").headers["Location"])
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.text == ("diff --git a/README.md b/README.md\n--- a/README.md\n+++ b/README.md\n@@ -1 +1,2 @@\n # api\n+New.\n")
    patch = call(call(f"{PULLS}/{number}/patch").headers["Location"]).text
    assert patch.startswith("From ")
    assert "Subject: [PATCH] Add search" in patch


def test_any_two_commits_can_be_compared_with_the_source_first(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    call(f"{API}/src", "POST", data={"branch": "side", "side.txt": "s\n"})
    call(f"{API}/src", "POST", data={"branch": "main", "main.txt": "m\n"})

    def changed(spec: str, **params: str) -> list[tuple[str, str]]:
        return [((one["new"] or one["old"])["path"], one["status"]) for one in values(call, f"{API}/diffstat/{spec}", **params)]

    assert changed("side..main") == [("side.txt", "added")]
    assert changed("side..main", topic="false") == [("main.txt", "removed"), ("side.txt", "added")]
    assert changed("side..main", topic="false", path="main.txt") == [("main.txt", "removed")]
    assert changed("main") == [("main.txt", "added")]
    assert call(f"{API}/diff/main..main").content == b""
    assert call(f"{API}/diffstat/nothing..main").status_code == 404


trees = st.dictionaries(
    st.sampled_from(["a", "b", "c/d", "e"]), st.sampled_from([b"", b"1\n", b"1\n2\n", b"x\ny\nz", b"\xff\x00"]), max_size=4
)


@given(trees, trees)
def test_a_diffstat_has_a_row_for_every_change_and_none_for_the_rest(before: dict[str, bytes], after: dict[str, bytes]) -> None:
    found = diffstat(before, after)
    changed = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    assert {row["path"] for row in found} | {row["old_path"] for row in found if row["old_path"]} == changed
    assert bool(diff(before, after)) == bool(found)
    for row in found:
        grown = len(after.get(row["path"], b"").splitlines()) - len(before.get(row["path"], b"").splitlines())
        if row["status"] != "renamed" and b"\xff\x00" not in (before.get(row["path"]), after.get(row["path"])):
            assert row["lines_added"] - row["lines_removed"] == grown


@given(trees, trees, trees)
def test_changes_without_conflicts_can_be_applied_in_either_order(
    base: dict[str, bytes], ours: dict[str, bytes], theirs: dict[str, bytes]
) -> None:
    assert replay(base, ours, base) == ours
    if not conflicts(base, ours, theirs):
        assert replay(base, ours, theirs) == replay(base, theirs, ours)
