"""Numbers of pipelines, each computed by hand beside the code's answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_bitbucket.datasets import pipeline_steps
from airflow_provider_bitbucket.datasets.pipelines import SCHEMA
from airflow_provider_bitbucket.metrics.pipelines import flakiness, pipeline_times, summarize, time_to_fix
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import frame_of, run_pipelines

MORNING = datetime(2026, 10, 1, 8, tzinfo=UTC)  # a Thursday
ENDS = ("SUCCESSFUL", "FAILED", "ERROR", "STOPPED", "EXPIRED")
RUNNING = ("PENDING", "RUNNING", "PAUSED", "HALTED")


def at(minutes: float | None) -> datetime | None:
    return None if minutes is None else MORNING + timedelta(minutes=minutes)


def pipeline(
    number: int = 1, status: str = "SUCCESSFUL", start: float = 0, end: float | None = 10, **more: Any
) -> dict[str, Any]:
    """A row by the minutes at which it started and ended."""
    return {
        "repository": "acme/api",
        "build_number": number,
        "run_number": 1,
        "status": status,
        "is_completed": status in ENDS or status == "UNKNOWN",
        "ref_type": "branch",
        "ref_name": "main",
        "commit": "a" * 40,
        "selector_type": "default",
        "created_on": at(start),
        "completed_on": at(end),
        **more,
    }


def step(
    number: int, started: float | None, completed: float | None = 99, trigger: str | None = "automatic", run: int = 1
) -> dict[str, Any]:
    return {
        "run_number": run,
        "repository": "acme/api",
        "build_number": number,
        "started_on": at(started),
        "completed_on": at(completed),
        "trigger": trigger,
    }


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return SCHEMA.frame(rows)


def summary(*rows: dict[str, Any], **options: Any) -> Any:
    found = summarize(pipeline_times(frame(*rows)), **options)
    assert len(found) == 1
    return found.iloc[0]


def listed(values: Any) -> list[Any]:
    return [None if pd.isna(value) else value for value in values]


def test_the_success_rate_by_hand():
    """6 successful, 2 failed, 1 error, 3 stopped, 1 expired, 2 not over: 6 / (6 + 2 + 1)."""
    ends = {"SUCCESSFUL": 6, "FAILED": 2, "ERROR": 1, "STOPPED": 3, "EXPIRED": 1, "PAUSED": 1, "RUNNING": 1}
    row = summary(*[pipeline(status=status) for status, count in ends.items() for _ in range(count)])
    assert row["success_rate"] == pytest.approx(6 / 9)
    assert [row[end.lower()] for end in ENDS] == [6, 2, 1, 3, 1]
    assert (row["pipelines"], row["success_rate_count"]) == (13, 9)


def test_a_result_that_is_newer_than_this_provider_is_neither_success_nor_failure():
    row = summary(pipeline(status="UNKNOWN"), pipeline(status="STOPPED"))
    assert (row["pipelines"], row.isna()["success_rate"]) == (2, True)


def test_durations_by_hand():
    """1, 2, 3, 4 and 10 minutes: the median is 3; the 95th percentile at position 0.95 * 4 = 3.8 is 4 + 0.8 * 6 = 8.8."""
    rows = [pipeline(duration_seconds=60 * minutes, wall_seconds=90 * minutes) for minutes in (1, 2, 3, 4, 10)]
    row = summary(*rows, pipeline(), pipeline(status="RUNNING", duration_seconds=9999))
    assert (row["duration_count"], row["duration_p50_seconds"]) == (5, 180)
    assert row["duration_p95_seconds"] == pytest.approx(8.8 * 60)
    assert row["wall_p50_seconds"] == 270
    assert (row["queue_count"], row.isna()["queue_p50_seconds"]) == (0, True)


def test_build_minutes_by_hand():
    """90 s, 30 s and null: 2 minutes, whatever the result."""
    rows = [pipeline(build_seconds=90), pipeline(status="FAILED", build_seconds=30), pipeline()]
    assert summary(*rows)["build_minutes"] == 2


def test_the_queue_ends_when_the_first_step_begins_by_hand():
    """Started at 0, 5, 10, ... minutes; the steps of the first begin after 2 and 7 minutes."""
    rows = [pipeline(number, start=5 * (number - 1)) for number in range(1, 7)]
    steps = [
        *(step(1, 7), step(1, 2)),
        step(2, None, None),  # not begun
        *(step(3, 11, trigger="manual"), step(3, 13)),  # a person's wait
        step(4, 16, 16),  # stopped before it began
        step(5, 19.9),  # 0.1 minutes before its pipeline: clocks differ
    ]
    times = pipeline_times(frame(*rows), pipeline_steps.SCHEMA.frame(steps))
    assert listed(times["queue_seconds"]) == [120, None, None, None, 0, None]
    assert list(times["build_number"]) == [1, 2, 3, 4, 5, 6]
    row = summarize(times).iloc[0]
    assert (row["queue_count"], row["queue_p50_seconds"]) == (2, 60)


def test_the_days_before_a_rerun_are_not_waiting():
    """Each 2 days later: a pipeline, with its only step; one whose first step alone says so; and one that was not."""
    late = 2 * 24 * 60
    rows = [pipeline(number, end=late + 10, wall_seconds=late * 60.0, run_number=run) for number, run in enumerate((2, 1, 1), 1)]
    steps = pipeline_steps.SCHEMA.frame([step(1, late, late + 10, run=2), step(2, late, late + 10, run=2), step(3, 1)])
    times = pipeline_times(frame(*rows), steps)
    assert listed(times["queue_seconds"]) == [None, None, 60]
    assert listed(times["wall_seconds"]) == [None, late * 60, late * 60]
    assert listed(pipeline_times(frame(*rows))["wall_seconds"]) == [None, late * 60, late * 60]


def test_a_week_is_that_of_the_end():
    """Started on Sunday 23:00 and over on Monday 1:00 UTC."""
    row = {**pipeline(), "created_on": "2026-10-04T23:00:00Z", "completed_on": "2026-10-05T01:00:00Z"}
    assert summary(row)["week"] == pd.Timestamp("2026-10-05", tz="UTC")


def test_a_summary_can_be_by_other_columns_or_over_all():
    rows = [pipeline(ref_name=name) for name in ("main", "main", "x", None)]
    times = pipeline_times(frame(*rows))
    by_branch = summarize(times, by=["ref_name"])
    assert listed(by_branch["ref_name"]) == ["main", "x", None]
    assert list(by_branch["pipelines"]) == [2, 1, 1]
    assert summary(*rows, by=())["pipelines"] == 4
    with pytest.raises(ValueError, match="Cannot summarize by team; expected some of week, month, repository"):
        summarize(times, by=["team"])


def test_the_time_to_fix_main_by_hand():
    """Failed until 20, again until 35, mended at 50: 30 minutes. Failed until 80: still broken."""
    rows = [
        pipeline(1, "SUCCESSFUL", 0, 10),
        pipeline(2, "FAILED", 10, 20),
        pipeline(3, "STOPPED", 20, 25),
        pipeline(4, "ERROR", 30, 35),
        pipeline(5, "SUCCESSFUL", 40, 50),
        pipeline(6, "SUCCESSFUL", 60, 65),
        pipeline(7, "FAILED", 70, 80),
        pipeline(8, "PAUSED", 85, None),
    ]
    found = time_to_fix(frame(*reversed(rows)))
    assert list(found["broken_by"]) == [2, 7]
    assert list(found["broken_on"]) == [at(20), at(80)]
    assert list(found["failures"]) == [2, 1]
    assert listed(found["fixed_by"]) == [5, None]
    assert listed(found["fixed_on"]) == [at(50), None]
    assert listed(found["fix_seconds"]) == [30 * 60, None]


def test_only_the_same_part_of_the_definition_on_the_same_branch_mends():
    nightly = {"selector_type": "custom", "selector_pattern": "nightly"}
    rows = [
        pipeline(1, "FAILED", 0, 10, **nightly),
        pipeline(2, "SUCCESSFUL", 20, 30),
        pipeline(3, "SUCCESSFUL", 30, 40, **nightly, ref_name="feature/x"),
        pipeline(4, "SUCCESSFUL", 30, 40, **nightly, repository="acme/web"),
        pipeline(5, "SUCCESSFUL", 60, 70, **nightly),
    ]
    found = time_to_fix(frame(*rows))
    assert (listed(found["fixed_by"]), listed(found["fix_seconds"])) == ([5], [3600])


@pytest.mark.parametrize("unread", [{"selector_type": None}, {"selector_type": "default"}], ids=["null", "default"])
def test_a_definition_that_could_not_be_read_is_mended_by_the_next_push(unread: dict[str, Any]):
    """Bitbucket does not know which part a push runs before it has read the definition."""
    pushed = {"selector_type": "branches", "selector_pattern": "main"}
    rows = [
        pipeline(1, "SUCCESSFUL", 0, 10, **pushed),
        pipeline(2, "ERROR", 20, 30, **unread),
        pipeline(3, "SUCCESSFUL", 25, 35, selector_type="custom", selector_pattern="nightly"),
        pipeline(4, "SUCCESSFUL", 80, 90, **pushed),
        pipeline(5, "ERROR", 100, 110, **unread),
        pipeline(6, "SUCCESSFUL", 160, 170, **pushed),
    ]
    found = time_to_fix(frame(*rows))
    assert (listed(found["fixed_by"]), listed(found["fix_seconds"])) == ([4, 6], [3600, 3600])


def test_other_branches_and_pull_requests_do_not_break_main():
    rows = [
        pipeline(1, "FAILED", ref_name="feature/x"),
        pipeline(2, "FAILED", ref_type=None),
        pipeline(3, "FAILED", ref_name=None),
    ]
    assert time_to_fix(frame(*rows)).empty
    assert list(time_to_fix(frame(*rows), branches=["feature/x"])["broken_by"]) == [1]


def test_a_newer_commit_that_was_over_sooner_mends_at_once():
    rows = [pipeline(1, "FAILED", 0, 30), pipeline(2, "SUCCESSFUL", 5, 10)]
    assert listed(time_to_fix(frame(*rows))["fix_seconds"]) == [0]


def test_flakiness_by_hand():
    """Four commits: one failed and then passed, one passed and then failed, one failed twice, one was in error and passed."""
    stories = {"a": ("FAILED", "STOPPED", "SUCCESSFUL"), "b": ("SUCCESSFUL", "FAILED"), "c": ("FAILED", "FAILED")}
    stories |= {"d": ("ERROR", "SUCCESSFUL"), "e": ("STOPPED",)}
    runs = [(commit, status) for commit, ends in stories.items() for status in ends]
    rows = [pipeline(number, status, start=number, commit=commit * 40) for number, (commit, status) in enumerate(runs, 1)]
    row = flakiness(frame(*reversed(rows))).iloc[0]
    assert (row["commits"], row["flaky"], row["passed_on_rerun"]) == (4, 1, 0)
    assert row["flakiness"] == 0.25


def test_a_commit_is_flaky_in_the_period_of_its_first_pipeline_also_when_it_passes_later():
    rows = [pipeline(1, "FAILED", 0), pipeline(2, "SUCCESSFUL", 100), pipeline(3, "SUCCESSFUL", 60, commit="b" * 40)]
    first, second = (flakiness(frame(*rows), (), at(hour * 60), at(hour * 60 + 60)) for hour in (0, 1))
    assert first[["commits", "flaky"]].to_numpy().tolist() == [[1, 1]]
    assert second[["commits", "flaky"]].to_numpy().tolist() == [[1, 0]]


def test_the_same_commit_in_another_part_of_the_definition_is_counted_by_itself():
    custom = {"selector_type": "custom", "selector_pattern": "nightly"}
    rows = [pipeline(1, "FAILED"), pipeline(2, "SUCCESSFUL", 5, **custom), pipeline(3, "SUCCESSFUL", 6, run_number=2, **custom)]
    found = flakiness(frame(*rows)).set_index("selector_type")
    assert list(found["commits"]) == [1, 1]
    assert found["flaky"].sum() == 0
    assert found.loc["custom", "passed_on_rerun"] == 1
    assert flakiness(frame(*rows), by=())["commits"].tolist() == [2]
    assert flakiness(frame(*rows), by=["week"])["week"].tolist() == [pd.Timestamp("2026-09-28", tz="UTC")]


def test_no_pipelines_give_frames_with_the_same_columns_and_dtypes():
    rows = frame(pipeline(1, "FAILED"), pipeline(2, "SUCCESSFUL", 5))
    steps = pipeline_steps.SCHEMA.frame([step(1, 2)])
    for measure in (
        pipeline_times,
        lambda some: pipeline_times(some, steps),
        lambda some: summarize(pipeline_times(some)),
        lambda some: summarize(pipeline_times(some), ()),
        time_to_fix,
        flakiness,
    ):
        some, none = measure(rows), measure(SCHEMA.empty())
        assert len(some)
        assert none.empty
        assert none.dtypes.to_dict() == some.dtypes.to_dict()
    assert pipeline_times(rows, pipeline_steps.SCHEMA.empty())["queue_seconds"].isna().all()


rows = st.builds(
    pipeline,
    st.integers(1, 50),
    st.sampled_from([*ENDS, *RUNNING, "UNKNOWN"]),
    st.integers(0, 100),
    st.none() | st.integers(0, 200),
    repository=st.sampled_from(["acme/api", "acme/web"]),
    ref_name=st.sampled_from([None, "main", "x"]),
    commit=st.sampled_from([None, "a" * 40, "b" * 40]),
    selector_type=st.sampled_from([None, "default"]),
    duration_seconds=st.none() | st.integers(0, 900),
    build_seconds=st.none() | st.integers(0, 900),
)


@settings(deadline=None, max_examples=30)
@given(st.lists(rows, max_size=12))
def test_whatever_the_rows_nothing_is_negative_and_nothing_is_counted_twice(given: list[dict[str, Any]]):
    pipelines = frame(*given)
    found = summarize(pipeline_times(pipelines))
    assert found["pipelines"].sum() == sum(row["is_completed"] for row in given)
    assert found["success_rate"].dropna().between(0, 1).all()
    breaks = time_to_fix(pipelines)
    failed = sum(row["status"] in ("FAILED", "ERROR") and row["ref_name"] == "main" for row in given)
    assert breaks["failures"].sum() == failed
    assert (breaks["fix_seconds"].dropna() >= 0).all()
    assert flakiness(pipelines)["flakiness"].between(0, 1).all()


def test_from_bitbucket_to_the_numbers_without_a_step_by_hand(bitbucket_emulator: BitbucketEmulator):
    """10 s in the queue each; failed after 30 s of work, mended an hour later after 20 s, and once stopped in the queue."""
    fails = {"steps": [{"name": "Test", "seconds": 30, "result": "FAILED"}]}
    run_pipelines(bitbucket_emulator, fails, {}, {})
    run_pipelines(bitbucket_emulator, {}, seconds=3)
    bitbucket_emulator.control("POST", "pipelines/acme/api/4/finish", {"result": "STOPPED"})
    pipelines, steps = (frame_of(bitbucket_emulator, name) for name in ("pipelines", "pipeline_steps"))
    row = summarize(pipeline_times(pipelines, steps)).iloc[0]
    assert (row["success_rate"], row["stopped"]) == (pytest.approx(2 / 3), 1)
    assert (row["duration_p50_seconds"], row["queue_count"], row["queue_p50_seconds"]) == (20, 3, 10)
    assert row["build_minutes"] == pytest.approx(70 / 60)
    assert listed(time_to_fix(pipelines)["fix_seconds"]) == [3590]
    assert flakiness(pipelines)[["commits", "flaky"]].to_numpy().tolist() == [[1, 1]]


def test_the_example_in_the_docs_by_hand():
    """By the hour from 8:00, each for 4 minutes; the last one is paused."""
    ends = [("a", "SUCCESSFUL"), ("b", "FAILED"), ("b", "FAILED"), ("b", "SUCCESSFUL"), ("c", "STOPPED"), ("c", "SUCCESSFUL")]
    rows = [
        pipeline(number + 1, status, 60 * number, 60 * number + 4, commit=commit * 40)
        for number, (commit, status) in enumerate(ends)
    ]
    rows.append(pipeline(7, "PAUSED", 360, None, commit="d" * 40))
    assert summary(*rows)["success_rate"] == pytest.approx(0.6)
    assert listed(time_to_fix(frame(*rows))["fix_seconds"]) == [2 * 3600]
    assert flakiness(frame(*rows))["flakiness"].tolist() == [pytest.approx(1 / 3)]
