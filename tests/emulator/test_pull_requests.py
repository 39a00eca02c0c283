"""Pull requests are read with the fields, filters and errors of Bitbucket."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator.conftest import Call
from tests.emulator.pull_requests import (
    API,
    AUTHOR,
    OWNER,
    PULLS,
    REVIEWER,
    add_events,
    change,
    create_pull_request,
    uuid_of,
    values,
)

MERGED_AT = "2026-10-03T12:00:00+00:00"


@pytest.fixture
def by_state(bitbucket_emulator: BitbucketEmulator) -> dict[str, int]:
    """One pull request of each state, opened on by_state days in October."""
    ends: dict[str, dict[str, Any]] = {"merged": {"do": "merge"}, "declined": {"do": "decline", "reason": "No"}}
    made = {}
    for day, name in enumerate(("open", "merged", "declined", "superseded"), 1):
        events = [{**ends[name], "user": REVIEWER, "at": f"2026-10-0{day + 1}T12:00:00+00:00"}] if name in ends else []
        made[name] = create_pull_request(
            bitbucket_emulator,
            f"The {name} one",
            at=f"2026-10-0{day}T09:00:00+00:00",
            reviewers=[REVIEWER],
            events=events,
            draft=name == "open",
        )
    change(bitbucket_emulator, made["superseded"], state="SUPERSEDED")
    return made


def ids(call: Call, **params: Any) -> list[int]:
    return [one["id"] for one in values(call, PULLS, **params)]


def test_the_list_accepts_the_trailing_slash_of_atlassian_python_api(call: Call, by_state: dict[str, int]) -> None:
    assert [one["id"] for one in values(call, f"{PULLS}/")] == ids(call)


def test_a_list_contains_open_pull_requests_by_default(call: Call, by_state: dict[str, int]) -> None:
    assert ids(call) == [by_state["open"]]
    assert ids(call, state="MERGED") == [by_state["merged"]]
    assert ids(call, state=["MERGED", "DECLINED"]) == [by_state["declined"], by_state["merged"]]
    assert sorted(ids(call, state="all")) == sorted(by_state.values())


def test_a_query_disables_the_state_parameter_and_its_default(call: Call, by_state: dict[str, int]) -> None:
    assert sorted(ids(call, q='title ~ "the"', state="MERGED")) == sorted(by_state.values())
    assert ids(call, q='state = "SUPERSEDED"') == [by_state["superseded"]]


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
def test_documented_fields_can_be_queried(call: Call, by_state: dict[str, int], q: str, found: list[str]) -> None:
    assert ids(call, q=q, sort="created_on") == [by_state[name] for name in found]


@pytest.mark.parametrize("field", ["participants.user.uuid", "closed_on", "merge_commit.hash", "comment_count"])
def test_a_query_on_another_field_is_refused(call: Call, field: str) -> None:
    answer = call(PULLS, params={"q": f'{field} = "x"'})
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, f'Field "{field}" does not support filtering')


def test_a_list_is_sorted_in_either_direction(call: Call, by_state: dict[str, int]) -> None:
    oldest_first = [by_state[name] for name in ("open", "merged", "declined", "superseded")]
    assert ids(call, state="ALL", sort="created_on") == oldest_first
    assert ids(call, state="ALL", sort="-created_on") == oldest_first[::-1]


def test_sorting_several_states_fails_if_set_as_on_large_repositories(
    bitbucket_emulator: BitbucketEmulator, call: Call, by_state: dict[str, int]
) -> None:
    bitbucket_emulator.settings(sorted_states_fail=True)
    assert call(PULLS, params={"state": ["OPEN", "MERGED"], "sort": "updated_on"}).status_code == 500
    assert call(PULLS, params={"q": 'state = "OPEN" OR state = "MERGED"', "sort": "updated_on"}).status_code == 500
    assert call(PULLS, params={"state": ["OPEN", "MERGED"]}).status_code == 200
    assert call(PULLS, params={"state": "OPEN", "sort": "updated_on"}).status_code == 200


@pytest.mark.parametrize("path", [PULLS, f"{PULLS}/activity", f"{PULLS}/1/activity"])
def test_a_page_of_more_than_fifty_is_refused(bitbucket_emulator: BitbucketEmulator, call: Call, path: str) -> None:
    create_pull_request(bitbucket_emulator)
    assert call(path, params={"pagelen": 50}).json()["pagelen"] == 50
    refused = call(path, params={"pagelen": 51})
    assert (refused.status_code, refused.json()["error"]["message"]) == (400, "Invalid pagelen")


def test_a_list_omits_reviewers_participants_and_rendered_texts(call: Call, by_state: dict[str, int]) -> None:
    (listed,) = values(call, PULLS)
    single = call(f"{PULLS}/{by_state['open']}").json()
    assert set(single) - set(listed) == {"reviewers", "participants", "rendered"}
    assert [one["nickname"] for one in single["reviewers"]] == [REVIEWER]
    assert single["participants"][0] | {"user": None} == {
        "type": "participant",
        "user": None,
        "role": "REVIEWER",
        "approved": False,
        "state": None,
        "participated_on": None,
    }


@pytest.mark.parametrize("fields", ["+values.participants,+values.reviewers", "values.participants.role,values.reviewers.uuid"])
def test_participants_and_reviewers_can_be_selected_in_a_list(call: Call, by_state: dict[str, int], fields: str) -> None:
    (listed,) = values(call, PULLS, fields=fields)
    assert listed["participants"][0]["role"] == "REVIEWER"
    assert listed["reviewers"][0]["uuid"] == uuid_of(call, REVIEWER)


def test_closed_on_and_the_date_of_the_merge_commit_can_be_selected(call: Call, by_state: dict[str, int]) -> None:
    fields = "+values.closed_on,+values.merge_commit.date"
    rows = {one["id"]: one for one in values(call, PULLS, state="ALL", fields=fields)}
    merged = rows[by_state["merged"]]
    assert (merged["closed_on"], merged["merge_commit"]["date"]) == ("2026-10-03T12:00:00.000000+00:00", MERGED_AT)
    assert rows[by_state["declined"]]["closed_on"] == "2026-10-04T12:00:00.000000+00:00"
    assert rows[by_state["open"]]["closed_on"] is None
    plain = values(call, PULLS, state="MERGED")[0]
    assert "closed_on" not in plain
    assert "date" not in plain["merge_commit"]


def test_closed_on_is_missing_from_lists_if_set(
    bitbucket_emulator: BitbucketEmulator, call: Call, by_state: dict[str, int]
) -> None:
    bitbucket_emulator.settings(closed_on_in_list=False)
    (row,) = values(call, PULLS, state="MERGED", fields="+values.closed_on")
    assert "closed_on" not in row


def test_the_merge_strategies_of_the_destination_can_be_selected(call: Call, by_state: dict[str, int]) -> None:
    fields = "+destination.branch.merge_strategies,+destination.branch.default_merge_strategy"
    branch = call(f"{PULLS}/{by_state['open']}", params={"fields": fields}).json()["destination"]["branch"]
    assert branch["default_merge_strategy"] == "merge_commit"
    assert branch["merge_strategies"] == ["merge_commit", "squash", "fast_forward"]


def test_hashes_are_abbreviated_to_twelve_characters(call: Call, by_state: dict[str, int]) -> None:
    (merged,) = values(call, PULLS, state="MERGED")
    for commit in (merged["source"]["commit"], merged["destination"]["commit"], merged["merge_commit"]):
        assert re.fullmatch("[0-9a-f]{12}", commit["hash"])
    whole = call(f"{API}/commit/{merged['merge_commit']['hash']}").json()["hash"]
    assert re.fullmatch(f"{merged['merge_commit']['hash']}[0-9a-f]{{28}}", whole)


def test_links_lead_to_routes_that_are_served(
    bitbucket_emulator: BitbucketEmulator, call: Call, by_state: dict[str, int]
) -> None:
    links = call(f"{PULLS}/{by_state['open']}").json()["links"]
    assert links["html"]["href"] == f"{bitbucket_emulator.url}/acme/api/pull-requests/{by_state['open']}"
    for name in ("self", "html", "commits", "comments", "activity", "statuses", "diff", "diffstat", "mergeability_checks"):
        assert call(links[name]["href"]).status_code == 200, name


def test_times_have_microseconds_and_an_offset(call: Call, by_state: dict[str, int]) -> None:
    (one,) = values(call, PULLS)
    assert one["created_on"] == "2026-10-01T09:00:00.000000+00:00"
    assert one["updated_on"] == "2026-10-01T09:00:00.100000+00:00"


def test_deleted_users_repositories_and_branches_are_null(
    bitbucket_emulator: BitbucketEmulator, call: Call, by_state: dict[str, int]
) -> None:
    change(bitbucket_emulator, by_state["merged"], author=None, closed_by=None, source_deleted=True, source_branch=None)
    (one,) = values(call, PULLS, state="MERGED")
    assert (one["author"], one["closed_by"], one["source"]["repository"], one["source"]["branch"]) == (None,) * 4
    assert one["source"]["commit"]["hash"]


def test_the_error_for_an_unknown_pull_request_is_plain_text(call: Call) -> None:
    for path in (f"{PULLS}/77", f"{PULLS}/x", f"{PULLS}/77/activity", f"{PULLS}/77/diffstat", f"{PULLS}/77/comments"):
        answer = call(path)
        assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (404, b"Not Found", "text/plain"), path
    assert call(f"{PULLS}/77/merge", "POST").content == b"Not Found"


def test_the_error_for_a_missing_repository_is_json_for_the_list_and_html_for_the_timeline(call: Call) -> None:
    missing = "/repositories/acme/nothing/pullrequests"
    assert "either does not exist or you do not have access" in call(missing).json()["error"]["message"]
    for path in (f"{missing}/activity", f"{missing}/1/activity"):
        page = call(path)
        assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
        assert len(page.content) > 20_000


def test_pull_requests_of_an_author_are_listed_for_the_workspace(
    bitbucket_emulator: BitbucketEmulator, call: Call, by_state: dict[str, int]
) -> None:
    create_pull_request(bitbucket_emulator, "Mine", author=OWNER)
    path = f"/workspaces/acme/pullrequests/{uuid_of(call, AUTHOR)}"
    assert [one["id"] for one in values(call, path)] == [by_state["open"]]
    assert len(values(call, path, state=["OPEN", "MERGED", "DECLINED", "SUPERSEDED"])) == 4
    assert call("/workspaces/acme/pullrequests/unknown").status_code == 404


def test_the_pull_requests_of_a_commit_are_listed_if_the_app_is_installed(
    bitbucket_emulator: BitbucketEmulator, call: Call, by_state: dict[str, int]
) -> None:
    sha = values(call, f"{PULLS}/{by_state['open']}/commits")[0]["hash"]
    assert [one["id"] for one in values(call, f"{API}/commit/{sha}/pullrequests")] == [by_state["open"]]
    bitbucket_emulator.settings(commit_links_app=False)
    assert call(f"{API}/commit/{sha}/pullrequests").status_code == 404


def test_commits_have_full_hashes_newest_first_and_opaque_page_tokens(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    pushes = [{"do": "push", "message": f"Push {day}", "at": f"2026-10-0{day}T09:00:00+00:00"} for day in (2, 3)]
    number = create_pull_request(bitbucket_emulator, at="2026-10-01T09:00:00+00:00", events=pushes)
    first = call(f"{PULLS}/{number}/commits", params={"pagelen": 2}).json()
    assert set(first) == {"values", "pagelen", "next", "page"}
    assert not re.search(r"page=\d+$", first["next"])
    rows = values(call, f"{PULLS}/{number}/commits", pagelen=2)
    assert [one["message"] for one in rows] == ["Push 3", "Push 2", "Add search"]
    assert all(len(one["hash"]) == 40 for one in rows)
    assert rows[0]["date"] == "2026-10-03T09:00:00+00:00"


def test_commits_are_listed_after_a_squash(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    number = create_pull_request(bitbucket_emulator, events=[{"do": "push"}, {"do": "merge", "strategy": "squash"}])
    assert len(values(call, f"{PULLS}/{number}/commits")) == 2


def test_statuses_of_earlier_heads_are_listed(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    number = create_pull_request(bitbucket_emulator)
    for state in ("FAILED", "SUCCESSFUL"):
        head = call(f"{PULLS}/{number}").json()["source"]["commit"]["hash"]
        status = {"key": "ci", "state": state, "url": "https://ci.example.com"}
        assert call(f"{API}/commit/{head}/statuses/build", "POST", json=status).status_code == 201
        add_events(bitbucket_emulator, number, {"do": "push"})
    mine = [one["state"] for one in values(call, f"{PULLS}/{number}/statuses") if one["key"] == "ci"]
    assert mine == ["FAILED", "SUCCESSFUL"]


def test_failed_merge_checks_state_the_reason(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    number = create_pull_request(bitbucket_emulator)
    checks = {one["type"]: one["result"] for one in values(call, f"{PULLS}/{number}/mergeability/checks")}
    assert set(checks.values()) == {"PASSED"}
    change(bitbucket_emulator, number, merge_error=[400, "2 approvals are missing"])
    failed = [one for one in values(call, f"{PULLS}/{number}/mergeability/checks") if one["result"] == "FAILED"]
    assert [(one["type"], one["reason"]) for one in failed] == [("standard_merge_check", "2 approvals are missing")]


def test_the_error_for_a_missing_read_scope_names_it(bitbucket_emulator: BitbucketEmulator, call: Call) -> None:
    bitbucket_emulator.control(
        "POST",
        "credentials",
        {"kind": "workspace_access_token", "secret": "poor", "workspace": "acme", "scopes": ["read:repository:bitbucket"]},
    )
    refused = call(PULLS, token="poor")
    assert refused.status_code == 403
    assert refused.json()["error"]["detail"]["required"] == ["read:pullrequest:bitbucket"]
