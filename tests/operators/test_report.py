"""``BitbucketReportOperator`` in a real Airflow, on the demo's three months."""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, ClassVar

import pandas as pd
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_bitbucket.hooks.bitbucket import BitbucketHook
from airflow_provider_bitbucket.metrics.catalog import METRICS, Question
from airflow_provider_bitbucket.operators.report import BitbucketReportOperator
from airflow_provider_bitbucket.testing import connection_json
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator_data import OWNER, REVIEWER, after, asked, open_pull_request, requested, run_pipelines

Run = Callable[..., Any]
EXAMPLES = Path(__file__).resolve().parents[2] / "example_dags"
SINCE, UNTIL = datetime(2026, 10, 5, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)


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


def execute(path: Path, **parameters: Any) -> dict[str, Any]:
    context = parameters.pop("context", {"data_interval_end": NOW})
    return BitbucketReportOperator(task_id="report", output_path=str(path), **parameters).execute(context)


@pytest.mark.airflow
def test_a_run_writes_the_page_and_returns_its_headline_and_the_email(demo: BitbucketEmulator, run_task: Run, tmp_path: Path):
    done = run_task(
        BitbucketReportOperator,
        params={"folder": str(tmp_path), "day": "2026-11-02", "team": "Team <A>"},
        title="{{ params.team }}",
        until="{{ params.day }}",
        output_path="file://{{ params.folder }}/new/report.html",
    )
    assert done.state == "success", done.log
    assert {name: done.value[name] for name in ("path", "subject", "since", "until")} == {
        "path": f"file://{tmp_path}/new/report.html",
        "subject": "Team <A>: 5 October to 1 November 2026",
        "since": SINCE.isoformat(),
        "until": UNTIL.isoformat(),
    }
    period = {"since": SINCE, "until": UNTIL, "group_by": []}
    cycle_time = BitbucketHook().metrics.get_df("cycle_time", **period).iloc[0]
    headline = done.value["headline"]
    assert headline["merged"]["value"] == cycle_time["merged"] > 100
    assert headline["cycle_time"]["value"] == pytest.approx(cycle_time["total_median_seconds"])
    assert (
        headline["pipeline_success"]["value"]
        == BitbucketHook().metrics.get_df("pipeline_health", **period).iloc[0]["success_rate"]
    )
    page = (tmp_path / "new" / "report.html").read_text()
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["report.csv", "report.html"]
    assert 50_000 < len(page.encode()) < 150_000
    assert page.count("<svg") == 6
    for text in (page, done.xcom["email_html"]):
        assert "Team &lt;A&gt;" in text
        assert f"{demo.url}/acme/api/pull-requests/" in text
    assert len(done.xcom["email_html"].encode()) < 102_000


def test_the_csv_beside_the_page_has_the_numbers_of_the_metrics(demo: BitbucketEmulator, tmp_path: Path):
    result = execute(tmp_path / "report 2026-11-02T06:00:00+00:00.html", since=SINCE, until=UNTIL)
    assert result["csv"] == str(tmp_path / "report-2026-11-02T06-00-00-00-00.csv")
    numbers = pd.read_csv(result["csv"], keep_default_na=False)
    assert set(numbers["level"]) == {"period", "week", "repository"}
    merged = numbers[(numbers["metric"] == "throughput") & (numbers["name"] == "merged")]
    whole = merged[(merged["level"] == "period") & (merged["since"] == SINCE.isoformat())]
    assert whole["value"].tolist() == [result["headline"]["merged"]["value"]]
    by_repository = merged[(merged["level"] == "repository") & (merged["since"] == SINCE.isoformat())]
    frame = BitbucketHook().metrics.get_df("throughput", since=SINCE, until=UNTIL, group_by="repository")
    assert dict(zip(by_repository["key"], by_repository["value"], strict=True)) == dict(
        zip(frame["repository"], frame["merged"], strict=True)
    )


@pytest.mark.airflow
def test_the_page_url_is_linked_in_the_email_and_by_a_button(bitbucket: BitbucketEmulator, run_task: Run, tmp_path: Path):
    from airflow_provider_bitbucket.links import BitbucketReportLink

    url = "https://reports.example.com/bitbucket.html"
    done = run_task(
        BitbucketReportOperator, output_path=f"file://{tmp_path}/report.html", params={"url": url}, page_url="{{ params.url }}"
    )
    assert done.state == "success", done.log
    assert f'<a href="{url}"' in done.xcom["email_html"]
    assert done.xcom[BitbucketReportLink.xcom_key] == url
    assert [link.name for link in BitbucketReportOperator.operator_extra_links] == ["Report"]


@pytest.mark.parametrize("url", ["javascript:alert(1)", "/srv/report.html", "https://", "file:///report.html"])
def test_a_page_url_that_is_not_of_the_web_is_refused_before_the_first_request(
    bitbucket: BitbucketEmulator, tmp_path: Path, url: str
):
    with pytest.raises(ValueError, match=r"page_url is .* expected a URL that begins with https://"):
        execute(tmp_path / "report.html", page_url=url)
    assert requested(bitbucket) == {}


def test_incidents_replace_the_proxies_and_people_are_not_named(demo: BitbucketEmulator, tmp_path: Path):
    began = UNTIL - timedelta(days=3)
    incidents = [{"repository": "api", "created_on": began, "resolved_on": began + timedelta(hours=2)}]
    result = execute(
        tmp_path / "report.html", since=SINCE, until=UNTIL, repositories="api", incidents=incidents, exclude_people="*"
    )
    frame = (
        BitbucketHook()
        .metrics.get_df("dora", repositories="api", since=SINCE, until=UNTIL, group_by=[], incidents=incidents)
        .iloc[0]
    )
    assert frame["recovery_count"] == 1
    assert result["headline"]["recovery"]["value"] == pytest.approx(frame["recovery_median_seconds"])
    page = (tmp_path / "report.html").read_text()
    assert "Time to recover" in page
    assert "(proxy)" not in page
    assert "not named" in page
    assert "Robin Reviewer" not in page


def test_the_size_of_pull_requests_is_read_on_request(bitbucket: BitbucketEmulator, tmp_path: Path):
    open_pull_request(bitbucket, (2, "approve", REVIEWER), (3, "merge", OWNER))
    period = {"since": after(-24), "until": after(24)}
    assert "size" not in execute(tmp_path / "report.html", **period)["headline"]
    size = BitbucketHook().metrics.get_df("cycle_time", group_by=[], with_diffstat=True, **period).iloc[0]["size_median_lines"]
    assert execute(tmp_path / "report.html", with_diffstat=True, **period)["headline"]["size"]["value"] == size


def test_what_several_metrics_are_made_of_is_read_once(demo: BitbucketEmulator, tmp_path: Path):
    execute(tmp_path / "report.html", repositories="api")
    counts = requested(demo)
    # Pull requests: 2 requests for 75 since the period before began, and 3 for the 112 that there ever were, for the stalest.
    lists = {"pullrequests": 5, "deployments": 2, "environments": 1, "pipelines": 4, "commits": 4}
    assert {name: times for name, times in counts.items() if "activity" not in name} == lists
    timelines = {name: times for name, times in counts.items() if "activity" in name}
    demo.reset_requests()
    BitbucketHook().metrics.get_df("cycle_time", repositories="api", since="2026-09-07")
    assert timelines == {name: times for name, times in requested(demo).items() if "activity" in name}


#: All metrics but the one that costs a request for every step.
CHEAP = [name for name in METRICS if name != "test_health"]
DAYS = (1, 3, 10, 28, 56)


@pytest.mark.parametrize("seed", range(2))
def test_metrics_together_are_those_alone(demo: BitbucketEmulator, seed: int):
    """Each over a period and with machines of its own: none lends another its rows."""
    chance, hook = Random(seed), BitbucketHook()
    people = [(), ("Robin Reviewer",), ("robin.reviewer", "alex.author")]
    wanted = {}
    for place, name in enumerate([*CHEAP, "flakiness", "pipeline_health", "dora", "repository_health", "throughput"]):
        since, until = UNTIL - timedelta(days=chance.choice(DAYS)), UNTIL - timedelta(days=chance.choice([0, 0.5]))
        wanted[f"{name} {place}"] = name, Question(METRICS[name].by or (), since, until, chance.choice(people))
    together = hook.metrics.get_dfs(wanted, "api")
    for place, (name, question) in wanted.items():
        alone = hook.metrics.get_df(name, repositories="api", since=question.since, until=question.until, bots=question.bots)
        pd.testing.assert_frame_equal(together[place], alone)


def test_test_health_of_two_periods_is_that_of_each_alone(bitbucket: BitbucketEmulator):
    """A pipeline that was started days before its tests ended counts in no period whose reading begins after that."""
    case = {"name": "tests.test_total", "status": "FAILED"}
    waits = {"name": "Build", "seconds": 5 * 86400}
    run_pipelines(bitbucket, {"steps": [waits, {"name": "Test", "seconds": 60, "test_cases": [case]}]}, seconds=7 * 86400)
    periods = {name: (NOW + timedelta(days=days), NOW + timedelta(days=days + 7)) for name, days in (("one", 4), ("two", -3))}
    together = BitbucketHook().metrics.get_dfs(
        {name: ("test_health", Question(("repository",), *period)) for name, period in periods.items()}
    )
    for name, (since, until) in periods.items():
        alone = BitbucketHook().metrics.get_df("test_health", since=since, until=until, group_by="repository")
        pd.testing.assert_frame_equal(together[name], alone)


@pytest.mark.parametrize(
    ("context", "parameters", "since", "until"),
    [
        ({"data_interval_end": NOW}, {}, SINCE, UNTIL),
        ({"dag_run": SimpleNamespace(run_after=NOW)}, {"weeks": 1}, datetime(2026, 10, 26, tzinfo=UTC), UNTIL),
        ({}, {"until": "2026-10-20", "weeks": 2}, datetime(2026, 10, 6, tzinfo=UTC), datetime(2026, 10, 20, tzinfo=UTC)),
        ({"data_interval_end": NOW}, {"since": "2026-10-07"}, datetime(2026, 10, 7, tzinfo=UTC), UNTIL),
        (
            {},
            {"since": "2026-10-01", "until": "2026-11-01"},
            datetime(2026, 10, 1, tzinfo=UTC),
            datetime(2026, 11, 1, tzinfo=UTC),
        ),
    ],
)
def test_the_period_is_the_last_whole_weeks_unless_it_is_given(
    bitbucket: BitbucketEmulator,
    tmp_path: Path,
    context: dict[str, Any],
    parameters: dict[str, Any],
    since: datetime,
    until: datetime,
):
    result = execute(tmp_path / "report.html", context=context, **parameters)
    assert (result["since"], result["until"]) == (since.isoformat(), until.isoformat())


def test_a_title_that_is_a_script_is_shown(bitbucket: BitbucketEmulator, tmp_path: Path):
    open_pull_request(bitbucket, (2, "approve", REVIEWER), (3, "merge", OWNER), title="<script>alert(1)</script>")
    execute(tmp_path / "report.html", since=after(-24), until=after(24))
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_an_empty_repository_has_a_report(bitbucket: BitbucketEmulator, tmp_path: Path):
    headline = execute(tmp_path / "report.html", repositories="api")["headline"]
    assert headline["merged"] == {
        "value": 0,
        "before": 0,
        "verdict": "same",
        "text": "Pull requests merged: 0; the same (before: 0)",
    }
    assert headline["cycle_time"]["verdict"] == "unknown"


def test_without_matplotlib_the_extra_is_named_and_nothing_is_asked(
    bitbucket: BitbucketEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as if it were not installed
    with pytest.raises(AirflowFailException, match=r"airflow-provider-bitbucket\[report\]"):
        execute(tmp_path / "report.html")
    assert asked(bitbucket) == {}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"since": "2026-11-02", "until": "2026-11-02"}, "has to be before until"),
        ({"since": "last week"}, "expected an ISO 8601 timestamp"),
    ],
)
def test_a_period_that_is_none_is_refused_before_any_request(
    bitbucket: BitbucketEmulator, tmp_path: Path, wrong: dict[str, Any], sentence: str
):
    with pytest.raises(ValueError, match=sentence):
        execute(tmp_path / "report.html", **wrong)
    assert asked(bitbucket) == {}


def test_no_weeks_are_refused_when_the_dag_is_parsed(tmp_path: Path):
    with pytest.raises(ValueError, match="weeks is 0; expected a whole number of at least 1"):
        BitbucketReportOperator(task_id="report", output_path="report.html", weeks=0)


class Mailbox(socketserver.StreamRequestHandler):
    """Takes any mail, as far as SMTP goes."""

    taken: ClassVar[list[bytes]] = []

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            if line[:4].upper() == b"DATA":
                self.wfile.write(b"354 send the message\r\n")
                self.taken.append(b"".join(iter(self.rfile.readline, b".\r\n")).replace(b"\r\n..", b"\r\n."))
            self.wfile.write(b"221 bye\r\n" if line[:4].upper() == b"QUIT" else b"250 ok\r\n")


@pytest.fixture
def mailbox(connect: Callable[..., None]) -> Iterator[list[bytes]]:
    """What is mailed by ``smtp_default``."""
    Mailbox.taken.clear()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        extra = {"disable_ssl": True, "disable_tls": True}
        host, port = server.server_address
        connect(json.dumps({"conn_type": "smtp", "host": host, "port": port, "extra": extra}), "smtp_default")
        yield Mailbox.taken
        server.shutdown()


@pytest.mark.airflow
def test_airflow_mails_it_with_the_page(bitbucket: BitbucketEmulator, mailbox: list[bytes], run_dag: Run, tmp_path: Path):
    """As the example DAG does; a title can neither add a header nor be taken for a template."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        from example_bitbucket_report import example_bitbucket_report
    finally:
        sys.path.remove(str(EXAMPLES))

    dag = example_bitbucket_report()
    for owner in (dag, *dag.tasks):
        owner.params.update({"output": str(tmp_path), "mail_to": ["team@example.com", "lead@example.com"]})
    title = "{{ 7 * 7 }}\r\nBcc: all@example.com"
    dag.get_task("report").title = "{% raw %}" + title + "{% endraw %}"
    assert str(run_dag(dag).state) == "success"
    message = message_from_bytes(mailbox[0], policy=default)
    assert message["Subject"].startswith("{{ 7 * 7 }} Bcc: all@example.com: ")
    assert message["Bcc"] is None
    assert message["To"] == "team@example.com, lead@example.com"
    text, page, numbers = message.iter_parts()
    assert (numbers.get_filename(), numbers.get_payload(decode=True)) == ("report.csv", (tmp_path / "report.csv").read_bytes())
    assert "At a glance" in text.get_content()
    assert "{{ 7 * 7 }}" in text.get_content()
    assert (page.get_filename(), page.get_content()) == ("report.html", (tmp_path / "report.html").read_bytes())
