"""The health of repositories, each number computed by hand beside the code's answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_bitbucket.datasets import branches, commits, pull_requests, repositories
from airflow_provider_bitbucket.metrics.repositories import bus_factor, repository_health, stale_branches, stale_pull_requests
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW as TODAY
from tests.emulator_data import frame_of

DAY = 24 * 3600.0
NOW = datetime(2026, 11, 2, 8, tzinfo=UTC)


def ago(days: float | None) -> datetime | None:
    return None if days is None else NOW - timedelta(days=days)


def pull_request(number: int, updated: float | None, state: str | None = "OPEN", **more: Any) -> dict[str, Any]:
    """A pull request, opened 30 days ago, by the days since its last update."""
    times = {"created_on": ago(30), "updated_on": ago(updated), "source_repository": "acme/api"}
    return {"repository": "acme/api", "id": number, "state": state, **times, "reviewers": 0, "approvals": 0, **more}


def branch(name: str, days: float | None, commit: str | None = "a" * 40, **more: Any) -> dict[str, Any]:
    return {"repository": "acme/api", "name": name, "committed_on": ago(days), "commit": commit, **more}


def committed(counts: dict[str | None, int], **more: Any) -> list[dict[str, Any]]:
    """So many commits of each author."""
    return [
        {"repository": "acme/api", "author_id": who and f"{{{who}}}", "author": who, "date": ago(1), "parents": 1, **more}
        for who, count in counts.items()
        for _ in range(count)
    ]


MAIN = repositories.SCHEMA.frame([{"repository": "acme/api", "main_branch": "main"}])


def test_stale_pull_requests_by_hand():
    """Idle for 20, 14, 13.9 and 40 days; the last one is merged, and one has no date."""
    rows = [pull_request(1, 14), pull_request(2, 20), pull_request(3, 13.9), pull_request(4, 40, "MERGED")]
    rows += [pull_request(5, None), pull_request(6, 40, None), pull_request(7, 40, "PARKED"), pull_request(8, -1)]
    found = stale_pull_requests(pull_requests.SCHEMA.frame(rows), NOW)
    assert found["id"].tolist() == [2, 1]
    assert found["idle_seconds"].tolist() == [20 * DAY, 14 * DAY]
    assert found["open_seconds"].tolist() == [30 * DAY, 30 * DAY]
    assert stale_pull_requests(pull_requests.SCHEMA.frame(rows), NOW, days=0)["id"].tolist() == [2, 1, 3, 8]


def test_stale_branches_by_hand():
    """Idle for 100 days: one merged, one merged once and then declined, one with newer commits; and main, never stale."""
    listed = [branch(name, 100, letter * 40) for name, letter in (("main", "a"), ("done", "b"), ("given-up", "c"), ("on", "d"))]
    listed += [branch("alone", 200, None), branch("fresh", 89), branch("open", 300, "e" * 40), branch("odd", None)]
    asked = [
        pull_request(1, 99, "MERGED", source_branch="done", source_commit="b" * 12),
        pull_request(2, 99, "MERGED", source_branch="given-up", source_commit="c" * 12),
        pull_request(3, 99, "DECLINED", source_branch="given-up", source_commit="c" * 12, created_on=ago(10)),
        pull_request(4, 99, "MERGED", source_branch="on", source_commit="f" * 12),
        pull_request(5, 99, source_branch="open", source_commit="e" * 12),
        pull_request(6, 99, source_branch=None, source_commit=None),
    ]
    found = stale_branches(branches.SCHEMA.frame(listed), MAIN, pull_requests.SCHEMA.frame(asked), NOW)
    states = dict(zip(found["name"], found["pull_request_state"].astype("string").fillna("-"), strict=True))
    assert states == {"alone": "-", "done": "MERGED", "given-up": "DECLINED", "on": "-"}
    assert found["idle_seconds"].tolist() == [200 * DAY, 100 * DAY, 100 * DAY, 100 * DAY]


def test_a_branch_of_a_fork_is_not_the_branch_of_the_same_name():
    """A fork's pull request keeps the fork's branch, and another fork's, which is gone, none."""
    listed = [branch("fix", 100), branch("fix", 100, repository="alex/api"), branch("gone", 100)]
    asked = [
        pull_request(1, 1, source_branch="fix", source_commit="a" * 12, source_repository="alex/api"),
        pull_request(2, 1, source_branch="gone", source_commit="a" * 12, source_repository=None),
        pull_request(3, 9, "MERGED", source_branch="fix", source_commit="a" * 12, source_repository="dana/api"),
    ]
    found = stale_branches(branches.SCHEMA.frame(listed), MAIN, pull_requests.SCHEMA.frame(asked), NOW)
    assert found[["repository", "name"]].to_numpy().tolist() == [["acme/api", "fix"], ["acme/api", "gone"]]
    assert found["pull_request_state"].isna().all()


def test_the_bus_factor_of_chaoss_by_hand():
    """2475 commits; 1000 are less than half of them, 1000 + 433 are more: 2 people. The example of CHAOSS."""
    counts = [1000, 202, 90, 33, 332, 343, 42, 433]
    row = bus_factor(commits.SCHEMA.frame(committed({f"person {number}": count for number, count in enumerate(counts)}))).iloc[0]
    assert (row["commits"], row["people"], row["bus_factor"], row["top_author"]) == (2475, 8, 2, "person 0")
    assert row["top_share"] == pytest.approx(1000 / 2475)


@pytest.mark.parametrize(("counts", "people"), [((1,), 1), ((5, 5), 1), ((4, 3, 3), 2), ((1, 1, 1, 1), 2), ((1, 1, 1), 2)])
def test_half_is_enough_for_the_bus_factor(counts: tuple[int, ...], people: int):
    rows = committed({f"person {number}": count for number, count in enumerate(counts)})
    assert bus_factor(commits.SCHEMA.frame(rows))["bus_factor"].tolist() == [people]


def test_merges_and_machines_are_not_in_the_bus_factor():
    rows = (
        committed({"Alex": 2})
        + committed({"Robin": 9}, parents=2)
        + committed({"renovate": 9}, author_is_bot=True)
        + committed({None: 5})
    )
    rows += committed({"Ghost <ghost@example.com>": 3}, author_id=None)
    found = bus_factor(commits.SCHEMA.frame(rows)).iloc[0]
    assert (found["commits"], found["people"], found["top_author"]) == (5, 2, "Ghost <ghost@example.com>")
    assert bus_factor(commits.SCHEMA.frame(rows), by=["month"])["commits"].tolist() == [5]
    with pytest.raises(ValueError, match="Cannot summarize by team"):
        bus_factor(commits.SCHEMA.frame(rows), by=["team"])


def test_a_repository_is_a_row_also_when_there_is_nothing_in_it():
    known = repositories.SCHEMA.frame([{"repository": f"acme/{name}", "main_branch": name} for name in ("web", "api")])
    asked = [
        pull_request(1, 20),
        pull_request(2, 1, created_on=ago(10), reviewers=1),
        pull_request(3, 20, "MERGED", source_branch="old", source_commit="a" * 12),
    ]
    listed = [branch("api", 500), branch("old", 91), branch("new", 1)]
    found = repository_health(
        known,
        pull_requests.SCHEMA.frame(asked),
        branches.SCHEMA.frame(listed),
        commits.SCHEMA.frame(committed({"Alex": 3, "Robin": 1})),
        NOW,
    ).set_index("repository")
    api, web = found.loc["acme/api"], found.loc["acme/web"]
    counts = ["open_pull_requests", "stale_pull_requests", "unreviewed_pull_requests", "branches", "stale_branches"]
    assert api[counts].tolist() == [2, 1, 1, 3, 1]
    assert api["open_median_seconds"] == 20 * DAY  # of 30 and 10 days
    assert (api["merged_branches"], api["commits"], api["people"], api["bus_factor"]) == (1, 4, 2, 1)
    assert (api["last_commit_on"], api["top_author"], api["top_share"]) == (ago(1), "Alex", 0.75)
    assert web[[*counts, "merged_branches", "commits", "people"]].tolist() == [0] * 8
    assert web[["open_median_seconds", "last_commit_on", "bus_factor", "top_author", "top_share"]].isna().all()


def test_an_idle_repository_reports_its_last_commit_though_it_is_older_than_the_period():
    none = commits.SCHEMA.frame([])
    found = repository_health(MAIN, pull_requests.SCHEMA.frame([]), branches.SCHEMA.frame([branch("main", 200)]), none, NOW)
    assert (list(found["last_commit_on"]), list(found["commits"])) == ([ago(200)], [0])


def test_nothing_gives_frames_with_the_same_columns_and_dtypes():
    some = (
        MAIN,
        pull_requests.SCHEMA.frame([pull_request(1, 20)]),
        branches.SCHEMA.frame([branch("old", 100)]),
        commits.SCHEMA.frame(committed({"Alex": 1})),
    )
    none = tuple(module.SCHEMA.empty() for module in (repositories, pull_requests, branches, commits))
    for measure in (
        lambda known, asked, listed, written: stale_pull_requests(asked, NOW),
        lambda known, asked, listed, written: stale_branches(listed, known, asked, NOW),
        lambda known, asked, listed, written: bus_factor(written),
        lambda known, asked, listed, written: bus_factor(written, by=()),
        lambda known, asked, listed, written: repository_health(known, asked, listed, written, NOW),
    ):
        full, empty = measure(*some), measure(*none)
        assert len(full) == 1
        assert empty.empty
        assert empty.dtypes.to_dict() == full.dtypes.to_dict()


people = st.lists(st.tuples(st.sampled_from([None, "Alex", "Robin", "Dana"]), st.integers(0, 9)), max_size=4)


@settings(deadline=None, max_examples=30)
@given(people, st.lists(st.none() | st.integers(-5, 400), max_size=5))
def test_whatever_the_rows_nothing_is_negative(counts: list[tuple[str | None, int]], days: list[int | None]):
    written = commits.SCHEMA.frame(committed(dict(counts)))
    factor = bus_factor(written)
    assert (factor["bus_factor"] <= factor["people"]).all()
    assert factor["top_share"].between(0, 1).all()
    asked = pull_requests.SCHEMA.frame([pull_request(number, day) for number, day in enumerate(days)])
    listed = branches.SCHEMA.frame([branch(f"b{number}", day) for number, day in enumerate(days)])
    assert (stale_pull_requests(asked, NOW, days=0)["idle_seconds"] >= 0).all()
    health = repository_health(MAIN, asked, listed, written, NOW).iloc[0]
    assert health["open_pull_requests"] == health["branches"] == len(days)


def test_from_the_demo_to_its_health(bitbucket_demo: BitbucketEmulator):
    names = ("repositories", "pull_requests", "branches", "commits")
    frames = [frame_of(bitbucket_demo, name, repositories=None) for name in names]
    found = repository_health(*frames, TODAY)
    assert len(found) == 6
    assert found["bus_factor"].between(1, 14).all()
    opened = frames[1]["state"].astype("string").eq("OPEN").groupby(frames[1]["repository"]).sum()
    assert found.set_index("repository")["open_pull_requests"].to_dict() == opened.to_dict()
    pd.testing.assert_series_equal(
        found["branches"] >= found["stale_branches"], pd.Series([True] * 6), check_names=False, check_dtype=False
    )
