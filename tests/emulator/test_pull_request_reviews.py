"""Reviews, comments and tasks change a pull request and appear in its timeline."""

from __future__ import annotations

from typing import Any

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call
from tests.emulator.pull_requests import AUTHOR, OWNER, PULLS, REVIEWER, add_events, change, create_pull_request, values

NOW = "2026-11-02T08:00:00.000000+00:00"


@pytest.fixture
def number(bitbucket_emulator: BitbucketEmulator) -> int:
    """An open pull request of Alex with Robin as reviewer, opened a month ago."""
    return create_pull_request(bitbucket_emulator, at="2026-10-01T09:00:00+00:00", reviewers=[REVIEWER])


def kinds(call: Call, number: int) -> list[str]:
    """Return the kinds of entries in the timeline, newest first."""
    return [next(key for key in entry if key != "pull_request") for entry in values(call, f"{PULLS}/{number}/activity")]


def commented(call: Call, number: int, text: str, **more: Any) -> Any:
    answer = call(f"{PULLS}/{number}/comments", "POST", json={"content": {"raw": text}, **more})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == answer.json()["links"]["self"]["href"]
    return answer.json()


def test_an_approval_adds_a_participant_and_an_entry(call: Call, number: int) -> None:
    approved = call(f"{PULLS}/{number}/approve", "POST")
    assert approved.status_code == 200
    assert approved.json() | {"user": approved.json()["user"]["nickname"]} == {
        "type": "participant",
        "user": OWNER,
        "role": "PARTICIPANT",
        "approved": True,
        "state": "approved",
        "participated_on": NOW,
    }
    entry = values(call, f"{PULLS}/{number}/activity")[0]
    assert (entry["approval"]["date"], entry["approval"]["user"]["nickname"]) == (NOW, OWNER)
    assert entry["approval"]["pullrequest"]["id"] == entry["pull_request"]["id"] == number
    assert call(f"{PULLS}/{number}").json()["updated_on"] == NOW


def test_approving_leaves_updated_on_unchanged_if_set(bitbucket_emulator: BitbucketEmulator, call: Call, number: int) -> None:
    bitbucket_emulator.settings(approvals_move_updated_on=False)
    call(f"{PULLS}/{number}/approve", "POST")
    assert call(f"{PULLS}/{number}").json()["updated_on"] == "2026-10-01T09:00:00.100000+00:00"


def test_approving_twice_adds_one_approval(call: Call, number: int) -> None:
    for _ in range(2):
        assert call(f"{PULLS}/{number}/approve", "POST").status_code == 200
    assert kinds(call, number) == ["approval", "update", "update"]


def test_a_withdrawn_approval_is_removed_from_the_timeline(call: Call, number: int) -> None:
    call(f"{PULLS}/{number}/approve", "POST")
    answer = call(f"{PULLS}/{number}/approve", "DELETE")
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (204, b"", "text/html; charset=utf-8")
    assert kinds(call, number) == ["update", "update"]
    assert call(f"{PULLS}/{number}/approve", "DELETE").status_code == 404


def test_an_approval_and_a_request_for_changes_replace_each_other(call: Call, number: int) -> None:
    call(f"{PULLS}/{number}/approve", "POST")
    requested = call(f"{PULLS}/{number}/request-changes", "POST").json()
    assert (requested["approved"], requested["state"]) == (False, "changes_requested")
    assert kinds(call, number) == ["changes_requested", "update", "update"]
    call(f"{PULLS}/{number}/approve", "POST")
    assert kinds(call, number) == ["approval", "update", "update"]
    assert call(f"{PULLS}/{number}/request-changes", "DELETE").status_code == 404


def test_a_merged_pull_request_can_be_approved_but_not_unapproved(
    bitbucket_emulator: BitbucketEmulator, call: Call, number: int
) -> None:
    add_events(bitbucket_emulator, number, {"do": "merge"})
    assert call(f"{PULLS}/{number}/approve", "POST").status_code == 200
    refused = call(f"{PULLS}/{number}/approve", "DELETE")
    assert (refused.status_code, refused.json()["error"]["data"]["key"]) == (400, "CANNOT_UNAPPROVED_MERGED_PR")
    assert call(f"{PULLS}/{number}/request-changes", "POST").status_code == 400


def test_approvals_remain_after_a_push(bitbucket_emulator: BitbucketEmulator, call: Call, number: int) -> None:
    call(f"{PULLS}/{number}/approve", "POST")
    add_events(bitbucket_emulator, number, {"do": "push"})
    states = {one["user"]["nickname"]: one["state"] for one in call(f"{PULLS}/{number}").json()["participants"]}
    assert states == {REVIEWER: None, OWNER: "approved"}


def test_opening_adds_two_updates_a_tenth_of_a_second_apart(call: Call, number: int) -> None:
    second, first = (entry["update"] for entry in values(call, f"{PULLS}/{number}/activity"))
    assert (first["date"], second["date"]) == ("2026-10-01T09:00:00.000000+00:00", "2026-10-01T09:00:00.100000+00:00")
    for update in (first, second):
        assert (update["state"], update["changes"], update["author"]["nickname"]) == ("OPEN", {}, AUTHOR)
        assert [one["nickname"] for one in update["reviewers"]] == [REVIEWER]


def test_a_push_adds_an_update_with_the_new_hash(bitbucket_emulator: BitbucketEmulator, call: Call, number: int) -> None:
    before = call(f"{PULLS}/{number}").json()["source"]["commit"]["hash"]
    add_events(bitbucket_emulator, number, {"do": "push", "user": OWNER})
    newest, *older = (entry["update"] for entry in values(call, f"{PULLS}/{number}/activity"))
    assert newest["source"]["commit"]["hash"] == call(f"{PULLS}/{number}").json()["source"]["commit"]["hash"] != before
    assert (newest["changes"], newest["author"]["nickname"]) == ({}, OWNER)
    assert {update["source"]["commit"]["hash"] for update in older} == {before}


def test_the_updates_of_edits_contain_the_changes(bitbucket_emulator: BitbucketEmulator, call: Call, number: int) -> None:
    edits = ({"title": "Search"}, {"draft": True}, {"description": "Why"}, {"reviewers": [OWNER]}, {"title": "Search"})
    add_events(bitbucket_emulator, number, *({"do": "edit", **edit} for edit in edits))
    changes = [entry["update"]["changes"] for entry in values(call, f"{PULLS}/{number}/activity")[:-2]]
    assert [next(iter(change)) for change in changes] == ["reviewers", "description", "draft", "title"]
    assert changes[3]["title"] == {"old": "Add search", "new": "Search"}
    assert changes[2]["draft"] == {"old": False, "new": True}
    assert {side: users[0]["nickname"] for side, users in changes[0]["reviewers"].items()} == {
        "added": OWNER,
        "removed": REVIEWER,
    }


@pytest.mark.parametrize(("do", "state", "word"), [("merge", "MERGED", "fulfilled"), ("decline", "DECLINED", "rejected")])
def test_a_merge_or_decline_adds_an_update_with_its_status(
    bitbucket_emulator: BitbucketEmulator, call: Call, number: int, do: str, state: str, word: str
) -> None:
    add_events(bitbucket_emulator, number, {"do": do, "user": OWNER, "at": "2026-10-05T10:00:00+00:00"})
    update = values(call, f"{PULLS}/{number}/activity")[0]["update"]
    assert (update["state"], update["changes"]) == (state, {"status": {"old": "open", "new": word}})
    assert (update["date"], update["author"]["nickname"]) == ("2026-10-05T10:00:00.000000+00:00", OWNER)


def test_a_comment_has_the_fields_of_bitbucket(bitbucket_emulator: BitbucketEmulator, call: Call, number: int) -> None:
    made = commented(call, number, "Why *this*?", inline={"path": "a.py", "to": 10_000})
    assert made["content"] == {"type": "rendered", "raw": "Why *this*?", "markup": "markdown", "html": "<p>Why *this*?</p>"}
    assert made["inline"] == {"path": "a.py", "from": None, "to": 10_000}  # there is no such line; Bitbucket accepts it too
    assert (made["deleted"], made["pending"], "resolution" in made) == (False, False, False)
    assert made["links"]["html"]["href"].endswith(f"/acme/api/pull-requests/{number}/_/diff#comment-{made['id']}")
    assert made["created_on"] != made["updated_on"], "they differ by microseconds although the comment was not edited"
    reply = commented(call, number, "So.", parent={"id": made["id"]})
    assert reply["parent"]["id"] == made["id"]
    assert values(call, f"{PULLS}/{number}/activity")[0]["comment"] == reply
    assert [one["id"] for one in values(call, f"{PULLS}/{number}/comments")] == [made["id"], reply["id"]]


def test_a_comment_adds_a_participant_and_changes_updated_on(call: Call, number: int) -> None:
    commented(call, number, "Hello")
    shown = call(f"{PULLS}/{number}").json()
    assert (shown["comment_count"], shown["updated_on"]) == (1, NOW)
    mine = next(one for one in shown["participants"] if one["user"]["nickname"] == OWNER)
    assert (mine["role"], mine["approved"], mine["participated_on"]) == ("PARTICIPANT", False, NOW)


def test_a_comment_after_the_merge_changes_updated_on_but_not_closed_on(
    bitbucket_emulator: BitbucketEmulator, call: Call, number: int
) -> None:
    add_events(bitbucket_emulator, number, {"do": "merge", "at": "2026-10-02T09:00:00+00:00"})
    commented(call, number, "Well done")
    shown = call(f"{PULLS}/{number}", params={"fields": "+closed_on"}).json()
    assert (shown["updated_on"], shown["closed_on"]) == (NOW, "2026-10-02T09:00:00.000000+00:00")


def test_unknown_keys_of_a_comment_are_refused_including_type(call: Call, number: int) -> None:
    answer = call(f"{PULLS}/{number}/comments", "POST", json={"content": {"raw": "x"}, "type": "pullrequest_comment"})
    assert answer.status_code == 400
    assert answer.json()["error"] == {"message": "Bad request", "fields": {"type": "extra keys not allowed"}}


def test_a_reply_to_an_unknown_comment_is_refused(call: Call, number: int) -> None:
    answer = call(f"{PULLS}/{number}/comments", "POST", json={"content": {"raw": "x"}, "parent": {"id": 1}})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "Invalid parent ID")


def test_a_deleted_comment_remains_without_content(call: Call, number: int) -> None:
    made = commented(call, number, "Regrettable")
    assert call(f"{PULLS}/{number}/comments/{made['id']}", "DELETE").status_code == 204
    (left,) = values(call, f"{PULLS}/{number}/comments")
    assert (left["deleted"], left["content"]["raw"]) == (True, "")
    assert values(call, f"{PULLS}/{number}/activity")[0]["comment"]["deleted"]
    assert call(f"{PULLS}/{number}").json()["comment_count"] == 0


def test_a_pending_comment_is_visible_to_its_author_only(call: Call, number: int) -> None:
    made = commented(call, number, "Not yet", pending=True)
    own = f"{PULLS}/{number}/comments/{made['id']}"
    assert call(own).json()["pending"]
    assert call(own, token="demo-access-token").status_code == 404
    assert call(f"{PULLS}/{number}/comments", token="demo-access-token").json()["values"] == []
    assert kinds(call, number) == ["update", "update"]
    assert call(own, "PUT", json={"pending": False}).json()["pending"] is False
    assert call(own, token="demo-access-token").status_code == 200
    assert kinds(call, number)[0] == "comment"


def test_the_error_for_an_unknown_comment_is_its_number(call: Call, number: int) -> None:
    answer = call(f"{PULLS}/{number}/comments/113977999")
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "113977999")


def test_a_comment_thread_is_resolved_once(call: Call, number: int) -> None:
    inline = {"path": "a.py", "to": 3, "start_to": 2}
    made = commented(call, number, "Why?", inline=inline)
    assert made["inline"] == {**inline, "from": None}
    own = f"{PULLS}/{number}/comments/{made['id']}"
    assert call(f"{own}/resolve", "DELETE").status_code == 404
    assert call(f"{own}/resolve", "POST").json()["user"]["nickname"] == OWNER
    assert call(f"{own}/resolve", "POST").status_code == 409
    assert call(own).json()["resolution"]["type"] == "comment_resolution"
    assert call(f"{own}/resolve", "DELETE").status_code == 204
    assert "resolution" not in call(own).json()


def test_a_reply_or_a_comment_beside_the_diff_is_no_discussion_to_resolve(call: Call, number: int) -> None:
    general = commented(call, number, "Hello")["id"]
    inline = commented(call, number, "Why?", inline={"path": "a.py", "to": 1})["id"]
    reply = commented(call, number, "So.", parent={"id": inline})["id"]
    for comment in (general, reply):
        assert call(f"{PULLS}/{number}/comments/{comment}/resolve", "POST").status_code == 403


def test_comments_can_be_filtered_and_sorted(bitbucket_emulator: BitbucketEmulator, call: Call, number: int) -> None:
    days = [
        {"do": "comment", "text": f"Day {day}", "user": REVIEWER, "at": f"2026-10-0{day}T10:00:00+00:00"} for day in (2, 3, 4)
    ]
    add_events(bitbucket_emulator, number, *days)
    since = {"q": 'created_on >= "2026-10-03T00:00:00+00:00"', "sort": "-created_on"}
    assert [one["content"]["raw"] for one in values(call, f"{PULLS}/{number}/comments", **since)] == ["Day 4", "Day 3"]


def test_a_task_is_counted_until_it_is_resolved(call: Call, number: int) -> None:
    made = call(f"{PULLS}/{number}/tasks", "POST", json={"content": {"raw": "Add a test"}})
    assert (made.status_code, made.json()["state"], made.json()["resolved_on"]) == (201, "UNRESOLVED", None)
    assert call(f"{PULLS}/{number}").json()["task_count"] == 1
    own = f"{PULLS}/{number}/tasks/{made.json()['id']}"
    done = call(own, "PUT", json={"state": "RESOLVED"}).json()
    assert (done["state"], done["resolved_on"], done["resolved_by"]["nickname"]) == ("RESOLVED", NOW, OWNER)
    assert call(f"{PULLS}/{number}").json()["task_count"] == 0
    assert len(values(call, f"{PULLS}/{number}/tasks", q='state = "RESOLVED"')) == 1
    assert call(own, "PUT", json={"state": "UNRESOLVED"}).json()["resolved_by"] is None
    assert call(own, "DELETE").status_code == 204
    assert call(own).status_code == 404


def test_the_feed_has_entries_of_all_pull_requests(bitbucket_emulator: BitbucketEmulator, call: Call, number: int) -> None:
    other = create_pull_request(bitbucket_emulator, "Fix search", at="2026-10-02T09:00:00+00:00")
    commented(call, number, "Hello")
    feed = values(call, f"{PULLS}/activity", pagelen=2)
    assert [entry["pull_request"]["id"] for entry in feed] == [number, other, other, number, number]
    page = call(f"{PULLS}/activity", params={"pagelen": 2}).json()
    assert set(page) == {"values", "pagelen", "next"}
    assert "ctx=" in page["next"]
    assert "id" not in page["values"][0]


def test_the_feed_ignores_query_and_order(call: Call, number: int) -> None:
    plain = values(call, f"{PULLS}/activity")
    assert values(call, f"{PULLS}/activity", q="id = 999", sort="date") == plain


def test_the_feed_ends_early_if_set(bitbucket_emulator: BitbucketEmulator, call: Call, number: int) -> None:
    bitbucket_emulator.settings(activity_feed_ends_early=1)
    assert len(values(call, f"{PULLS}/activity")) == 1
    assert len(values(call, f"{PULLS}/{number}/activity")) == 2


def test_the_feed_can_have_malformed_entries(bitbucket_emulator: BitbucketEmulator, call: Call, number: int) -> None:
    path = f"pullrequests/acme/api/{number}/activity"
    bitbucket_emulator.control("POST", path, {"kind": "merge_queue", "payload": {"position": 3}})
    bitbucket_emulator.control("POST", path, {})
    bitbucket_emulator.control("POST", path, {"kind": "approval", "date": "2026-10-01T10:00:00+00:00"})
    bare, queued, approval, *_ = values(call, f"{PULLS}/activity")
    assert set(bare) == {"pull_request"}
    assert queued["merge_queue"] == {"position": 3}
    assert approval["approval"]["user"] is None


def test_entries_keep_the_user_of_a_deleted_author(bitbucket_emulator: BitbucketEmulator, call: Call, number: int) -> None:
    change(bitbucket_emulator, number, author=None)
    assert call(f"{PULLS}/{number}").json()["author"] is None
    assert values(call, f"{PULLS}/{number}/activity")[0]["update"]["author"]["nickname"] == AUTHOR
