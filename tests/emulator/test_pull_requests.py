"""Reading pull requests over the wire: what lists show, leave out, filter and refuse."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call
from tests.emulator.pull_requests import API, AUTHOR, OWNER, PULLS, REVIEWER, change, events, story, uuid_of, values

MERGED_AT = "2026-10-03T12:00:00+00:00"


@pytest.fixture
def four(bitbucket_emulator: BitbucketEmulator) -> dict[str, int]:
    """One pull request of each state, opened on four days in October."""
    ends: dict[str, dict[str, Any]] = {"merged": {"do": "merge"}, "declined": {"do": "decline", "reason": "No"}}
    made = {}
    for day, name in enumerate(("open", "merged", "declined", "superseded"), 1):
        happened = [{**ends[name], "user": REVIEWER, "at": f"2026-10-0{day + 1}T12:00:00+00:00"}] if name in ends else []
        made[name] = story(
            bitbucket_emulator,
            f"The {name} one",
            at=f"2026-10-0{day}T09:00:00+00:00",
            reviewers=[REVIEWER],
            events=happened,
            draft=name == "open",
        )
    change(bitbucket_emulator, made["superseded"], state="SUPERSEDED")
    return made


def ids(call: Call, **params: Any) -> list[int]:
    return [one["id"] for one in values(call, PULLS, **params)]


def test_the_list_is_found_with_a_slash_at_the_end_too_as_atlassian_python_api_asks_for_it(
    call: Call, four: dict[str, int]
) -> None:
    assert [one["id"] for one in values(call, f"{PULLS}/")] == ids(call)


def test_a_list_shows_open_ones_unless_asked(call: Call, four: dict[str, int]) -> None:
    assert ids(call) == [four["open"]]
    assert ids(call, state="MERGED") == [four["merged"]]
    assert ids(call, state=["MERGED", "DECLINED"]) == [four["declined"], four["merged"]]
    assert sorted(ids(call, state="all")) == sorted(four.values())


def test_a_query_switches_state_off_even_its_default(call: Call, four: dict[str, int]) -> None:
    assert sorted(ids(call, q='title ~ "the"', state="MERGED")) == sorted(four.values())
    assert ids(call, q='state = "SUPERSEDED"') == [four["superseded"]]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("draft = true", ["open"]),
        ("id > 2", ["declined", "superseded"]),
        ('title ~ "MERGED"', ["merged"]),
        ("created_on >= 2026-10-03T00:00:00+00:00", ["declined", "superseded"]),
        ('updated_on > "2026-10-03T12:00:00+00:00" AND state != "SUPERSEDED"', ["declined"]),
        ('state IN ("MERGED", "DECLINED")', ["merged", "declined"]),
        ('author.nickname = "alex.author"', ["open", "merged", "declined", "superseded"]),
        ('reviewers.nickname = "robin.reviewer" AND state = "OPEN"', ["open"]),
        ('reviewers.nickname = "alex.author"', []),
        ('source.branch.name = "feature/2"', ["merged"]),
        ('destination.branch.name != "main"', []),
        ('source.repository.full_name = "acme/api" AND id = 1', ["open"]),
    ],
)
def test_queries_reach_the_fields_that_bitbucket_documents(call: Call, four: dict[str, int], q: str, found: list[str]) -> None:
    assert ids(call, q=q, sort="created_on") == [four[name] for name in found]


@pytest.mark.parametrize("field", ["participants.user.uuid", "closed_on", "merge_commit.hash", "comment_count"])
def test_a_query_on_anything_else_is_refused_by_name(call: Call, field: str) -> None:
    answer = call(PULLS, params={"q": f'{field} = "x"'})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, f'Field "{field}" does not support filtering')


def test_sorting_goes_both_ways(call: Call, four: dict[str, int]) -> None:
    oldest_first = [four[name] for name in ("open", "merged", "declined", "superseded")]
    assert ids(call, state="ALL", sort="created_on") == oldest_first
    assert ids(call, state="ALL", sort="-created_on") == oldest_first[::-1]


def test_sorting_several_states_can_fail_for_good_as_on_large_repositories(
    bitbucket_emulator: BitbucketEmulator, call: Call, four: dict[str, int]
) -> None:
    bitbucket_emulator.settings(sorted_states_fail=True)
    assert call(PULLS, params={"state": ["OPEN", "MERGED"], "sort": "updated_on"}).status_code == 500
    assert call(PULLS, params={"q": 'state = "OPEN" OR state = "MERGED"', "sort": "updated_on"}).status_code == 500
    assert call(PULLS, params={"state": ["OPEN", "MERGED"]}).status_code == 200
    assert call(PULLS, params={"state": "OPEN", "sort": "updated_on"}).status_code == 200


@pytest.mark.parametrize("path", [PULLS, f"{PULLS}/activity", f"{PULLS}/1/activity"])
def test_a_page_of_more_than_fifty_is_refused(bitbucket_emulator: BitbucketEmulator, call: Call, path: str) -> None:
    story(bitbucket_emulator)
    assert call(path, params={"pagelen": 50}).json()["pagelen"] == 50
    refused = call(path, params={"pagelen": 51})
    assert (refused.status_code, refused.json()["error"]["message"]) == (400, "Invalid pagelen")


def test_a_list_leaves_out_reviewers_participants_and_rendered_texts(call: Call, four: dict[str, int]) -> None:
    (listed,) = values(call, PULLS)
    alone = call(f"{PULLS}/{four['open']}").json()
    assert set(alone) - set(listed) == {"reviewers", "participants", "rendered"}
    assert [one["nickname"] for one in alone["reviewers"]] == [REVIEWER]
    assert alone["participants"][0] | {"user": None} == {
        "type": "participant",
        "user": None,
        "role": "REVIEWER",
        "approved": False,
        "state": None,
        "participated_on": None,
    }


@pytest.mark.parametrize("fields", ["+values.participants,+values.reviewers", "values.participants.role,values.reviewers.uuid"])
def test_a_list_shows_participants_and_reviewers_when_asked(call: Call, four: dict[str, int], fields: str) -> None:
    (listed,) = values(call, PULLS, fields=fields)
    assert listed["participants"][0]["role"] == "REVIEWER"
    assert listed["reviewers"][0]["uuid"] == uuid_of(call, REVIEWER)


def test_the_time_of_the_end_and_of_the_merge_commit_come_when_asked(call: Call, four: dict[str, int]) -> None:
    fields = "+values.closed_on,+values.merge_commit.date"
    rows = {one["id"]: one for one in values(call, PULLS, state="ALL", fields=fields)}
    merged = rows[four["merged"]]
    assert (merged["closed_on"], merged["merge_commit"]["date"]) == ("2026-10-03T12:00:00.000000+00:00", MERGED_AT)
    assert rows[four["declined"]]["closed_on"] == "2026-10-04T12:00:00.000000+00:00"
    assert rows[four["open"]]["closed_on"] is None
    plain = values(call, PULLS, state="MERGED")[0]
    assert "closed_on" not in plain
    assert "date" not in plain["merge_commit"]


def test_closed_on_can_be_something_that_bitbucket_does_not_tell(
    bitbucket_emulator: BitbucketEmulator, call: Call, four: dict[str, int]
) -> None:
    bitbucket_emulator.settings(closed_on_in_list=False)
    (row,) = values(call, PULLS, state="MERGED", fields="+values.closed_on")
    assert "closed_on" not in row


def test_the_merge_strategies_of_the_destination_come_when_asked(call: Call, four: dict[str, int]) -> None:
    fields = "+destination.branch.merge_strategies,+destination.branch.default_merge_strategy"
    branch = call(f"{PULLS}/{four['open']}", params={"fields": fields}).json()["destination"]["branch"]
    assert branch["default_merge_strategy"] == "merge_commit"
    assert branch["merge_strategies"] == ["merge_commit", "squash", "fast_forward"]


def test_hashes_are_cut_to_twelve_characters(call: Call, four: dict[str, int]) -> None:
    (merged,) = values(call, PULLS, state="MERGED")
    for commit in (merged["source"]["commit"], merged["destination"]["commit"], merged["merge_commit"]):
        assert re.fullmatch("[0-9a-f]{12}", commit["hash"])
    whole = call(f"{API}/commit/{merged['merge_commit']['hash']}").json()["hash"]
    assert re.fullmatch(f"{merged['merge_commit']['hash']}[0-9a-f]{{28}}", whole)


def test_links_lead_somewhere(bitbucket_emulator: BitbucketEmulator, call: Call, four: dict[str, int]) -> None:
    links = call(f"{PULLS}/{four['open']}").json()["links"]
    assert links["html"]["href"] == f"{bitbucket_emulator.url}/acme/api/pull-requests/{four['open']}"
    for name in ("self", "html", "commits", "comments", "activity", "statuses", "diff", "diffstat", "mergeability_checks"):
        assert call(links[name]["href"]).status_code == 200, name


def test_times_have_microseconds_and_an_offset(call: Call, four: dict[str, int]) -> None:
    (one,) = values(call, PULLS)
    assert one["created_on"] == "2026-10-01T09:00:00.000000+00:00"
    assert one["updated_on"] == "2026-10-01T09:00:00.100000+00:00"


def test_what_was_deleted_is_null(bitbucket_emulator: BitbucketEmulator, call: Call, four: dict[str, int]) -> None:
    change(bitbucket_emulator, four["merged"], author=None, closed_by=None, source_deleted=True, source_branch=None)
    (one,) = values(call, PULLS, state="MERGED")
    assert (one["author"], one["closed_by"], one["source"]["repository"], one["source"]["branch"]) == (None,) * 4
    assert one["source"]["commit"]["hash"]


def test_a_pull_request_that_does_not_exist_is_nine_bytes_of_text(call: Call) -> None:
    for path in (f"{PULLS}/77", f"{PULLS}/x", f"{PULLS}/77/activity", f"{PULLS}/77/diffstat", f"{PULLS}/77/comments"):
        answer = call(path)
        assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (404, b"Not Found", "text/plain"), path
    assert call(f"{PULLS}/77/merge", "POST").content == b"Not Found"


def test_a_missing_repository_is_json_on_the_list_and_a_page_on_the_timeline(call: Call) -> None:
    missing = "/repositories/acme/nothing/pullrequests"
    assert "either does not exist or you do not have access" in call(missing).json()["error"]["message"]
    for path in (f"{missing}/activity", f"{missing}/1/activity"):
        page = call(path)
        assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
        assert len(page.content) > 20_000


def test_all_that_somebody_opened_in_a_workspace(bitbucket_emulator: BitbucketEmulator, call: Call, four: dict[str, int]) -> None:
    story(bitbucket_emulator, "Mine", author=OWNER)
    path = f"/workspaces/acme/pullrequests/{uuid_of(call, AUTHOR)}"
    assert [one["id"] for one in values(call, path)] == [four["open"]]
    assert len(values(call, path, state=["OPEN", "MERGED", "DECLINED", "SUPERSEDED"])) == 4
    assert call("/workspaces/acme/pullrequests/nobody").status_code == 404


def test_the_pull_requests_of_a_commit_need_an_app(
    bitbucket_emulator: BitbucketEmulator, call: Call, four: dict[str, int]
) -> None:
    sha = values(call, f"{PULLS}/{four['open']}/commits")[0]["hash"]
    assert [one["id"] for one in values(call, f"{API}/commit/{sha}/pullrequests")] == [four["open"]]
    bitbucket_emulator.settings(commit_links_app=False)
    assert call(f"{API}/commit/{sha}/pullrequests").status_code == 404


def test_commits_are_whole_newest_first_and_paged_by_opaque_tokens(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    pushes = [{"do": "push", "message": f"Push {day}", "at": f"2026-10-0{day}T09:00:00+00:00"} for day in (2, 3)]
    number = story(bitbucket_emulator, at="2026-10-01T09:00:00+00:00", events=pushes)
    first = call(f"{PULLS}/{number}/commits", params={"pagelen": 2}).json()
    assert set(first) == {"values", "pagelen", "next", "page"}
    assert not re.search(r"page=\d+$", first["next"])
    rows = values(call, f"{PULLS}/{number}/commits", pagelen=2)
    assert [one["message"] for one in rows] == ["Push 3", "Push 2", "Add search"]
    assert all(len(one["hash"]) == 40 for one in rows)
    assert rows[0]["date"] == "2026-10-03T09:00:00+00:00"


def test_commits_survive_a_squash(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    number = story(bitbucket_emulator, events=[{"do": "push"}, {"do": "merge", "strategy": "squash"}])
    assert len(values(call, f"{PULLS}/{number}/commits")) == 2


def test_statuses_of_an_older_head_are_still_there(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    number = story(bitbucket_emulator)
    for state in ("FAILED", "SUCCESSFUL"):
        head = call(f"{PULLS}/{number}").json()["source"]["commit"]["hash"]
        status = {"key": "ci", "state": state, "url": "https://ci.example.com"}
        assert call(f"{API}/commit/{head}/statuses/build", "POST", json=status).status_code == 201
        events(bitbucket_emulator, number, {"do": "push"})
    mine = [one["state"] for one in values(call, f"{PULLS}/{number}/statuses") if one["key"] == "ci"]
    assert mine == ["FAILED", "SUCCESSFUL"]


def test_checks_say_what_stops_a_merge(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    number = story(bitbucket_emulator)
    checks = {one["type"]: one["result"] for one in values(call, f"{PULLS}/{number}/mergeability/checks")}
    assert set(checks.values()) == {"PASSED"}
    change(bitbucket_emulator, number, merge_error=[400, "2 approvals are missing"])
    failed = [one for one in values(call, f"{PULLS}/{number}/mergeability/checks") if one["result"] == "FAILED"]
    assert [(one["type"], one["reason"]) for one in failed] == [("standard_merge_check", "2 approvals are missing")]


def test_reading_needs_a_scope_and_names_it(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.control(
        "POST",
        "credentials",
        {"kind": "workspace_access_token", "secret": "poor", "workspace": "acme", "scopes": ["read:repository:bitbucket"]},
    )
    refused = call(PULLS, token="poor")
    assert refused.status_code == 403
    assert refused.json()["error"]["detail"]["required"] == ["read:pullrequest:bitbucket"]
