"""Results of data tests become one report with annotations where reviewers see them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from airflow_provider_bitbucket.changes.code_insights import as_annotations, changed_lines, placed
from airflow_provider_bitbucket.changes.findings import Finding, read_results
from airflow_provider_bitbucket.client import ApiToken, BitbucketClient
from airflow_provider_bitbucket.operators.code_insights import BitbucketCodeInsightsOperator
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.airflow_home import TaskRun
from tests.operators.attempts import check_one_effect_despite_kills, check_one_effect_despite_lost_answers

MODEL, TEST = "model.shop.orders", "test.shop.not_null_orders_id.abc123"
RUN_RESULTS: dict[str, Any] = {
    "metadata": {"dbt_schema_version": "https://schemas.getdbt.com/dbt/run-results/v6.json"},
    "results": [
        {"unique_id": TEST, "status": "fail", "message": "Got 2 results, configured to fail if != 0", "failures": 2},
        {"unique_id": "test.shop.unique_orders_id.def456", "status": "pass", "message": None},
        {"unique_id": "test.shop.recent.0", "status": "warn", "message": "Got 1 result, configured to warn if != 0"},
        {"unique_id": "model.shop.refunds", "status": "error", "message": "Database Error\n  relation does not exist"},
    ],
    "elapsed_time": 4.25,
    "args": {"which": "build"},
}
MANIFEST = {
    "nodes": {
        TEST: {"original_file_path": "models/schema.yml", "attached_node": MODEL},
        MODEL: {"original_file_path": "models/orders.sql"},
        "model.shop.refunds": {"original_file_path": "models/refunds.sql"},
    }
}
VALIDATION: dict[str, Any] = {
    "success": False,
    "results": [
        {
            "success": False,
            "expectation_config": {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "id"}},
            "result": {"unexpected_count": 7},
        },
        {"success": True, "expectation_config": {"type": "expect_table_row_count_to_be_between"}, "result": {}},
        {
            "success": False,
            "expectation_config": {
                "type": "expect_column_mean_to_be_between",
                "severity": "warning",
                "kwargs": {"column": "price"},
            },
            "result": {"observed_value": 3.5},
        },
    ],
}
ROWS = [
    {"message": "Too many rows", "path": "models/orders.sql", "line": 2, "severity": "critical"},
    {"message": "Late", "path": None, "line": None, "severity": "LOW"},
]
DIFF = """diff --git a/models/orders.sql b/models/orders.sql
--- a/models/orders.sql
+++ b/models/orders.sql
@@ -1,3 +1,4 @@
 select
-  1
+  2,
++++ b/not a header
   3
@@ -10 +11,2 @@
 from x
+where y
diff --git a/gone.sql b/gone.sql
deleted file mode 100644
--- a/gone.sql
+++ /dev/null
@@ -1 +0,0 @@
-select 1
diff --git "a/models/\\303\\251t\\303\\251.sql" "b/models/\\303\\251t\\303\\251.sql"
new file mode 100644
--- /dev/null
+++ "b/models/\\303\\251t\\303\\251.sql"
@@ -0,0 +1 @@
+select 1
"""


def client_of(bitbucket: BitbucketEmulator) -> BitbucketClient:
    """Return a client of the emulator."""
    return BitbucketClient(ApiToken(*bitbucket.api_token), "acme", bitbucket.api_url)


def topic(client: BitbucketClient) -> str:
    """Return a commit that changes the models' files on a branch."""
    files = {"models/orders.sql": "select\n  2\n", "models/refunds.sql": "select 1\n"}
    client.request("POST", "/repositories/acme/api/src", data={"branch": "topic", **files})
    return str(client.commits.get("api", "topic")["hash"])


@pytest.fixture
def report(bitbucket: BitbucketEmulator, run_task: Callable[..., TaskRun]) -> Callable[..., TaskRun]:
    """Run the operator on a commit of ``topic``."""
    client_of(bitbucket)
    commit = topic(client_of(bitbucket))
    return lambda **parameters: run_task(BitbucketCodeInsightsOperator, repository="api", commit=commit, **parameters)


def shown(bitbucket: BitbucketEmulator) -> tuple[dict[str, Any], list[tuple[Any, ...]]]:
    """Return the report and its annotations."""
    client = client_of(bitbucket)
    (found,) = client.reports.list("api", "topic")
    rows = client.reports.annotations("api", "topic", found["external_id"])
    return dict(found), [(row.get("path"), row.get("line"), row["severity"], row["summary"]) for row in rows]


def test_results_of_dbt_are_shown_on_the_changed_lines_of_the_models(
    bitbucket: BitbucketEmulator, report: Callable[..., TaskRun], tmp_path: Path
) -> None:
    for name, content in (("run_results", RUN_RESULTS), ("manifest", MANIFEST)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    bitbucket.reset_requests()

    run = report(
        results=f"file://{tmp_path}/run_results.json",
        manifest=f"file://{tmp_path}/manifest.json",
        destination="main",
        title="dbt",
    )

    assert sum(bitbucket.requests().values()) == 4  # diff, delete, put, post
    found, rows = shown(bitbucket)
    assert rows == [
        ("models/refunds.sql", 1, "CRITICAL", "refunds: Database Error relation does not exist"),
        ("models/orders.sql", 1, "HIGH", "not_null_orders_id: Got 2 results, configured to fail if != 0"),
        (None, None, "LOW", "recent: Got 1 result, configured to warn if != 0"),
    ]
    assert (found["title"], found["result"], found["reporter"]) == ("dbt", "FAILED", "dbt")
    assert found["details"] == "3 findings in 4 checks."
    assert {one["title"]: one["value"] for one in found["data"]} == {"Checks": 4, "Failed": 2, "Warnings": 1, "Duration": 4250}
    assert run.value["result"] == "FAILED"
    assert run.state == "success"


@pytest.mark.parametrize(
    "results",
    [
        VALIDATION,
        {"success": False, "run_results": {"first": VALIDATION}},
        {"run_results": {"first": {"validation_result": VALIDATION}}},
    ],
    ids=["validation", "checkpoint", "checkpoint-of-0.x"],
)
def test_a_result_of_great_expectations_is_read_in_all_its_forms(results: dict[str, Any]) -> None:
    found = read_results(results, path="suite.json")

    assert [(one.path, one.severity, one.message) for one in found.findings] == [
        ("suite.json", "HIGH", "expect_column_values_to_not_be_null(id): 7 unexpected values"),
        ("suite.json", "LOW", "expect_column_mean_to_be_between(price): observed 3.5"),
    ]
    assert (found.checks, found.is_passed) == (3, False)


@pytest.mark.parametrize("results", [ROWS, pd.DataFrame(ROWS), json.dumps(ROWS)], ids=["records", "frame", "text"])
def test_a_table_of_findings_is_a_report(bitbucket: BitbucketEmulator, report: Callable[..., TaskRun], results: Any) -> None:
    report(results=results)

    found, rows = shown(bitbucket)
    assert rows == [("models/orders.sql", 2, "CRITICAL", "Too many rows"), (None, None, "LOW", "Late")]
    assert found["result"] == "FAILED"


def test_no_findings_are_a_report_that_has_passed(bitbucket: BitbucketEmulator, report: Callable[..., TaskRun]) -> None:
    report(results=[])

    found, rows = shown(bitbucket)
    assert (found["result"], found["details"], rows) == ("PASSED", "0 findings.", [])


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({"something": "else"}, r"results is a mapping with the keys \['something'\]; expected dbt's run_results.json"),
        ([{"path": "a.sql"}], "A row of results is .*; expected dbt's"),
        ([{"message": "x", "severity": "bad"}], "A severity of results is 'bad'; expected one of CRITICAL, HIGH"),
        ([{"message": "x", "line": 0}], "A line of results is 0; expected a whole number of at least 1"),
        ("file:///no/such/file.json", "results is 'file:///no/such/file.json'; there is no such file"),
    ],
)
def test_results_of_another_form_are_refused_without_a_request(
    bitbucket: BitbucketEmulator, report: Callable[..., TaskRun], results: Any, message: str
) -> None:
    bitbucket.reset_requests()

    with pytest.raises(ValueError, match=message):
        raise report(results=results).error  # type: ignore[misc]  # the failed task has one

    assert not bitbucket.requests()


def prepare(client: BitbucketClient, _: BitbucketEmulator) -> dict[str, Any]:
    """Publish an earlier report with another finding, and return the parameters of a new one."""
    commit = topic(client)
    client.reports.put(
        "api",
        commit,
        "orders",
        {"title": "t", "details": "d", "report_type": "TEST", "result": "PASSED", "link": "https://airflow.example.com"},
    )
    client.reports.annotate("api", commit, "orders", as_annotations([Finding("An earlier finding")]))
    findings = [{"message": f"Finding {number}", "path": "models/orders.sql"} for number in range(150)]
    return {"repository": "api", "commit": commit[:12], "results": findings, "report": "orders", "destination": "main"}


def effect(client: BitbucketClient) -> list[Any]:
    """Return the result and the findings of every report on the commit."""
    return [
        (
            row["external_id"],
            row["result"],
            sorted(one["summary"] for one in client.reports.annotations("api", "topic", "orders")),
        )
        for row in client.reports.list("api", "topic")
    ]


def test_a_task_killed_at_any_point_leaves_one_report_without_earlier_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    check_one_effect_despite_kills(monkeypatch, BitbucketCodeInsightsOperator, prepare, effect)


@pytest.mark.parametrize("method", ["DELETE", "PUT", "POST"])
def test_a_task_whose_response_was_lost_leaves_one_report(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    fault = {"path": "/reports/"}
    check_one_effect_despite_lost_answers(monkeypatch, BitbucketCodeInsightsOperator, prepare, effect, method=method, **fault)


def test_added_lines_of_a_diff_are_found_by_file() -> None:
    assert changed_lines(DIFF) == {"models/orders.sql": [2, 3, 12], "models/été.sql": [1]}


def test_findings_on_changed_lines_come_first_and_the_worst_before_others() -> None:
    findings = [
        Finding("elsewhere", "b.sql", 1, "CRITICAL"),
        Finding("unchanged line", "a.sql", 9, "CRITICAL"),
        Finding("low", "a.sql", 2, "LOW"),
        Finding("without a line", "a.sql", None, "HIGH"),
    ]

    assert [(one.message, one.line) for one in placed(findings, {"a.sql": [2, 3]})] == [
        ("without a line", 2),
        ("low", 2),
        ("unchanged line", 9),
        ("elsewhere", 1),
    ]


def test_equal_findings_are_annotations_of_their_own_and_long_ones_are_shortened() -> None:
    made = as_annotations([Finding("x" * 500), Finding("x" * 500), Finding("")])

    assert len({one["external_id"] for one in made}) == 3
    assert len(made[0]["summary"]) == 450
    assert made[0]["details"] == "x" * 500
    assert made[2]["summary"] == "No message"
