"""Pull requests are opened, changed, merged and declined as on Bitbucket."""

from __future__ import annotations

from typing import Any

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call
from tests.emulator.pull_requests import API, OWNER, PULLS, REVIEWER, change, create_pull_request, uuid_of, values


@pytest.fixture
def branch(call: Call) -> str:
    """A branch with a commit of its own."""
    assert call(f"{API}/src", "POST", data={"branch": "feature/new", "new.txt": "one\ntwo\n"}).status_code == 201
    return "feature/new"


def opened(call: Call, branch: str, **more: Any) -> Any:
    answer = call(PULLS, "POST", json={"title": "New", "source": {"branch": {"name": branch}}, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()


def commit(call: Call, branch: str, **files: str) -> None:
    sent = {name.replace("_", "."): text for name, text in files.items()}
    assert call(f"{API}/src", "POST", data={"branch": branch, **sent}).status_code == 201


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["message"]


def test_opening_needs_a_title_and_a_branch_and_returns_the_location(call: Call, branch: str) -> None:
    answer = call(PULLS, "POST", json={"title": "New", "source": {"branch": {"name": branch}}})
    made = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, made["links"]["self"]["href"])
    assert (made["state"], made["draft"], made["destination"]["branch"]["name"]) == ("OPEN", False, "main")
    assert made["author"]["nickname"] == OWNER
    assert call(PULLS, "POST", json={"source": {"branch": {"name": branch}}}).json()["error"]["fields"].keys() == {"title"}
    assert call(PULLS, "POST", json={"title": "No branch"}).status_code == 400


@pytest.mark.parametrize("end", ["source", "destination"])
def test_an_unknown_branch_is_named(call: Call, branch: str, end: str) -> None:
    body = {"title": "New", "source": {"branch": {"name": branch}}, "destination": {"branch": {"name": "main"}}}
    answer = call(PULLS, "POST", json={**body, end: {"branch": {"name": "nope"}}})
    assert error(answer) == (400, f"{end}: branch not found: nope")
    assert answer.json()["error"]["fields"] == {end: ["branch not found: nope"]}


def test_a_branch_without_changes_is_refused(call: Call) -> None:
    head = call(f"{API}/refs/branches/main").json()["target"]["hash"]
    call(f"{API}/refs/branches", "POST", json={"name": "same", "target": {"hash": head}})
    answer = call(PULLS, "POST", json={"title": "Same", "source": {"branch": {"name": "same"}}})
    assert error(answer) == (400, "There are no changes to be pulled")


def test_opening_the_same_branches_twice_updates_the_first_pull_request(call: Call, branch: str) -> None:
    first = opened(call, branch, description="Once")
    again = opened(call, branch, title="Newer", description="Twice")
    assert (again["id"], again["title"], again["description"]) == (first["id"], "Newer", "Twice")
    assert len(values(call, PULLS)) == 1


def test_another_destination_creates_another_pull_request(call: Call, branch: str) -> None:
    head = call(f"{API}/refs/branches/main").json()["target"]["hash"]
    call(f"{API}/refs/branches", "POST", json={"name": "release", "target": {"hash": head}})
    first = opened(call, branch)
    assert opened(call, branch, destination={"branch": {"name": "release"}})["id"] == first["id"] + 1


@pytest.mark.parametrize("key", ["uuid", "account_id"])
def test_reviewers_are_named_by_uuid_or_account_id(call: Call, branch: str, key: str) -> None:
    members = [one["user"] for one in values(call, "/workspaces/acme/members")]
    robin = next(one for one in members if one["nickname"] == REVIEWER)
    made = opened(call, branch, reviewers=[{key: robin[key]}])
    assert [(one["user"]["nickname"], one["role"]) for one in made["participants"]] == [(REVIEWER, "REVIEWER")]


def test_one_invalid_reviewer_fails_the_request(bitbucket_emulator: BitbucketEmulator, call: Call, branch: str) -> None:
    robin, me = uuid_of(call, REVIEWER), uuid_of(call, OWNER)
    bot = next(one.uuid for one in bitbucket_emulator.state.users.values() if one.type == "app_user")
    refusals = {
        "Malformed reviewers list": [{"nickname": REVIEWER}],
        "Dana Demo is the author and cannot be included as a reviewer.": [{"uuid": robin}, {"uuid": me}],
        "Acme Access Token is not a member of this workspace and cannot be added to this pull request": [{"uuid": bot}],
    }
    for message, reviewers in refusals.items():
        answer = call(PULLS, "POST", json={"title": "New", "source": {"branch": {"name": branch}}, "reviewers": reviewers})
        assert error(answer) == (400, f"reviewers: {message}")
        assert answer.json()["error"]["fields"] == {"reviewers": [message]}
    assert values(call, PULLS) == []


def test_default_reviewers_are_listed_but_not_added(call: Call, branch: str) -> None:
    robin = uuid_of(call, REVIEWER)
    assert call(f"{API}/default-reviewers/{robin}").status_code == 404
    assert call(f"{API}/default-reviewers/{robin}", "PUT").status_code == 200
    assert [one["uuid"] for one in values(call, f"{API}/default-reviewers")] == [robin]
    (effective,) = values(call, f"{API}/effective-default-reviewers")
    assert (effective["reviewer_type"], effective["user"]["uuid"]) == ("repository", robin)
    assert opened(call, branch)["reviewers"] == []
    assert call(f"{API}/default-reviewers/{robin}", "DELETE").status_code == 204
    assert values(call, f"{API}/default-reviewers") == []


def test_a_pull_request_from_a_fork_names_both_repositories(call: Call) -> None:
    project = call("/workspaces/acme/projects").json()["values"][0]["key"]
    call("/repositories/acme/fork", "POST", json={"scm": "git", "project": {"key": project}})
    call("/repositories/acme/fork/src", "POST", data={"branch": "main", "a.txt": "a"})
    call("/repositories/acme/fork/src", "POST", data={"branch": "idea", "b.txt": "b"})
    source = {"branch": {"name": "idea"}, "repository": {"full_name": "acme/fork"}}
    made = call(PULLS, "POST", json={"title": "From a fork", "source": source}).json()
    assert (made["source"]["repository"]["full_name"], made["destination"]["repository"]["full_name"]) == (
        "acme/fork",
        "acme/api",
    )
    assert len(values(call, f"{PULLS}/{made['id']}/commits")) == 2


def test_an_update_changes_only_the_fields_that_are_sent(call: Call, branch: str) -> None:
    robin = uuid_of(call, REVIEWER)
    number = opened(call, branch, description="Why", reviewers=[{"uuid": robin}], draft=True)["id"]
    changed = call(f"{PULLS}/{number}", "PUT", json={"title": "Better", "draft": False}).json()
    assert (changed["title"], changed["description"], changed["draft"]) == ("Better", "Why", False)
    assert len(changed["reviewers"]) == 1
    cleared = call(f"{PULLS}/{number}", "PUT", json={"reviewers": []}).json()
    assert (cleared["reviewers"], cleared["participants"]) == ([], [])


def test_a_closed_pull_request_cannot_be_edited_merged_or_declined(call: Call, branch: str) -> None:
    number = opened(call, branch)["id"]
    assert call(f"{PULLS}/{number}/decline", "POST").status_code == 200
    assert error(call(f"{PULLS}/{number}", "PUT", json={"title": "Late"})) == (400, "Can only update an open pull request.")
    for end in ("merge", "decline"):
        answer = call(f"{PULLS}/{number}/{end}", "POST")
        assert error(answer) == (400, "newstatus: This pull request is already closed.")
        assert answer.json()["error"]["fields"] == {"newstatus": ["This pull request is already closed."]}


def test_a_push_updates_the_open_pull_request_of_its_branch(
    bitbucket_emulator: BitbucketEmulator, call: Call, branch: str
) -> None:
    before = opened(call, branch)
    bitbucket_emulator.clock(advance=60)
    commit(call, branch, more_txt="three\n")
    after = call(f"{PULLS}/{before['id']}").json()
    assert after["source"]["commit"]["hash"] != before["source"]["commit"]["hash"]
    assert after["updated_on"] == "2026-11-02T08:01:00.000000+00:00"
    assert len(values(call, f"{PULLS}/{before['id']}/commits")) == 2


def test_a_merge_returns_the_full_hash_and_closed_on(bitbucket_emulator: BitbucketEmulator, call: Call, branch: str) -> None:
    number = opened(call, branch)["id"]
    bitbucket_emulator.clock(advance=60)
    merged = call(f"{PULLS}/{number}/merge", "POST", json={"type": "pullrequest_merge_parameters", "message": "Done"}).json()
    assert (merged["state"], merged["closed_by"]["nickname"]) == ("MERGED", OWNER)
    assert merged["closed_on"] == "2026-11-02T08:01:00.000000+00:00"
    assert len(merged["merge_commit"]["hash"]) == 40
    made = call(f"{API}/commit/{merged['merge_commit']['hash']}").json()
    assert (made["message"], len(made["parents"])) == ("Done", 2)
    assert call(f"{API}/refs/branches/main").json()["target"]["hash"] == made["hash"]
    assert call(f"{API}/src/main/new.txt").text == "one\ntwo\n"
    assert "closed_on" not in call(f"{PULLS}/{number}").json()


@pytest.mark.parametrize(
    ("strategy", "parents", "added"),
    [
        ("merge_commit", 2, 3),
        ("squash", 1, 1),
        ("squash_fast_forward", 1, 1),
        ("fast_forward", 1, 2),
        ("rebase_fast_forward", 1, 2),
        ("rebase_merge", 2, 3),
    ],
)
def test_every_merge_strategy_creates_its_own_history(
    bitbucket_emulator: BitbucketEmulator, call: Call, branch: str, strategy: str, parents: int, added: int
) -> None:
    repository = next(bitbucket_emulator.state.repositories())
    repository.merge_strategies = (strategy,)
    commit(call, branch, more_txt="three\n")
    before = len(values(call, f"{API}/commits/main"))
    number = opened(call, branch)["id"]
    merged = call(f"{PULLS}/{number}/merge", "POST").json()
    head = call(f"{API}/commit/{merged['merge_commit']['hash']}").json()
    assert len(head["parents"]) == parents
    assert len(values(call, f"{API}/commits/main")) == before + added
    assert call(f"{API}/src/main/more.txt").text == "three\n"


@pytest.mark.parametrize("strategy", ["merge_commit", "squash", "rebase_fast_forward", "rebase_merge"])
def test_a_merge_keeps_changes_merged_by_others(
    bitbucket_emulator: BitbucketEmulator, call: Call, branch: str, strategy: str
) -> None:
    next(bitbucket_emulator.state.repositories()).merge_strategies = (strategy,)
    number = opened(call, branch)["id"]
    commit(call, "main", other_txt="theirs\n")
    assert call(f"{PULLS}/{number}/merge", "POST").status_code == 200
    assert call(f"{API}/src/main/other.txt").text == "theirs\n"
    assert call(f"{API}/src/main/new.txt").text == "one\ntwo\n"


def test_a_merge_strategy_that_is_not_allowed_is_refused(call: Call, branch: str) -> None:
    number = opened(call, branch)["id"]
    answer = call(f"{PULLS}/{number}/merge", "POST", json={"merge_strategy": "rebase_merge"})
    assert answer.status_code == 400
    assert answer.json()["error"]["fields"].keys() == {"merge_strategy"}


def test_a_changed_destination_prevents_a_fast_forward(call: Call, branch: str) -> None:
    number = opened(call, branch)["id"]
    commit(call, "main", other_txt="theirs\n")
    answer = call(f"{PULLS}/{number}/merge", "POST", json={"merge_strategy": "fast_forward"})
    assert error(answer) == (400, "Unable to fast forward due to changes in the destination branch.")


def test_conflicts_prevent_a_merge_until_they_are_resolved(call: Call, branch: str) -> None:
    number = opened(call, branch)["id"]
    commit(call, "main", new_txt="something else\n")
    answer = call(f"{PULLS}/{number}/merge", "POST")
    assert error(answer) == (400, "You can't merge until you resolve all merge conflicts.")
    (conflict,) = values(call, call(f"{PULLS}/{number}/conflicts").headers["Location"])
    assert conflict["path"] == "new.txt"
    commit(call, branch, new_txt="something else\n")
    assert call(f"{PULLS}/{number}/merge", "POST").status_code == 200


@pytest.mark.parametrize("status", [400, 403, 409, 555])
def test_a_merge_fails_with_the_error_that_is_set(
    bitbucket_emulator: BitbucketEmulator, call: Call, branch: str, status: int
) -> None:
    number = opened(call, branch)["id"]
    change(bitbucket_emulator, number, merge_error=[status, "Another merge was faster"])
    assert error(call(f"{PULLS}/{number}/merge", "POST")) == (status, "Another merge was faster")
    assert call(f"{PULLS}/{number}").json()["state"] == "OPEN"
    change(bitbucket_emulator, number, merge_error=None)
    assert call(f"{PULLS}/{number}/merge", "POST").status_code == 200


@pytest.mark.parametrize(("at_opening", "at_merge", "deleted"), [(True, None, True), (False, True, True), (True, False, False)])
def test_the_source_branch_is_deleted_if_the_merge_or_else_the_pull_request_requests_it(
    call: Call, branch: str, at_opening: bool, at_merge: bool | None, deleted: bool
) -> None:
    number = opened(call, branch, close_source_branch=at_opening)["id"]
    body = {} if at_merge is None else {"close_source_branch": at_merge}
    assert call(f"{PULLS}/{number}/merge", "POST", json=body).status_code == 200
    assert call(f"{API}/refs/branches/{branch}").status_code == (404 if deleted else 200)


def test_an_asynchronous_merge_returns_the_location_of_its_task(
    bitbucket_emulator: BitbucketEmulator, call: Call, branch: str
) -> None:
    number = opened(call, branch)["id"]
    answer = call(f"{PULLS}/{number}/merge", "POST", params={"async": "true"})
    assert (answer.status_code, answer.content) == (202, b"")
    assert call(answer.headers["Location"]).json() == {"task_status": "PENDING"}
    bitbucket_emulator.clock(advance=2)
    done = call(answer.headers["Location"]).json()
    assert (done["task_status"], done["merge_result"]["state"]) == ("SUCCESS", "MERGED")
    assert len(done["merge_result"]["merge_commit"]["hash"]) == 40


def test_the_task_of_a_failed_asynchronous_merge_returns_the_error(
    bitbucket_emulator: BitbucketEmulator, call: Call, branch: str
) -> None:
    number = opened(call, branch)["id"]
    change(bitbucket_emulator, number, merge_error=[409, "Another merge was faster"])
    task = call(f"{PULLS}/{number}/merge", "POST", params={"async": "true"}).headers["Location"]
    bitbucket_emulator.clock(advance=2)
    assert error(call(task)) == (409, "Another merge was faster")


def test_an_unknown_merge_task_is_pending(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    number = create_pull_request(bitbucket_emulator)
    bitbucket_emulator.clock(advance=10**6)
    task = call(f"{PULLS}/{number}/merge/task-status/%7Bunknown%7D")
    assert (task.status_code, task.json()) == (200, {"task_status": "PENDING"})


def test_a_reason_to_decline_is_kept(call: Call, branch: str) -> None:
    number = opened(call, branch)["id"]
    declined = call(f"{PULLS}/{number}/decline", "POST", json={"message": "Not now"}).json()
    assert (declined["state"], declined["reason"], declined["merge_commit"]) == ("DECLINED", "Not now", None)
    assert declined["closed_on"]
    assert call(f"{PULLS}/{number}").json()["reason"] == "Not now"


def test_writing_needs_the_write_scope(bitbucket_emulator: BitbucketEmulator, call: Call, branch: str) -> None:
    bitbucket_emulator.control(
        "POST",
        "credentials",
        {"kind": "workspace_access_token", "secret": "reader", "workspace": "acme", "scopes": ["read:pullrequest:bitbucket"]},
    )
    number = opened(call, branch)["id"]
    for path, method in (("", "PUT"), ("/merge", "POST"), ("/decline", "POST"), ("/approve", "POST"), ("/approve", "DELETE")):
        refused = call(f"{PULLS}/{number}{path}", method, token="reader", json={})
        assert refused.status_code == 403
        assert "write:pullrequest:bitbucket" in refused.json()["error"]["detail"]["required"]
    # According to the specification, comments need only the read scope.
    assert call(f"{PULLS}/{number}/comments", "POST", token="reader", json={"content": {"raw": "Hi"}}).status_code == 201


def test_the_author_of_a_pull_request_of_an_access_token_is_its_bot(call: Call, branch: str) -> None:
    body = {"title": "By a bot", "source": {"branch": {"name": branch}}}
    author = call(PULLS, "POST", token="demo-access-token", json=body).json()["author"]
    assert (author["type"], "nickname" in author) == ("app_user", False)


def test_opening_and_merging_start_pipelines(call: Call, branch: str) -> None:
    runs = len(values(call, f"{API}/pipelines/"))
    number = opened(call, branch)["id"]
    call(f"{PULLS}/{number}/merge", "POST")
    newest = call(f"{API}/pipelines/", params={"sort": "-created_on"}).json()["values"]
    assert len(newest) > runs
    assert newest[0]["target"]["ref_name"] == "main"
