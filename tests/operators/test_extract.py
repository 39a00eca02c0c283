"""``BitbucketExtractOperator`` in a real Airflow."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_bitbucket.client import BitbucketNotFoundError
from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.operators import frames
from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import REVIEWER, after, asked, open_pull_request

Run = Callable[..., Any]


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator, connect: Callable[..., None]) -> BitbucketEmulator:
    """Two pull requests, approved after 2 and after 50 hours, and a connection."""
    connect(connection_json(bitbucket_emulator))
    for hours in (2, 50):
        open_pull_request(bitbucket_emulator, (hours, "approve", REVIEWER))
    bitbucket_emulator.reset_requests()
    return bitbucket_emulator


def execute(**parameters: Any) -> Any:
    return BitbucketExtractOperator(task_id="extract", **parameters).execute({})


@pytest.mark.airflow
def test_the_next_task_gets_the_data_frame_with_its_dtypes(bitbucket: BitbucketEmulator, run_dag: Run):
    from airflow.sdk import DAG, task

    got: list[pd.DataFrame] = []
    with DAG("extract_to_frame", schedule=None) as dag:

        @task
        def take(frame: pd.DataFrame) -> None:
            got.append(frame)

        take(BitbucketExtractOperator(task_id="extract", with_activity=True).output)
    assert str(run_dag(dag).state) == "success"
    pd.testing.assert_frame_equal(got[0], BitbucketHook().datasets.get_df("pull_requests", with_activity=True))
    assert sorted(got[0]["first_review_on"]) == [after(2), after(50)]


@pytest.mark.airflow
def test_parameters_are_templates_and_what_renders_to_nothing_bounds_nothing(
    bitbucket: BitbucketEmulator, run_task: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    done = run_task(
        BitbucketExtractOperator,
        params={"folder": str(tmp_path), "repository": "api", "day": "2026-10-02", "bot": "Robin Reviewer"},
        repositories=["{{ params.repository }}"],
        since="{{ params.day }}",
        until="{{ params.get('until') }}",
        bots=["{{ params.bot }}"],
        output_path="file://{{ params.folder }}/{{ ds | default('all') }}.parquet",
    )
    assert done.state == "success", done.log
    assert (done.value["dataset"], done.value["rows"]) == ("pull_requests", 1)
    frame = pd.read_parquet(done.value["path"].removeprefix("file://"))
    assert done.value["columns"] == list(frame.columns)
    assert frame["approvals"].tolist() == [0]
    assert "pull_requests of acme/api (1 of 1): 1 rows, 1 requests" in caplog.text


@pytest.mark.airflow
def test_a_workspace_can_be_spread_over_mapped_tasks(bitbucket: BitbucketEmulator, run_dag: Run, tmp_path: Path):
    from airflow.sdk import DAG

    with DAG("mapped_extract", schedule=None) as dag:
        BitbucketExtractOperator.partial(task_id="extract", repositories="api").expand_kwargs(
            [{"dataset": name, "output_path": f"file://{tmp_path}/{name}.parquet"} for name in ("pull_requests", "diffstats")]
        )
    assert str(run_dag(dag).state) == "success"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["diffstats.parquet", "pull_requests.parquet"]


@pytest.mark.airflow
def test_a_repository_that_can_not_be_read_fails_the_task_by_name_and_publishes_nothing(
    bitbucket: BitbucketEmulator, run_task: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = f"file://{tmp_path}/prs.parquet"
    done = run_task(BitbucketExtractOperator, repositories=["api", "gone"], output_path=path)
    assert done.state == "failed"
    assert isinstance(done.error, BitbucketNotFoundError)
    assert "pull_requests of acme/gone cannot be read" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_the_options_of_pull_requests_are_passed_on(bitbucket: BitbucketEmulator):
    frame = execute(with_activity=True, with_commits=True, with_diffstat=True, bots=["Robin Reviewer"])
    assert frame[["review_rounds", "commits", "files_changed"]].notna().all(axis=None)
    assert frame["first_review_on"].isna().all()


def test_another_dataset_can_be_chosen(bitbucket: BitbucketEmulator):
    frame = execute(dataset="pull_request_activity", repositories="api", since="2026-10-02")
    assert frame["kind"].tolist() == ["approval"]


def test_machines_can_be_named_for_reviews_too(bitbucket: BitbucketEmulator):
    assert execute(dataset="reviews")["reviewer"].tolist() == ["Robin Reviewer"] * 2
    assert execute(dataset="reviews", bots=["Robin Reviewer"]).empty
    with pytest.raises(ValueError, match=r"^with_commits belong to dataset 'pull_requests', not to 'reviews'"):
        BitbucketExtractOperator(task_id="extract", dataset="reviews", with_commits=True, bots=["Robin Reviewer"])


@pytest.mark.parametrize("dataset", ["commits", "pull_request_commits"])
def test_machines_can_be_named_for_commits_too(bitbucket: BitbucketEmulator, dataset: str):
    assert not execute(dataset=dataset)["author_is_bot"].any()
    machines = execute(dataset=dataset, bots=["alex.author"])
    assert machines["author_is_bot"].tolist() == machines["author"].eq("Alex Author").tolist()
    assert machines["author_is_bot"].any()


def test_a_dataset_that_does_not_exist_is_refused_when_the_dag_is_parsed():
    with pytest.raises(ValueError, match="dataset is 'pull-requests'; expected one of pull_requests, "):
        BitbucketExtractOperator(task_id="extract", dataset="pull-requests")


def test_an_option_of_another_dataset_is_refused_when_the_dag_is_parsed():
    with pytest.raises(ValueError, match="with_activity, bots belong to dataset 'pull_requests', not to 'diffstats'"):
        BitbucketExtractOperator(task_id="extract", dataset="diffstats", with_activity=True, bots=["renovate"])


def test_parsing_a_dag_with_it_does_not_load_pandas():
    code = (
        "import sys; from airflow_provider_bitbucket.operators.extract import BitbucketExtractOperator as Extract\n"
        "Extract(task_id='extract', with_activity=True)\n"
        "print([one for one in ('pandas', 'pyarrow', 'requests') if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "bounds", [{"since": "last week"}, {"until": "02.11.2026"}, {"since": "2026-11-02", "until": "2026-11-01"}]
)
def test_what_is_no_interval_is_refused_before_any_request(bitbucket: BitbucketEmulator, bounds: dict[str, str]):
    with pytest.raises(ValueError, match=r"since|until"):
        execute(**bounds)
    assert asked(bitbucket) == {}


def test_a_frame_that_xcom_can_not_carry_is_refused_before_any_request(
    bitbucket: BitbucketEmulator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as if it were not installed: Airflow needs it for a frame
    with pytest.raises(AirflowFailException, match=r"cannot carry a DataFrame of pandas .* Set output_path .* install pyarrow"):
        execute()
    assert asked(bitbucket) == {}


def test_a_frame_that_is_not_pushed_to_xcom_need_not_be_serializable(
    bitbucket: BitbucketEmulator, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert len(execute(do_xcom_push=False)) == 2


def test_a_custom_xcom_backend_is_trusted_to_carry_a_frame(bitbucket: BitbucketEmulator, monkeypatch: pytest.MonkeyPatch):
    class Backend(frames.XCom):  # type: ignore[misc, name-defined]  # Airflow's class is chosen by its configuration
        @staticmethod
        def serialize_value(value: Any, **_: Any) -> str:
            raise AssertionError("tried out, which could leave something behind")

    monkeypatch.setattr(frames, "XCom", Backend)
    assert len(execute()) == 2


def test_a_repository_that_can_not_be_read_can_be_left_out_and_is_named(
    bitbucket: BitbucketEmulator, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    path = f"file://{tmp_path}/prs.parquet"
    done = execute(repositories=["api", "gone"], on_repository_error="skip", output_path=path)
    assert (done["rows"], done["skipped"]) == (2, ["acme/gone"])
    assert [(one["repository"], one["rows"], one["requests"]) for one in done["repositories"]] == [
        ("acme/api", 2, 1),
        ("acme/gone", 0, 1),
    ]
    assert "404" in done["repositories"][1]["error"]
    assert "left out 1 of 2 repositories that could not be read: acme/gone" in caplog.text


@pytest.mark.airflow
def test_beside_a_data_frame_the_left_out_repositories_are_xcoms(bitbucket: BitbucketEmulator, run_task: Run):
    done = run_task(BitbucketExtractOperator, repositories=["api", "gone"], on_repository_error="skip")
    assert done.state == "success"
    assert done.xcom["skipped"] == ["acme/gone"]
    assert [one["rows"] for one in done.xcom["repositories"]] == [2, 0]


def test_more_rows_than_xcom_should_carry_are_refused_as_soon_as_they_are_seen(bitbucket: BitbucketEmulator):
    with pytest.raises(AirflowFailException, match=r"pull_requests has more than 1 rows, .* Set output_path .* max_xcom_rows"):
        execute(max_xcom_rows=1)
    assert len(execute(max_xcom_rows=2)) == 2
    assert len(execute(max_xcom_rows=1, do_xcom_push=False)) == 2


def test_a_folder_by_repository_and_month_can_be_written(bitbucket: BitbucketEmulator, tmp_path: Path):
    for _ in range(2):  # the second replaces the first
        execute(output_path=f"file://{tmp_path}/prs", partitioned=True)
        (file,) = tmp_path.rglob("*.parquet")
        assert str(file.parent.relative_to(tmp_path)) == "prs/repository=acme%2Fapi/month=2026-10"


DAY = {"data_interval_start": after(0), "data_interval_end": after(24)}


@pytest.mark.parametrize(
    ("context", "parameters", "rows"),
    [
        (DAY, {}, 1),  # updated after 2 hours; the other one after 50
        (DAY, {"until": None}, 2),
        (DAY, {"since": after(-1)}, 2),
        (DAY, {"since": None, "until": after(3)}, 1),
        ({**DAY, "data_interval_end": after(0)}, {}, 2),  # a manual run, or a schedule whose intervals have no length
        ({"data_interval_start": None, "data_interval_end": None}, {}, 2),  # started by an asset
        ({}, {}, 2),
    ],
)
def test_by_default_a_run_reads_its_data_interval(
    bitbucket: BitbucketEmulator, context: dict[str, Any], parameters: dict[str, Any], rows: int
):
    frame = BitbucketExtractOperator(task_id="extract", **parameters).execute(context)  # type: ignore[arg-type]  # part of one
    assert len(frame) == rows
    assert len(BitbucketExtractOperator(task_id="extract", **parameters).execute(context)) == rows  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "parameters",
    [
        {"incremental": True},
        {"incremental": True, "output_path": "file:///prs-{{ run_id }}"},
        {"partitioned": True},
        {"on_repository_error": "ignore"},
    ],
)
def test_an_option_without_the_one_it_needs_is_refused_when_the_dag_is_parsed(parameters: dict[str, Any]):
    with pytest.raises(ValueError, match=r"^incremental needs|^partitioned needs|^on_repository_error is 'ignore'"):
        BitbucketExtractOperator(task_id="extract", **parameters)
