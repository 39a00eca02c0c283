"""``BitbucketMetricsOperator`` in a real Airflow, and the metrics by name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.metrics.catalog import METRICS, Question
from airflow_provider_bitbucket.metrics.pull_requests import pull_request_times, summarize
from airflow_provider_bitbucket.operators.metrics import BitbucketMetricsOperator
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator_data import AUTHOR, OWNER, REVIEWER, after, asked, deploy, open_pull_request, requested, run_pipelines

Run = Callable[..., Any]
WEEKS = {"since": NOW - timedelta(weeks=4), "until": NOW}


@pytest.fixture
def demo(bitbucket_demo: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """Three months of a small company, and a connection."""
    connect(connection_json(bitbucket_demo))
    bitbucket_demo.reset_requests()
    return bitbucket_demo


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """An almost empty Bitbucket, and a connection."""
    connect(connection_json(bitbucket_emulator))
    return bitbucket_emulator


def execute(metric: str, **parameters: Any) -> Any:
    return BitbucketMetricsOperator(task_id="metric", metric=metric, **parameters).execute({})


@pytest.mark.airflow
def test_the_next_task_gets_the_metric_with_its_dtypes(demo: BitbucketEmulator, run_dag: Run):
    from airflow.sdk import DAG, task

    got: list[pd.DataFrame] = []
    with DAG("metric_to_frame", schedule=None) as dag:

        @task
        def take(frame: pd.DataFrame) -> None:
            got.append(frame)

        take(BitbucketMetricsOperator(task_id="metric", metric="cycle_time", repositories="api", **WEEKS).output)
    assert str(run_dag(dag).state) == "success"
    pd.testing.assert_frame_equal(got[0], BitbucketHook().metrics.get_df("cycle_time", repositories="api", **WEEKS))
    assert got[0]["merged"].sum() > 10


@pytest.mark.airflow
def test_parameters_are_templates_and_the_metric_can_go_to_a_file(demo: BitbucketEmulator, run_task: Run, tmp_path: Path):
    done = run_task(
        BitbucketMetricsOperator,
        params={"folder": str(tmp_path), "day": "2026-10-05", "by": "month"},
        metric="dora",
        repositories=["api", "web"],
        since="{{ params.day }}",
        until="{{ params.get('until') }}",
        group_by=["repository", "{{ params.by }}"],
        output_path="file://{{ params.folder }}/dora.parquet",
    )
    assert done.state == "success", done.log
    frame = pd.read_parquet(tmp_path / "dora.parquet")
    assert done.value == {
        "path": f"file://{tmp_path}/dora.parquet",
        "metric": "dora",
        "rows": len(frame),
        "columns": list(frame.columns),
        "skipped": [],
        "incomplete": [],
    }
    assert list(frame.columns[:2]) == ["repository", "month"]
    assert frame["lead_time_median_seconds"].notna().any()
    assert [path.name for path in tmp_path.iterdir()] == ["dora.parquet"]


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_has_rows_in_the_dtypes_of_none(demo: BitbucketEmulator, metric: str):
    days = {"since": NOW - timedelta(days=4), "until": NOW}
    periods = dict.fromkeys(("cycle_time", "throughput", "pipeline_health", "test_health"), days)  # a request for every row
    periods["stale_branches"] = {"until": NOW + timedelta(days=100)}  # the demo is not old enough
    period = periods.get(metric, WEEKS)
    options: dict[str, Any] = dict.fromkeys(METRICS[metric].options, True)
    if "incidents" in options:
        options["incidents"] = []
    frame = execute(metric, repositories="api", **period, **options)
    assert len(frame), "the demo has something of everything"
    asked = Question(METRICS[metric].by or (), until=NOW)
    empty = METRICS[metric].compute(
        {read.dataset: BitbucketHook().datasets.empty_df(read.dataset) for read in METRICS[metric].reads}, asked
    )
    assert list(frame.columns) == list(empty.columns)
    known = {name: dtype for name, dtype in empty.dtypes.items() if dtype != "category"}
    assert frame.dtypes[list(known)].to_dict() == known
    if "week" in frame:
        assert frame["week"].between(pd.Timestamp("2026-09-28", tz="UTC"), pd.Timestamp(NOW)).all()


def test_cycle_time_is_that_of_the_functions(demo: BitbucketEmulator):
    frame = execute("cycle_time", repositories="api", group_by="repository", bots="Robin Reviewer")
    rows = BitbucketHook().datasets.get_df("pull_requests", repositories="api", with_activity=True, bots="Robin Reviewer")
    times = pull_request_times(rows)
    pd.testing.assert_frame_equal(frame, summarize(times[~times["author_is_bot"]], by=["repository"]))


def test_what_was_merged_in_the_period_and_commented_on_later_counts(bitbucket: BitbucketEmulator):
    """Merged after 2, 26 and 50 h; the middle one is commented on after the period, which moves its ``updated_on`` out of it."""
    for hours in (2, 26, 50):
        open_pull_request(bitbucket, (hours, "merge", OWNER), (60, "comment", REVIEWER))
    period = {"since": after(24), "until": after(48)}
    assert execute("cycle_time", group_by=[], **period)[["merged", "total_median_seconds"]].to_numpy().tolist() == [
        [1, 26 * 3600]
    ]
    assert execute("throughput", group_by=[], **period)[["opened", "merged"]].to_numpy().tolist() == [[0, 1]]


def test_a_pipeline_counts_in_the_period_in_which_it_ended(bitbucket: BitbucketEmulator):
    run_pipelines(bitbucket, *[{"steps": [{"name": "Test", "seconds": 7200}]}] * 3)  # one an hour, two hours each
    bitbucket.clock(advance=10_000)
    period = {"since": NOW + timedelta(hours=2), "until": NOW + timedelta(hours=4)}
    row = execute("pipeline_health", with_steps=True, **period).iloc[0]
    assert (row["pipelines"], row["queue_p50_seconds"]) == (2, 10)


def test_a_break_that_is_mended_in_the_next_period_is_one_of_the_period_in_which_it_began(bitbucket: BitbucketEmulator):
    """Failed after 1 h 30 s, passed 31 h after that; the period ends in between."""
    run_pipelines(bitbucket, {}, {"steps": [{"name": "Test", "seconds": 20, "result": "FAILED"}]})
    bitbucket.clock(advance=30 * 3600)
    run_pipelines(bitbucket, {})
    evening, day = NOW + timedelta(hours=12), NOW + timedelta(hours=36)
    first = execute("time_to_fix", since=NOW, until=evening)
    assert first[["broken_by", "fixed_by", "fix_seconds"]].to_numpy().tolist() == [[2, 3, 31 * 3600]]
    assert execute("time_to_fix", since=evening, until=day).empty
    flaky = [execute("flakiness", since=since, until=until) for since, until in ((NOW, evening), (evening, day))]
    assert [frame[["commits", "flaky"]].to_numpy().tolist() for frame in flaky] == [[[1, 1]], []]


@pytest.mark.parametrize("bot", ["alex.author", "Alex Author"])
def test_machines_are_left_out_of_the_bus_factor_by_any_of_their_names(bitbucket: BitbucketEmulator, bot: str):
    open_pull_request(bitbucket, (1, "push", AUTHOR))
    with_bot, people = (execute("repository_health", bots=bots).iloc[0] for bots in ((), (bot,)))
    assert with_bot["people"] == people["people"] + 1
    assert with_bot["commits"] > people["commits"] > 0


def test_a_deployment_before_the_period_draws_the_line_for_it(bitbucket: BitbucketEmulator):
    """Deployed at 0 h; merged at 5 h and deployed at 12 h, with a commit of 0 h; the period begins at 6 h."""
    deploy(bitbucket)
    open_pull_request(bitbucket, (5, "merge", OWNER), opened=NOW)
    bitbucket.clock(advance=12 * 3600 - 60)
    deploy(bitbucket)
    row = execute("dora", since=NOW + timedelta(hours=6), group_by=[]).iloc[0]
    assert (row["deployments"], row["changes"]) == (1, 1)
    assert row["lead_time_median_seconds"] == 12 * 3600 + 30  # 10 s to build, 10 s to test, 10 s to production


def test_the_way_to_production_costs_lists_only(bitbucket: BitbucketEmulator):
    deploy(bitbucket)
    open_pull_request(bitbucket, (1, "merge", OWNER))
    deploy(bitbucket)
    bitbucket.reset_requests()
    row = execute("cycle_time", repositories="api", with_deployments=True).iloc[0]
    assert row["deploy_count"] == 1
    lists = {"pullrequests": 1, "deployments": 1, "environments": 1, "commits": 1}
    assert {name: times for name, times in requested(bitbucket).items() if name in lists} == lists
    assert sum(requested(bitbucket).values()) <= 5  # and a timeline


def outage(begin: float, end: float | None, repository: str = "api") -> dict[str, Any]:
    """Return an incident from the hours of its start and end."""
    return {
        "repository": repository,
        "created_on": (NOW + timedelta(hours=begin)).isoformat(),
        "resolved_on": None if end is None else (NOW + timedelta(hours=end)).isoformat(),
    }


@pytest.mark.airflow
def test_incidents_of_the_task_before_take_the_place_of_the_proxy(bitbucket: BitbucketEmulator, run_dag: Run):
    """Deployed at 0 h and after each hour, the second fails; an incident from 0.5 to 0.9 h and one that is still open."""
    from airflow.sdk import DAG, task

    for production in ({}, {"result": "FAILED"}, {}, {}):
        deploy(bitbucket, 3600, **production)
    got: list[pd.DataFrame] = []
    with DAG("incidents_to_dora", schedule=None) as dag:

        @task
        def fetch() -> list[dict[str, Any]]:
            return [outage(0.5, 0.9), outage(3.5, None, "acme/api"), outage(0.5, 0.9, "web")]

        @task
        def take(frame: pd.DataFrame) -> None:
            got.append(frame)

        incidents: Any = fetch()
        take(BitbucketMetricsOperator(task_id="dora", metric="dora", group_by=[], incidents=incidents).output)
    assert str(run_dag(dag).state) == "success"
    row = got[0].iloc[0]
    assert (row["deployments"], row["failures"], row["recovery_count"], row["failure_source"]) == (3, 2, 1, "incidents")
    assert row["change_failure_rate"] == pytest.approx(2 / 3)
    assert row["recovery_median_seconds"] == pytest.approx(0.9 * 3600 - 30)  # its deployment ended after 30 s
    proxy = execute("dora", group_by=[]).iloc[0]
    assert (proxy["failures"], proxy["failure_source"]) == (1, "proxy")


@pytest.mark.airflow
@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".json"])
def test_incidents_can_be_a_file_whose_path_is_a_template(
    bitbucket: BitbucketEmulator, run_task: Run, tmp_path: Path, suffix: str
):
    deploy(bitbucket, 3600)
    frame = pd.DataFrame([outage(0.5, 0.9), outage(0.6, 0.95)])
    write = {
        ".parquet": lambda path: frame.assign(created_on=pd.to_datetime(frame["created_on"])).to_parquet(path),
        ".csv": lambda path: frame.to_csv(path, index=False),
        ".json": lambda path: frame.to_json(path, orient="records"),
    }
    write[suffix](tmp_path / f"incidents{suffix}")
    done = run_task(
        BitbucketMetricsOperator,
        params={"folder": str(tmp_path)},
        metric="dora",
        incidents=f"file://{{{{ params.folder }}}}/incidents{suffix}",
        output_path=f"file://{tmp_path}/dora.parquet",
    )
    assert done.state == "success", done.log
    row = pd.read_parquet(tmp_path / "dora.parquet").iloc[0]
    assert (row["failures"], row["recovery_median_seconds"]) == (1, pytest.approx(0.95 * 3600 - 30))


@pytest.mark.parametrize(
    ("incidents", "sentence"),
    [
        ([{"repository": "api", "began": None}], "incidents lack created_on, resolved_on; expected records or a DataFrame with "),
        (
            "what the task before returned",
            r"expected the path of a file in .parquet, .csv, .json, or records .* incidents=that_task.output",
        ),
        ([outage(1, 2, "a/b/c")], "Repository is 'a/b/c'; expected 'repository' or 'workspace/repository'"),
    ],
)
def test_incidents_of_another_kind_are_refused_before_any_request(bitbucket: BitbucketEmulator, incidents: Any, sentence: str):
    with pytest.raises(ValueError, match=sentence):
        execute("dora", incidents=incidents)
    assert bitbucket.requests() == {}


def test_incidents_that_did_not_come_are_no_reason_to_show_a_proxy(bitbucket: BitbucketEmulator):
    task = BitbucketMetricsOperator(task_id="metric", metric="dora", incidents="{{ nothing }}")
    task.incidents = None  # what it is rendered to when the task before returned nothing
    with pytest.raises(ValueError, match=r"incidents is empty .its template .* rendered to nothing.*no record is an empty list"):
        task.execute({})


def test_several_metrics_at_once_take_incidents_too(bitbucket: BitbucketEmulator):
    deploy(bitbucket, 3600)
    incidents = pd.DataFrame([outage(0.5, 0.9, "acme/api")])
    frames = BitbucketHook().metrics.get_dfs({"real": ("dora", Question(incidents=incidents)), "proxy": ("dora", Question())})
    assert {name: frame["failures"].tolist() for name, frame in frames.items()} == {"real": [1], "proxy": [0]}
    with pytest.raises(ValueError, match="'throughput' has no incidents"):
        BitbucketHook().metrics.get_dfs({"one": ("throughput", Question(incidents=incidents))})


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_and_option_is_in_the_docs(metric: str):
    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
    names = {f"`{name}`" for name in (metric, *METRICS[metric].options)}
    assert {name for name in names if name not in page} == set()
    assert f"``{metric}``" in (inspect.getdoc(BitbucketMetricsOperator) or "")


def test_a_metric_that_does_not_exist_is_refused_when_the_dag_is_parsed():
    with pytest.raises(ValueError, match="no metric 'velocity'; expected one of cycle_time, "):
        BitbucketMetricsOperator(task_id="metric", metric="velocity")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"metric": "dora", "with_steps": True}, "Metric 'dora' has no with_steps; it has incidents"),
        ({"metric": "throughput", "incidents": []}, "Metric 'throughput' has no incidents; it has with_diffstat"),
        ({"metric": "cycle_time", "with_steps": True}, "it has with_commits, with_deployments, with_diffstat"),
        ({"metric": "stale_branches", "group_by": ["week"]}, "Metric 'stale_branches' does not support group_by"),
    ],
)
def test_what_a_metric_can_not_do_is_refused_when_the_dag_is_parsed(parameters: dict[str, Any], sentence: str):
    with pytest.raises(ValueError, match=sentence):
        BitbucketMetricsOperator(task_id="metric", **parameters)


@pytest.mark.parametrize(
    "wrong", [{"group_by": ["team"]}, {"since": "last week"}, {"since": "2026-11-02", "until": "2026-11-01"}]
)
def test_a_question_that_makes_no_sense_is_refused_before_any_request(bitbucket: BitbucketEmulator, wrong: dict[str, Any]):
    for metric in ("cycle_time", "review_load", "dora", "deployment_frequency"):
        with pytest.raises(ValueError, match=r"summarize by team|since"):
            execute(metric, **wrong)
    assert asked(bitbucket) == {}


def test_a_frame_that_xcom_can_not_carry_is_refused_before_any_request(
    bitbucket: BitbucketEmulator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as if it were not installed: Airflow needs it for a frame
    with pytest.raises(AirflowFailException, match=r"cannot carry a DataFrame of pandas .* Set output_path"):
        execute("cycle_time")
    assert asked(bitbucket) == {}
