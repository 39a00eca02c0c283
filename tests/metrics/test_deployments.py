"""DORA's four, each computed by hand beside the code's answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_bitbucket.datasets import commits, deployments
from airflow_provider_bitbucket.metrics.changes import changes
from airflow_provider_bitbucket.metrics.deployments import deployment_frequency, deployment_outcomes, summarize
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import deploy, frame_of

HOUR = 3600.0
MONDAY = datetime(2026, 10, 5, 8, tzinfo=UTC)
NAMES = ("a", "b", "c", "d", "e", "m")


def at(hours: float | None) -> datetime | None:
    return None if hours is None else MONDAY + timedelta(hours=hours)


def sha(name: str | None) -> str | None:
    return None if name is None else name * 40


def commit(name: str, hours: float | None, *parents: str, **more: Any) -> dict[str, Any]:
    """A commit by the hour of its author date."""
    return {
        "repository": "acme/api",
        "hash": sha(name),
        "date": at(hours),
        "author": "Alex",
        "parents": len(parents),
        "parent_hashes": " ".join(parent * 40 for parent in parents) or None,
        **more,
    }


def deployment(
    number: int, name: str | None, hours: float | None, outcome: str | None = "SUCCESSFUL", **more: Any
) -> dict[str, Any]:
    """A production deployment of a commit by the hour of its end."""
    return {
        "repository": "acme/api",
        "id": f"{{{number}}}",
        "build_number": number,
        "environment_id": "{eu}",
        "environment": "Production",
        "environment_type": "Production",
        "state": "COMPLETED",
        "outcome": outcome,
        "completed_on": at(hours),
        "commit": sha(name),
        **more,
    }


def committed(*rows: dict[str, Any]) -> pd.DataFrame:
    return commits.SCHEMA.frame(rows)


def deployed(*rows: dict[str, Any]) -> pd.DataFrame:
    return deployments.SCHEMA.frame(rows)


def listed(values: Any) -> list[Any]:
    return [None if pd.isna(value) else value for value in values]


def failures(*rows: dict[str, Any], **options: Any) -> dict[int, tuple[str, float | None]]:
    """Build number -> kind of its failure, hours to its recovery."""
    found = deployment_outcomes(deployed(*rows), **options)
    found = found[found["is_failure"].astype(bool)]
    return {
        int(row["build_number"]): (
            row["failure_kind"],
            None if pd.isna(row["recovery_seconds"]) else row["recovery_seconds"] / HOUR,
        )
        for _, row in found.iterrows()
    }


LINE = committed(
    commit("a", -100),
    commit("b", 0, "a"),
    commit("c", 2, "a"),  # on a branch
    commit("m", 5, "b", "c"),  # merged
    commit("d", 30, "m"),
)


def test_the_lead_time_by_hand():
    """b at 0 h and c at 2 h are merged and deployed at 6 h; d at 30 h is deployed at 31 h; a was there first."""
    rows = [deployment(1, "a", -1), deployment(2, "m", 6), deployment(3, "d", 31)]
    found = changes(LINE, deployed(*rows)).sort_values("hash").set_index("hash")
    assert list(found.index) == [sha(name) for name in ("b", "c", "d", "m")]
    assert listed(found["lead_time_seconds"] / HOUR) == [6, 4, 1, None]  # the merge is no change of its own
    assert list(found["build_number"]) == [2, 2, 3, 2]
    assert list(found["is_merge"]) == [False, False, False, True]
    row = summarize(deployment_outcomes(deployed(*rows)), changes(LINE, deployed(*rows)), by=()).iloc[0]
    assert (row["changes"], row["lead_time_count"]) == (3, 3)
    assert row["lead_time_median_seconds"] == 4 * HOUR
    assert row["lead_time_p90_seconds"] == pytest.approx((4 + 0.8 * 2) * HOUR)  # of 1, 4, 6: position 0.9 * 2 = 1.8


def test_a_commit_is_in_production_with_the_deployment_that_leads_back_to_it_not_with_the_next_in_time():
    """A hotfix from the old line goes out at 10 h; b, committed before, is not in it and goes out at 20 h."""
    line = committed(commit("a", -100), commit("b", 0, "a"), commit("c", 9, "a"), commit("m", 15, "b", "c"))
    found = changes(line, deployed(deployment(1, "a", -1), deployment(2, "c", 10), deployment(3, "m", 20))).set_index("hash")
    assert found["lead_time_seconds"].dropna().div(HOUR).to_dict() == {sha("c"): 1, sha("b"): 20}


def test_only_a_successful_production_deployment_brings_anything_and_each_commit_comes_once():
    rows = [
        deployment(1, "a", -1),
        deployment(2, "d", 32, environment_type="Test"),
        deployment(3, "d", 33, environment_type=None),
        deployment(4, "d", 34, "FAILED"),
        deployment(5, "d", 35, "STOPPED"),
        deployment(6, "d", None, None, state="UNDEPLOYED"),
        deployment(7, "d", 40, environment_id="{us}"),
        deployment(8, "d", 50),
        deployment(9, None, 60),
    ]
    found = changes(LINE, deployed(*reversed(rows)))
    assert set(found["build_number"]) == {7}
    assert len(found) == 4


def test_commits_that_are_not_known_or_younger_than_their_deployment_have_no_lead_time():
    line = committed(commit("a", -100), commit("b", 50, "a"), commit("c", None, "b", "e"))
    found = changes(line, deployed(deployment(1, "a", 0), deployment(2, "c", 10), deployment(3, "d", 20))).set_index("hash")
    assert listed(found["lead_time_seconds"]) == [None, None]
    assert changes(line, deployed(deployment(1, "a", 0, repository="acme/web"))).empty


def test_short_hashes_are_enough():
    rows = [deployment(1, "a", -1), deployment(2, "m", 6, commit="m" * 12)]
    assert len(changes(LINE, deployed(*rows))) == 3


def test_deployments_and_failures_of_a_week_by_hand():
    """Monday: two successful, one failed; Wednesday: one successful; one stopped. 3 on 2 days, 1 / (3 + 1) failed."""
    rows = [deployment(1, "a", 0), deployment(2, "b", 1, "FAILED"), deployment(3, "c", 3), deployment(4, "d", 50)]
    rows.append(deployment(5, "e", 51, "STOPPED"))
    found = summarize(deployment_outcomes(deployed(*rows)))
    assert len(found) == 1
    row = found.iloc[0]
    assert (row["repository"], row["week"]) == ("acme/api", pd.Timestamp("2026-10-05", tz="UTC"))
    assert (row["deployments"], row["deployment_days"], row["failures"]) == (3, 2, 1)
    assert (row["change_failure_rate_count"], row["change_failure_rate"]) == (4, 0.25)
    assert (row["recovery_count"], row["recovery_median_seconds"]) == (1, 2 * HOUR)  # failed at 1 h, mended at 3 h
    assert (row["changes"], row["lead_time_count"], row["failure_source"]) == (0, 0, "proxy")
    assert summarize(deployment_outcomes(deployed(*rows)), by=["month"])["month"].tolist() == [
        pd.Timestamp("2026-10-01", tz="UTC")
    ]
    with pytest.raises(ValueError, match="Cannot summarize by team"):
        summarize(deployment_outcomes(deployed(*rows)), by=["team"])


def test_failures_in_a_row_are_one_bad_day():
    """Failed at 1, 2 and 4 h, mended at 6 h: 5 hours, once. Failed at 9 h: still broken."""
    rows = [
        deployment(1, "a", 0),
        deployment(2, "b", 1, "FAILED"),
        deployment(3, "b", 2, "FAILED"),
        deployment(4, "c", 4, "FAILED"),
    ]
    rows += [deployment(5, "c", 6), deployment(6, "d", 9, "FAILED")]
    assert failures(*rows) == {2: ("failed", 5), 3: ("failed", None), 4: ("failed", None), 6: ("failed", None)}


def test_a_rollback_is_a_failure_of_what_was_rolled_back():
    """a, then b, then a again: b was rolled back after 3 h. b once more is the way forward, and so is b again."""
    rows = [deployment(1, "a", 0), deployment(2, "b", 1), deployment(3, "a", 4), deployment(4, "b", 5), deployment(5, "b", 6)]
    assert failures(*rows) == {2: ("rolled_back", 3)}


def test_another_environment_neither_mends_nor_rolls_back():
    us = {"environment_id": "{us}"}
    rows = [deployment(1, "a", 0), deployment(2, "b", 1), deployment(3, "a", 2, **us), deployment(4, "b", 3, "FAILED", **us)]
    assert failures(*rows, deployment(5, "c", 4)) == {4: ("failed", None)}


def test_with_incidents_a_failure_is_a_deployment_after_which_one_began():
    """Deployed at 0, 10, 20 (failed) and 30 h. Incidents from 11 to 12 h, 19 to 25 h, since 31 h, and one before all."""
    rows = [deployment(1, "a", 0), deployment(2, "b", 10), deployment(3, "c", 20, "FAILED"), deployment(4, "c", 30)]
    incidents = pd.DataFrame(
        [(at(11), at(12)), (at(19), at(25)), (at(31), None), (at(-5), at(-4)), (None, None)],
        columns=["created_on", "resolved_on"],
    ).assign(repository="acme/api")
    assert failures(*rows, incidents=incidents) == {2: ("incident", 15), 4: ("incident", None)}
    row = summarize(deployment_outcomes(deployed(*rows), incidents), by=()).iloc[0]
    assert (row["deployments"], row["failures"], row["failure_source"]) == (3, 2, "incidents")
    assert row["change_failure_rate"] == pytest.approx(2 / 3)  # the one that failed did not reach users
    elsewhere = incidents.assign(repository="acme/web")
    assert failures(*rows, incidents=elsewhere) == {}
    assert failures(*rows, incidents=incidents.iloc[:0]) == {}


def test_the_frequency_counts_days_and_weeks_without_by_hand():
    """Week 1: Monday twice and Tuesday; week 2: none; week 3: Monday twice. Days 2, 0, 1: median 1; 5 / 3 a week."""
    rows = [deployment(1, "a", 0), deployment(2, "b", 1), deployment(3, "c", 24), deployment(4, "d", 14 * 24)]
    rows += [deployment(5, "e", 8 * 24, "FAILED"), deployment(6, "e", 14 * 24 + 1)]
    row = deployment_frequency(deployed(*rows)).iloc[0]
    assert (row["repository"], row["weeks"], row["deployments"], row["weeks_with_deployment"]) == ("acme/api", 3, 5, 2)
    assert (row["deployments_per_week"], row["days_per_week_median"]) == (pytest.approx(5 / 3), 1)


@pytest.mark.parametrize(
    ("since", "until", "weeks", "count"),
    [
        ("2026-10-05", "2026-10-19", 2, 3),
        ("2026-10-05T00:00:01", "2026-10-26", 2, 1),  # begun too late for its first week
        ("2026-10-05", "2026-10-18T23:59", 1, 3),
        ("2026-09-28", "2026-11-02", 5, 4),
        ("2026-11-02", "2026-11-16", 2, 0),
    ],
)
def test_only_whole_weeks_count(since: str, until: str, weeks: int, count: int):
    rows = [deployment(1, "a", 0), deployment(2, "b", 1), deployment(3, "c", 24), deployment(4, "d", 14 * 24)]
    bounds = {"since": pd.Timestamp(since, tz="UTC"), "until": pd.Timestamp(until, tz="UTC")}
    row = deployment_frequency(deployed(*rows), **bounds).iloc[0]
    assert (row["weeks"], row["deployments"]) == (weeks, count)


@pytest.mark.parametrize("column", ["month", "week", "creator"])
def test_the_frequency_by_something_that_its_weeks_are_not_of_is_refused(column: str):
    with pytest.raises(ValueError, match=rf"summarize by {column}; expected some of repository, environment; .* metric dora"):
        deployment_frequency(deployed(deployment(1, "a", 0)), by=["repository", column])


def test_the_frequency_can_be_by_environment_or_over_all():
    rows = [deployment(1, "a", 0), deployment(2, "b", 1, environment="US"), deployment(3, "b", 2, repository="acme/web")]
    assert deployment_frequency(deployed(*rows), by=["environment"])["deployments"].tolist() == [2, 1]
    assert deployment_frequency(deployed(*rows), by=())["deployments"].tolist() == [3]


def test_no_deployments_give_frames_with_the_same_columns_and_dtypes():
    some, none = deployed(deployment(1, "a", 0), deployment(2, "d", 40)), deployments.SCHEMA.empty()
    no_commits = commits.SCHEMA.empty()
    for measure in (
        lambda frame: changes(LINE, frame),
        deployment_outcomes,
        lambda frame: summarize(deployment_outcomes(frame)),
        lambda frame: summarize(deployment_outcomes(frame), changes(LINE, frame)),
        lambda frame: summarize(deployment_outcomes(frame), by=()),
        deployment_frequency,
        lambda frame: deployment_frequency(frame, since=at(-8), until=at(1000)),
    ):
        full, empty = measure(some), measure(none)
        assert len(full)
        assert empty.empty
        assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert changes(no_commits, some).dtypes.to_dict() == changes(LINE, some).dtypes.to_dict()


names = st.none() | st.sampled_from(NAMES)
some_commits = st.lists(
    st.builds(commit, st.sampled_from(NAMES), st.none() | st.integers(-50, 50), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    max_size=6,
)
some_deployments = st.lists(
    st.builds(
        deployment,
        st.integers(1, 99),
        names,
        st.none() | st.integers(-50, 500),
        st.sampled_from([None, "SUCCESSFUL", "FAILED", "STOPPED", "SO_SO"]),
        environment_id=st.sampled_from([None, "{eu}", "{us}"]),
        environment_type=st.sampled_from([None, "Production", "Test"]),
        repository=st.sampled_from(["acme/api", "acme/web"]),
    ),
    max_size=8,
    unique_by=lambda row: row["id"],
)


@settings(deadline=None, max_examples=40)
@given(some_commits, some_deployments)
def test_whatever_the_rows_nothing_is_negative_and_nothing_is_counted_twice(
    graph: list[dict[str, Any]], releases: list[dict[str, Any]]
):
    """Commits that lead in a circle included."""
    line, frame = committed(*graph), deployed(*releases)
    brought = changes(line, frame)
    assert not brought["hash"].duplicated().any()
    assert (brought["lead_time_seconds"].dropna() >= 0).all()
    summary = summarize(deployment_outcomes(frame), brought)
    production = [row for row in releases if row["environment_type"] == "Production" and row["completed_on"]]
    assert summary["deployments"].sum() == sum(row["outcome"] == "SUCCESSFUL" for row in production)
    assert summary["change_failure_rate"].dropna().between(0, 1).all()
    assert (summary["recovery_median_seconds"].dropna() >= 0).all()
    assert deployment_frequency(frame)["deployments"].sum() == summary["deployments"].sum()


def test_the_example_in_the_docs_by_hand():
    """a last week; b Monday 8:00 and c 10:00, deployed 14:00; d Tuesday 14:00, failed 15:00, deployed 17:00."""
    rows = [deployment(1, "a", -24 * 7), deployment(2, "m", 6), deployment(3, "d", 31, "FAILED"), deployment(4, "d", 33)]
    row = summarize(deployment_outcomes(deployed(*rows)), changes(LINE, deployed(*rows))).iloc[1]
    assert (row["deployments"], row["deployment_days"], row["change_failure_rate"]) == (2, 2, pytest.approx(1 / 3))
    assert (row["lead_time_count"], row["lead_time_median_seconds"]) == (3, 4 * HOUR)
    assert row["lead_time_p90_seconds"] == pytest.approx(5.6 * HOUR)
    assert row["recovery_median_seconds"] == 2 * HOUR


def test_from_bitbucket_to_dora_without_a_step_by_hand(bitbucket_emulator: BitbucketEmulator):
    """Deployed, failed 2 minutes later, and deployed 3 minutes after that; each takes 30 s, and nothing was committed between."""
    deploy(bitbucket_emulator, seconds=120)
    deploy(bitbucket_emulator, seconds=180, result="FAILED")
    deploy(bitbucket_emulator)
    frame, line = frame_of(bitbucket_emulator, "deployments"), frame_of(bitbucket_emulator, "commits")
    row = summarize(deployment_outcomes(frame), changes(line, frame)).iloc[0]
    assert (row["deployments"], row["failures"], row["changes"]) == (2, 1, 0)
    assert row["change_failure_rate"] == pytest.approx(1 / 3)
    assert row["recovery_median_seconds"] == 180


def test_from_the_demo_to_dora(bitbucket_demo: BitbucketEmulator):
    """Three months of a company that releases every week: what is merged comes into production within days."""
    frame, line = frame_of(bitbucket_demo, "deployments"), frame_of(bitbucket_demo, "commits")
    brought = changes(line, frame)
    assert len(brought) > 50
    assert brought["committed_on"].lt(brought["deployed_on"]).all()
    months = summarize(deployment_outcomes(frame), brought, by=["month"])
    assert months["lead_time_median_seconds"].dropna().between(HOUR, 14 * 24 * HOUR).all()


def test_an_incident_may_be_a_record_with_texts_as_other_tools_export_them():
    rows = [deployment(1, "a", 0), deployment(2, "b", 10)]
    incidents = [
        {"repository": "acme/api", "created_on": "2026-10-05T09:00:00Z", "resolved_on": "2026-10-05T11:00:00+02:00", "key": "X"},
        {"repository": "acme/api", "created_on": "2026-10-05 19:00", "resolved_on": None},  # UTC where nothing is said
    ]
    assert failures(*rows, incidents=incidents) == {1: ("incident", 1), 2: ("incident", None)}
    assert failures(*rows, incidents=[]) == {}


@pytest.mark.parametrize(
    ("incidents", "sentence"),
    [
        (
            [{"repository": "acme/api", "created_on": None, "closed": None}],
            r"incidents lack resolved_on; expected records or a DataFrame with repository \(workspace/repository\), created_on "
            r"and resolved_on \(null while open\); their columns are repository, created_on, closed",
        ),
        ([{"repository": "api", "created_on": None, "resolved_on": None}], "repository of incident 0 is 'api'"),
        ([{"repository": None, "created_on": None, "resolved_on": None}], "repository of incident 0 is None"),
        ([{"repository": "acme/api", "created_on": "monday", "resolved_on": None}], "created_on of incident 0 is 'monday'"),
        ([{"repository": "acme/api", "created_on": None, "resolved_on": 1700000000}], "resolved_on of incident 0 is 1700000000"),
        ({"repository": "acme/api"}, "incidents is a dict; expected records"),
        (["acme/api"], "incidents hold 'acme/api'; expected records"),
    ],
)
def test_incidents_that_would_be_misread_are_refused_and_not_guessed(incidents: Any, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        deployment_outcomes(deployed(deployment(1, "a", 0)), incidents)
