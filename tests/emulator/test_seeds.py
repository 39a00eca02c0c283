"""The demo seed is reproducible and realistic."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.core.clock import Clock
from bitbucket_cloud_emulator.core.store import State
from bitbucket_cloud_emulator.deployments.service import visible_deployments
from bitbucket_cloud_emulator.pipelines.plan import pipeline_at
from bitbucket_cloud_emulator.pull_requests.models import Activity, PullRequest
from bitbucket_cloud_emulator.pytest_plugin import NOW
from bitbucket_cloud_emulator.seeds import plant
from tests.openapi import OpenApi

REPOSITORIES = ["api", "web", "mobile", "data-platform", "infrastructure", "docs"]


def demo(now: datetime = NOW, seed: int = 1) -> State:
    state = State(seed, Clock(now, 0))
    plant(state, "demo")
    return state


@pytest.fixture(scope="module")
def state() -> State:
    return demo()


@pytest.fixture(scope="module")
def pull_requests(state: State) -> list[PullRequest]:
    return [pr for repository in state.repositories() for pr in repository.pull_requests.values()]


def reviews_of(pr: PullRequest) -> list[Activity]:
    """Return the entries of users other than the author, without bots."""
    kinds = ("approval", "changes_requested", "comment")
    return [
        entry
        for entry in pr.activity
        if entry.kind in kinds and entry.user is not pr.author and (entry.user is None or entry.user.type == "user")
    ]


# Reproducible


def test_equal_seed_and_clock_yield_equal_responses(bitbucket_demo: BitbucketEmulator):
    paths = ("pullrequests?state=MERGED&pagelen=50", "pullrequests/activity?pagelen=50", "pipelines/?pagelen=100", "deployments/")
    with BitbucketEmulator(seed="demo", speed=0, now=NOW) as again:
        for slug, path in product(("api", "data-platform"), paths):
            one, other = (
                requests.get(f"{bitbucket.api_url}/repositories/acme/{slug}/{path}", auth=bitbucket.api_token, timeout=10).text
                for bitbucket in (bitbucket_demo, again)
            )
            assert one.replace(bitbucket_demo.url, "") == other.replace(again.url, "")


def test_another_seed_yields_another_history(state: State):
    other = demo(seed=2)
    ours, theirs = ([pr.title for pr in next(one.repositories()).pull_requests.values()] for one in (state, other))
    assert ours != theirs


@pytest.mark.parametrize("now", [datetime(2026, 1, 1, 12, 30, 15, 250, tzinfo=UTC), datetime(2027, 7, 4, 23, 59, tzinfo=UTC)])
def test_the_history_ends_at_the_start_of_the_clock(now: datetime):
    for repository in demo(now).repositories():
        dates = [entry.date for pr in repository.pull_requests.values() for entry in pr.activity]
        assert len(repository.pull_requests) > 25
        assert now - timedelta(days=7) < max(dates) <= now


def test_the_seed_is_created_in_less_than_three_seconds():
    began = time.process_time()
    demo()
    assert time.process_time() - began < 3  # CPU time, so that other processes do not fail the test


# Realistic


def test_there_are_six_repositories_and_about_four_hundred_pull_requests(state: State):
    counts = {repository.slug: len(repository.pull_requests) for repository in state.repositories()}
    assert list(counts) == REPOSITORIES
    assert 380 <= sum(counts.values()) <= 430
    assert counts["api"] == max(counts.values()) > 3 * min(counts.values()) * 0.8


def test_the_history_spans_three_months_in_chronological_order(state: State):
    for repository in state.repositories():
        opened = [pr.created_on for pr in repository.pull_requests.values()]
        started = [pipeline.created_on for pipeline in repository.pipelines]
        assert opened == sorted(opened)
        assert started == sorted(started)
        assert timedelta(days=75) < opened[-1] - opened[0] < timedelta(days=91)


def test_most_pull_requests_are_merged_some_declined_and_some_left_open(pull_requests: list[PullRequest]):
    states = Counter(pr.state for pr in pull_requests)
    assert 0.82 < states["MERGED"] / len(pull_requests) < 0.93
    assert 0.02 < states["DECLINED"] / len(pull_requests) < 0.10
    assert 10 <= states["OPEN"] <= 45
    assert 1 <= states["SUPERSEDED"] <= 8
    assert sum(bool(pr.reason) for pr in pull_requests if pr.state == "DECLINED") >= states["DECLINED"] / 2


def test_times_to_merge_are_realistic(pull_requests: list[PullRequest]):
    merged = [pr for pr in pull_requests if pr.state == "MERGED"]
    hours = sorted((pr.closed_on - pr.created_on) / timedelta(hours=1) for pr in merged if pr.closed_on)
    assert 15 < median(hours) < 80
    assert hours[len(hours) // 10] < 8
    assert hours[-1] > 24 * 10


def test_first_reviews_are_of_every_kind(pull_requests: list[PullRequest]):
    first = Counter(min(found, key=lambda entry: entry.date).kind for pr in pull_requests if (found := reviews_of(pr)))
    assert first["approval"] > 100  # an approval without a comment
    assert first["comment"] > 80
    everything = Counter(entry.kind for pr in pull_requests for entry in pr.activity)
    assert everything["changes_requested"] >= 5
    assert sum(not reviews_of(pr) for pr in pull_requests if pr.state == "MERGED") > 10  # merged without a review


def test_the_first_comment_is_often_by_a_bot(pull_requests: list[PullRequest]):
    talks = [pr for pr in pull_requests if any(entry.kind == "comment" for entry in pr.activity)]
    by_bot = [
        pr for pr in talks if (user := next(e for e in pr.activity if e.kind == "comment").user) and user.type == "app_user"
    ]
    assert 0.2 < len(by_bot) / len(talks) < 0.7


def test_some_pull_requests_are_drafts_first_and_some_are_opened_by_bots(pull_requests: list[PullRequest]):
    ready = [pr for pr in pull_requests if any("draft" in entry.payload.get("changes", {}) for entry in pr.activity)]
    assert 20 <= len(ready) <= 80
    assert 15 <= sum(pr.author is not None and pr.author.type == "app_user" for pr in pull_requests) <= 60


def test_pull_requests_of_a_deleted_user_have_no_author(state: State, pull_requests: list[PullRequest]):
    orphans = [pr for pr in pull_requests if pr.author is None]
    assert 5 <= len(orphans) <= 40
    assert len(state.workspaces["acme"].members) == 13
    known = set(state.users.values())
    for pr in pull_requests:
        assert {user for user in (pr.author, pr.closed_by, *pr.reviewers) if user} <= known
        assert {entry.user for entry in pr.activity if entry.user} <= known
    assert max(pr.created_on for pr in orphans) < NOW - timedelta(days=25)


def test_approvals_are_not_at_weekends(pull_requests: list[PullRequest]):
    # In UTC: India's Monday begins on Sunday evening, New York's Friday ends on Saturday night.
    people = [entry.date for pr in pull_requests for entry in pr.activity if entry.kind == "approval"]
    at_weekends = [date for date in people if date.weekday() == 5 and 6 <= date.hour < 22]
    assert not at_weekends


def test_titles_and_sizes_of_changes_are_realistic(pull_requests: list[PullRequest]):
    assert len({(id(pr), pr.title) for pr in pull_requests}) == len(pull_requests)
    assert all(pr.diffstat and pr.commits for pr in pull_requests)
    lines = sorted(sum(row["lines_added"] + row["lines_removed"] for row in pr.diffstat) for pr in pull_requests)
    assert 30 < median(lines) < 200
    assert lines[-1] > 800
    assert 1.5 < sum(len(pr.commits) for pr in pull_requests) / len(pull_requests) < 4


def test_the_proportion_of_failed_pipelines_is_realistic(state: State):
    results = Counter(
        pipeline_at(pipeline, NOW).result for repository in state.repositories() for pipeline in repository.pipelines
    )
    assert sum(results.values()) > 1000
    assert 0.04 < results["FAILED"] / sum(results.values()) < 0.14
    assert not state.workspaces["acme"].repositories["docs"].pipelines


def test_some_failed_builds_succeed_on_a_rerun(state: State):
    api = state.workspaces["acme"].repositories["api"]
    runs: dict[Any, list[str | None]] = {}
    for pipeline in api.pipelines:
        target = pipeline.target
        key = (target["commit"]["hash"], target["selector"]["type"], target.get("pullrequest", {}).get("id"))
        runs.setdefault(key, []).append(pipeline_at(pipeline, NOW).result)
    assert sum(found[:2] == ["FAILED", "SUCCESSFUL"] for found in runs.values()) >= 3  # flakes


@pytest.mark.parametrize("slug", ["api", "web", "data-platform"])
def test_failed_deployments_to_production_are_followed_by_successful_ones(state: State, slug: str):
    repository = state.workspaces["acme"].repositories[slug]
    by_environment: dict[str, list[str | None]] = {}
    for view in reversed(visible_deployments(repository, NOW)):
        by_environment.setdefault(view.deployment.environment.slug, []).append(view.status)
    assert sorted(by_environment) == ["production", "staging", "test"]
    production = [status for status in by_environment["production"] if status]
    assert len(production) >= 10
    assert 1 <= production.count("FAILED") <= len(production) / 4
    assert all(after == "SUCCESSFUL" for status, after in pairwise(production) if status == "FAILED")
    assert len(repository.tags) >= 8
    assert any(pr.title.startswith("Hotfix") for pr in repository.pull_requests.values())


def test_almost_all_pipelines_are_completed(state: State):
    for repository in state.repositories():
        running = [one for one in repository.pipelines if pipeline_at(one, NOW).state != "COMPLETED"]
        assert len(running) <= 3


@pytest.mark.parametrize("slug", REPOSITORIES)
def test_all_responses_of_the_demo_have_the_documented_shape(bitbucket_demo: BitbucketEmulator, slug: str):
    openapi = OpenApi.load()
    lists = ["pullrequests?state=MERGED&state=OPEN&state=DECLINED&state=SUPERSEDED", "pullrequests/activity", "pullrequests/7"]
    lists += ["commits", "refs/branches", "refs/tags", "environments/", "deployments/"]
    lists += ["pipelines/", "pipelines/7", "pipelines/7/steps"] if slug != "docs" else []
    for path in lists:
        url = f"{bitbucket_demo.api_url}/repositories/acme/{slug}/{path}"
        answer = requests.get(url, params={"pagelen": 50}, auth=bitbucket_demo.api_token, timeout=10)
        openapi.validate_response("GET", urlsplit(url).path, answer.status_code, answer.json())


# Pipelines that a user starts


@pytest.fixture(scope="module")
def playground() -> Iterator[BitbucketEmulator]:
    """A demo that tests may change; the shared one is for reading."""
    with BitbucketEmulator(seed="demo", speed=0, now=NOW) as bitbucket:
        yield bitbucket


@pytest.fixture
def run(playground: BitbucketEmulator) -> Callable[..., tuple[str, float, str]]:
    """A function that starts a pipeline on main and returns its result, duration in emulated seconds, and address."""

    def run(repository: str, custom: str | None = None) -> tuple[str, float, str]:
        base = f"{playground.api_url}/repositories/acme/{repository}/pipelines/"
        target: dict[str, Any] = {"type": "pipeline_ref_target", "ref_type": "branch", "ref_name": "main"}
        if custom:
            target["selector"] = {"type": "custom", "pattern": custom}
        made = requests.post(base, json={"target": target}, auth=playground.api_token, timeout=10).json()
        address = base + made["uuid"]
        for seconds in range(5, 120, 5):
            playground.clock(advance=5)
            state = requests.get(address, auth=playground.api_token, timeout=10).json()["state"]
            if state["name"] == "COMPLETED" or state["stage"]["name"] == "PAUSED":
                return (state.get("result") or state["stage"])["name"], seconds, address
        raise AssertionError("the pipeline is still running after two minutes")

    return run


@pytest.mark.parametrize("repository", ["api", "web", "data-platform"])
@pytest.mark.parametrize("custom", [None, "deploy-staging", "deploy-production", "nightly"])
def test_a_pipeline_started_by_a_user_is_completed_within_a_minute(
    run: Callable[..., tuple[str, float, str]], repository: str, custom: str | None
):
    result, seconds, _ = run(repository, custom)
    assert result == "SUCCESSFUL"
    assert 20 <= seconds <= 45


def test_one_pipeline_is_flaky_and_one_needs_an_approval(run: Callable[..., tuple[str, float, str]]):
    assert [run("api", "flaky-e2e")[0] for _ in range(2)] == ["FAILED", "SUCCESSFUL"]
    assert run("api", "release-with-approval")[0] == "PAUSED"


def test_log_and_test_report_explain_the_pipeline_that_always_fails(
    run: Callable[..., tuple[str, float, str]], playground: BitbucketEmulator
):
    result, _, address = run("api", "broken-migration")
    _, migrate, deploy = requests.get(f"{address}/steps", auth=playground.api_token, timeout=10).json()["values"]
    step = f"{address}/steps/{migrate['uuid']}"
    assert result == "FAILED"
    assert "NotNullViolation" in requests.get(f"{step}/log", auth=playground.api_token, timeout=10).text
    report = requests.get(f"{step}/test_reports", auth=playground.api_token, timeout=10).json()
    assert report["number_of_failed_test_cases"] == 2
    assert deploy["state"]["result"]["name"] == "NOT_RUN"


def test_the_fixture_provides_the_demo(bitbucket_demo: BitbucketEmulator):
    slugs = [repository.slug for repository in bitbucket_demo.state.repositories()]
    assert slugs == REPOSITORIES
    assert bitbucket_demo.state.workspaces["acme"].repositories["docs"].pipelines_enabled is False


def test_the_demo_without_nulls_has_no_null_author() -> None:
    with BitbucketEmulator("demo-without-nulls", speed=0, now=NOW) as bitbucket:
        api = f"{bitbucket.api_url}/repositories/acme/api"

        def rows(path: str) -> list[dict[str, Any]]:
            answer = requests.get(f"{api}/{path}", auth=bitbucket.api_token, timeout=10)
            found: list[dict[str, Any]] = answer.json()["values"]
            return found

        assert all(one["author"]["user"] for one in rows("commits?pagelen=100"))
        assert all(one["author"] for one in rows("pullrequests?state=ALL&pagelen=50"))
        assert all(one["creator"] for one in rows("pipelines?pagelen=100"))
