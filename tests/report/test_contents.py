"""The contents of the report; each expected number is computed by hand beside it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_bitbucket.report import Period, Report
from airflow_provider_bitbucket.report.contents import PEOPLE, ROWS
from airflow_provider_bitbucket.report.formats import MINUS, NOTHING
from airflow_provider_bitbucket.report.tiles import HEADLINES, Tile
from tests.report.frames import PERIOD, WEB, at, deployment, pipeline, pull_request, report_of, review


def tile(report: Report, name: str) -> Tile:
    return next(one for one in report.tiles if one.name == name)


def texts_of_tile(report: Report, name: str) -> tuple[str, str, str, str, str]:
    one = tile(report, name)
    return one.value, one.basis, one.change, one.earlier, one.verdict


def texts(report: Report, name: str) -> list[list[str]]:
    return [[cell.text for cell in row] for row in report.tables[name].rows]


@pytest.fixture(scope="module")
def week() -> Report:
    """Merged after 2, 4, 6, 8, 10 and 12 h, and the week before after 10 h each, five times."""
    merged = [pull_request(number, opened=number, lasted=2 * number) for number in range(1, 7)]
    before = [pull_request(10 + number, opened=number - 100, lasted=10) for number in range(5)]
    runs = [pipeline(number, number, "SUCCESSFUL" if number <= 15 else "FAILED", seconds=100) for number in range(1, 21)]
    old_runs = [pipeline(100 + number, number - 100, "SUCCESSFUL", seconds=103) for number in range(20)]
    return report_of({"pull_requests": merged + before, "pipelines": runs + old_runs})


def test_a_headline_has_its_number_its_basis_and_its_change(week: Report):
    assert texts_of_tile(week, "merged") == ("6", "", "+1", "before: 5", "neutral")
    # (6 h + 8 h) / 2 = 7 h of 2, 4, 6, 8, 10, 12; 7 / 10 - 1 = -30 %
    assert texts_of_tile(week, "cycle_time") == (
        "7 h",
        "median of 6 pull requests",
        f"{MINUS}30%, better",
        "before: 10 h",
        "better",
    )
    assert texts_of_tile(week, "pickup") == (
        "3 h 30 min",
        "median of 6 reviewed pull requests",
        f"{MINUS}30%, better",
        "before: 5 h",
        "better",
    )
    # 15 / 20 against 20 / 20: 25 points, which are 5 pipelines
    assert texts_of_tile(week, "pipeline_success") == (
        "75.0%",
        "20 pipelines that passed or failed",
        f"{MINUS}25.0 points, worse",
        "before: 100%",
        "worse",
    )
    # 100 / 103 - 1 = -2.9 %
    assert texts_of_tile(week, "pipeline_duration") == (
        "1 min 40 s",
        "median of 20 pipelines",
        "about the same",
        "before: 1 min 43 s",
        "same",
    )
    assert texts_of_tile(week, "deployments") == ("0", "", "the same", "before: 0", "same")
    assert texts_of_tile(week, "lead_time") == (NOTHING, "no commits", "too few to compare", "no earlier value", "unknown")


def test_the_summary_names_the_largest_changes_the_worse_first(week: Report):
    assert week.summary == (
        "Worse: Pipelines successful 75.0% (before: 100%). "
        "Better: Cycle time 7 h (before: 10 h), Wait for first review 3 h 30 min (before: 5 h)."
    )
    assert report_of({}).summary == "No headline number is clearly better or worse than in the period before."


def test_a_failure_that_was_fixed_has_a_time_to_recover():
    """Failed at 10 h, the next successful deployment is at 13 h; likewise 5 times, and 5 times before the period."""
    ends = [(number * 10.0 + late, outcome) for number in range(5) for late, outcome in ((0, "FAILED"), (3, "SUCCESSFUL"))]
    rows = [
        deployment(number, end + shift, outcome)
        for shift in (1, -100)
        for number, (end, outcome) in enumerate(ends, int(shift) + 200)
    ]
    assert texts_of_tile(report_of({"deployments": rows}), "recovery") == (
        "3 h",
        "median of 5 failures that were fixed",
        "the same",
        "before: 3 h",
        "same",
    )


def test_excluded_people_are_not_named_but_counted():
    rows = {"reviews": [review(1, "Robin", 1, 2), review(2, "Dana", 1, 2)], "pull_requests": [pull_request(1, 0, 3)]}
    report = report_of(rows, exclude_people=["Robin", "Alex"])
    assert [row[0] for row in texts(report, "people")] == ["Dana"]
    assert texts(report, "slowest")[0][2] == "not named"
    assert texts(report_of(rows, exclude_people="*"), "people") == []


def test_a_repository_shows_its_change_where_it_can_be_compared():
    now = [pull_request(number, 1, 2) for number in range(6)]
    before = [pull_request(100 + number, -50, 4) for number in range(6)]
    (row,) = report_of({"pull_requests": now + before}).tables["repositories"].rows
    assert [cell.change for cell in row] == ["", "", f"{MINUS}50%, better", f"{MINUS}50%, better", "", "", "", "", ""]


def test_arrows_show_the_direction_of_a_change(week: Report):
    assert [tile(week, name).sign for name in ("merged", "cycle_time", "pipeline_success", "pipeline_duration")] == [
        "▲",
        "▼",
        "▼",
        "",
    ]


@pytest.mark.parametrize("now", [0, 4])
def test_few_items_are_not_compared(now: int):
    rows = [pull_request(number, opened=1, lasted=1) for number in range(now)]
    rows += [pull_request(10 + number, opened=-100, lasted=20) for number in range(9)]
    one = tile(report_of({"pull_requests": rows}), "cycle_time")
    assert (one.change, one.verdict, one.sign) == ("too few to compare", "unknown", "")


def test_one_more_failure_may_be_chance():
    """1 of 24 and 2 of 24: 4.2 points are one pipeline."""
    runs = [pipeline(number, number / 10, "FAILED" if number < 2 else "SUCCESSFUL") for number in range(24)]
    runs += [pipeline(100 + number, -50 + number / 10, "FAILED" if number < 1 else "SUCCESSFUL") for number in range(24)]
    assert tile(report_of({"pipelines": runs}), "pipeline_success").verdict == "unknown"


def test_a_share_is_compared_only_if_its_divisor_is_large_enough():
    """98 stopped, 1 successful and 1 failed: 50 % of 2. Before, 9 of 9. And 12 of 12 deployments failed, 12 succeeded before."""
    ends = ["STOPPED"] * 98 + ["SUCCESSFUL", "FAILED"]
    runs = [pipeline(number, 1, status) for number, status in enumerate(ends)]
    runs += [pipeline(200 + number, -50, "SUCCESSFUL") for number in range(9)]
    released = [deployment(number, number, "FAILED") for number in range(12)]
    released += [deployment(100 + number, number - 100, "SUCCESSFUL") for number in range(12)]
    report = report_of({"pipelines": runs, "deployments": released})
    few = ("50.0%", "2 pipelines that passed or failed", "too few to compare", "before: 100%", "unknown")
    assert texts_of_tile(report, "pipeline_success") == few
    worse = ("100%", "12 completed deployments", "+100.0 points, worse", "before: 0%", "worse")
    assert texts_of_tile(report, "change_failure_rate") == worse


def test_a_line_that_is_always_0_is_drawn():
    charts = {chart.name: chart for chart in report_of({"pipelines": [pipeline(1, 1, "FAILED", seconds=0)]}).charts}
    assert charts["pipeline-success"].series == {"success rate": [None, 0]}
    assert not charts["pipeline-success"].is_empty
    assert charts["throughput"].is_empty


def test_charts_cover_both_periods_by_week(week: Report):
    assert (week.weeks, week.old_weeks) == (["28 Sep", "5 Oct"], 1)
    charts = {chart.name: chart for chart in week.charts}
    assert charts["throughput"].series == {"opened": [5, 6], "merged": [5, 6]}
    assert charts["cycle-time"].series["until first review"] == [5 * 3600, 3.5 * 3600]
    assert charts["cycle-time"].series["until merge"] == [5 * 3600, 3.5 * 3600]
    assert charts["pipeline-success"].series == {"success rate": [1.0, 0.75]}
    assert charts["lead-time"].is_empty


def test_reviews_are_listed_by_how_many_and_a_deleted_account_has_a_row():
    rows = [review(number, "Robin", 1, 2) for number in range(3)]
    rows += [review(9, "Dana", 1, 5), review(10, "Dana", 1, None), review(11, None, 1, 4)]
    people = report_of({"reviews": rows}).tables["people"]
    assert [[cell.text for cell in row] for row in people.rows] == [
        ["Robin", "3", "60.0%", "3", "0", "2 h"],
        ["Dana", "1", "20.0%", "2", "1", "5 h"],
        ["deleted account", "1", "20.0%", "1", "0", "4 h"],
    ]
    assert [row[1].bar for row in people.rows] == [1, 1 / 3, 1 / 3]


def test_the_slowest_come_first_with_their_links():
    rows = [pull_request(number, opened=0, lasted=number, title=f"Take {number} h") for number in range(1, ROWS + 3)]
    slowest = report_of({"pull_requests": rows}).tables["slowest"]
    assert [cell.text for cell in slowest.rows[0]] == ["#10 Take 10 h", "api", "Alex", "10 h", "5 h", "0 s", "5 h"]
    assert slowest.rows[0][0].href == f"{WEB}/acme/api/pull-requests/10"
    assert len(slowest.rows) == ROWS


def test_the_longest_idle_pull_request_comes_first():
    rows = [pull_request(number, opened=-24.0 * number, lasted=None, author=None) for number in (5, 20, 30)]
    stalest = texts(report_of({"pull_requests": rows}), "stalest")
    # As of the end, 7 days after the period began.
    assert stalest == [
        ["#30 Change 30", "api", "deleted account", "37 d", "37 d", "1", "0"],
        ["#20 Change 20", "api", "deleted account", "27 d", "27 d", "1", "0"],
    ]


def test_every_repository_has_a_row_the_busiest_first():
    rows = [pull_request(1, 1, 2), pull_request(2, 1, 4), pull_request(3, 1, 9, repository="acme/web")]
    table = texts(report_of({"pull_requests": rows}, "acme/docs", "acme/web", "acme/api"), "repositories")
    assert table == [
        ["api", "2", "3 h", "1 h 30 min", "0", "0", NOTHING, NOTHING, "0"],
        ["web", "1", "9 h", "4 h 30 min", "0", "0", NOTHING, NOTHING, "0"],
        ["docs", "0", NOTHING, NOTHING, "0", "0", NOTHING, NOTHING, "0"],
    ]


@pytest.mark.parametrize(
    ("repositories", "title", "scope"),
    [
        (["acme/api"], "Bitbucket report: acme/api", "acme/api"),
        (["acme/api", "acme/web"], "Bitbucket report: acme", "acme, 2 repositories"),
        (["acme/api", "other/web"], "Bitbucket report: acme, other", "acme, other, 2 repositories"),
    ],
)
def test_the_heading_says_of_what_it_is(repositories: list[str], title: str, scope: str):
    report = report_of({}, *repositories)
    assert (report.title, report.scope) == (title, scope)


def test_a_subject_is_one_line():
    assert (
        report_of({}, title="Team\r\nBcc: all@example.com").subject == "Team Bcc: all@example.com: 5 October to 11 October 2026"
    )


def test_many_people_do_not_fill_the_page():
    rows = [review(number, f"Person {number}", 1, 2) for number in range(PEOPLE + 2)]
    people = report_of({"reviews": rows}).tables["people"]
    assert len(people.rows) == PEOPLE
    assert people.note.endswith(f"The {PEOPLE} of {PEOPLE + 2} people with the most reviews.")


def test_an_empty_workspace_has_no_numbers():
    report = report_of({})
    assert [one.number for one in report.tiles] == [0 if one.basis is None else None for one in HEADLINES if one.name != "size"]
    assert all(chart.is_empty for chart in report.charts)
    assert [name for name, table in report.tables.items() if table.rows] == ["weeks", "repositories"]


def test_only_pages_of_bitbucket_are_linked():
    hostile = ["javascript:alert(1)", "https://evil.example/acme/api", "https://bitbucket.org.evil.example/x", None]
    rows = [pull_request(number, 1, 2, url=url) for number, url in enumerate(hostile)]
    links: list[Any] = [row[0].href for row in report_of({"pull_requests": rows}).tables["slowest"].rows]
    assert links == [None] * 4


def test_a_period_that_is_not_of_weeks_has_all_weeks_that_it_touches():
    period = Period(at(36), at(36) + timedelta(days=7))
    report = report_of({}, period=period)
    assert report.weeks == ["28 Sep", "5 Oct", "12 Oct"]
    assert not period.is_whole
    assert PERIOD.is_whole
