"""One malformed record costs itself: it keeps what could be read, is counted and named, and its repository is still read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from airflow_provider_bitbucket.client import NO_RETRIES, BitbucketError, BitbucketServerError
from airflow_provider_bitbucket.datasets import DATASETS
from airflow_provider_bitbucket.datasets.schema import record_name
from airflow_provider_bitbucket.extraction.dataset import Dataset
from airflow_provider_bitbucket.extraction.extraction import Extraction
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.client.web_server import Answer, WebServer
from tests.datasets.bitbucket_answers import ANSWERS, client_for, serve, with_rows
from tests.emulator_data import REVIEWER, client_of, open_pull_request


def read(bitbucket: BitbucketEmulator, dataset: str = "pull_requests", **options: Any) -> Extraction:
    return Dataset(dataset).read(client_of(bitbucket, retries=NO_RETRIES), ["api"], **options)


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        serve(server)
        yield server


def frame_of(web: WebServer, dataset: str, **options: Any) -> tuple[pd.DataFrame, Extraction]:
    reading = Dataset(dataset).read(client_for(web), ["api"], **options)
    return reading.frame(), reading


PARTS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "commits": ("/commits", {"with_commits": True}, ["commits", "first_commit_on"]),
    "diffstat": ("/diffstat", {"with_diffstat": True}, ["lines_added", "lines_removed", "files_changed"]),
    "timeline": ("/activity", {"with_activity": True}, ["ready_on", "draft_seconds", "first_review_on", "review_rounds"]),
}


@pytest.mark.parametrize("status", [400, 404, 410, 500, 555])
@pytest.mark.parametrize("missing", PARTS)
def test_a_part_that_is_refused_for_good_is_null_and_reported(bitbucket_emulator: BitbucketEmulator, missing: str, status: int):
    path, options, columns = PARTS[missing]
    for _ in range(2):
        open_pull_request(bitbucket_emulator, (1, "approve", REVIEWER))
    bitbucket_emulator.fault("server_error", status=status, count=None, path=f"/1{path}")
    reading = read(bitbucket_emulator, **options)
    frame = reading.frame().set_index("id")
    assert frame.loc[1, columns].isna().all()
    assert frame.loc[1, "title"] == "Add search"
    assert frame.loc[2, columns].notna().all()
    (one,) = reading.incomplete
    assert (one.repository, one.record, one.missing) == ("acme/api", "pull request 1", missing)
    assert str(status) in one.error
    assert (reading.results[0].rows, reading.results[0].incomplete, reading.results[0].error) == (2, 1, None)
    assert reading.summary()["incomplete"] == [one.as_dict()]
    assert reading.summary()["repositories"][0]["incomplete"] == 1


@pytest.mark.parametrize(
    ("dataset", "path"),
    [
        ("pull_request_commits", "/1/commits"),
        ("diffstats", "/1/diffstat"),
        ("build_statuses", "/1/statuses"),
        ("reviews", "activity"),
    ],
)
def test_records_below_a_pull_request_follow_the_same_rule(bitbucket_emulator: BitbucketEmulator, dataset: str, path: str):
    for _ in range(2):
        open_pull_request(bitbucket_emulator, (1, "approve", REVIEWER))
    bitbucket_emulator.fault("server_error", status=500, count=None, path=path)
    reading = read(bitbucket_emulator, dataset)
    frame = reading.frame()
    assert 1 not in list(frame["pull_request_id"])
    assert "pull request 1" in [one.record.replace("build status", "pull request") for one in reading.incomplete]


@pytest.mark.parametrize("status", [401, 429, 502, 503])
def test_errors_that_say_nothing_about_the_record_fail_the_repository(bitbucket_emulator: BitbucketEmulator, status: int):
    open_pull_request(bitbucket_emulator)
    bitbucket_emulator.fault("server_error", status=status, count=None, path="/1/commits")
    with pytest.raises(BitbucketError):
        read(bitbucket_emulator, with_commits=True).frame()


def test_a_403_that_names_a_missing_scope_fails_the_repository(web: WebServer):
    detail = {"required": ["read:repository:bitbucket"], "granted": []}
    refused = {
        "type": "error",
        "error": {"message": "Your credentials lack one or more required privilege scopes.", "detail": detail},
    }
    web.answer("/2.0/repositories/acme/api/pullrequests/7/commits", Answer(refused, 403))
    with pytest.raises(BitbucketError, match="scope"):
        frame_of(web, "pull_requests", with_commits=True)


DATES = {
    "2020-01-01T00:00:00+51:00": datetime(2019, 12, 29, 21, tzinfo=UTC),
    "2020-01-01T00:00:00-51:30": datetime(2020, 1, 3, 3, 30, tzinfo=UTC),
    "2016-12-31T23:59:60+00:00": datetime(2017, 1, 1, tzinfo=UTC),
    "2016-12-31T23:59:60.5Z": datetime(2017, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC),
    "0000-01-01T00:00:00+00:00": None,
    "10000-01-01T00:00:00+00:00": None,
    "9999-12-31T23:59:59-05:00": None,
    "yesterday": None,
}


@pytest.mark.parametrize("text", DATES)
def test_a_commit_with_an_unusual_date_affects_no_other_commit(web: WebServer, text: str):
    good, path = ANSWERS["/2.0/repositories/acme/api/commits"]["values"][0], "/2.0/repositories/acme/api/commits"
    web.answer(path, with_rows([{**good, "hash": "b" * 40, "date": text}, good]))
    frame, reading = frame_of(web, "commits")
    expected = DATES[text]
    assert frame["date"].tolist() == [pd.NaT if expected is None else pd.Timestamp(expected), pd.Timestamp(good["date"])]
    assert [(one.record, one.missing) for one in reading.incomplete] == (
        [(f"commit {'b' * 40}", "date")] if expected is None else []
    )
    frame_of(web, "commits", since=datetime(2015, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("field", "value", "column"),
    [("links", "x", "url"), ("participants", [None], "approvals"), ("title", {"raw": "x"}, "title"), ("author", [], "author_id")],
)
def test_a_malformed_field_is_null_and_the_others_are_kept(web: WebServer, field: str, value: Any, column: str):
    path = "/2.0/repositories/acme/api/pullrequests"
    row = ANSWERS[path]["values"][0]
    web.answer(path, with_rows([{**row, field: value}]))
    frame, reading = frame_of(web, "pull_requests")
    assert frame[column].isna().all()
    assert (frame["id"][0], frame["destination_branch"][0]) == (7, "main")
    if field != "author":  # an empty list says what null says
        assert [(one.record, one.repository) for one in reading.incomplete] == [("pull request 7", "acme/api")]
        assert field in reading.incomplete[0].missing or column in reading.incomplete[0].missing
        assert "malformed response for pull request 7 of acme/api" in reading.incomplete[0].error


NO_KEY: dict[str, Callable[[dict[str, Any]], Any]] = {"removed": lambda row: {}, "null": lambda row: dict.fromkeys(row)}


@pytest.mark.parametrize("made", NO_KEY)
@pytest.mark.parametrize("dataset", DATASETS)
def test_a_row_without_its_key_is_dropped_and_reported(web: WebServer, dataset: str, made: str):
    path = {
        "pull_request_activity": "pullrequests/activity",
        "comments": "pullrequests/activity",
        "reviews": "pullrequests",
        "pull_requests": "pullrequests",
        "pull_request_commits": "pullrequests/7/commits",
        "diffstats": "pullrequests/7/diffstat",
        "build_statuses": "pullrequests/7/statuses",
        "branches": "refs/branches",
        "environments": "environments/",
        "deployments": "deployments/",
        "pipelines": "pipelines/",
        "pipeline_steps": "pipelines/%7B1%7D/steps",
        "test_reports": "pipelines/%7B1%7D/steps",
        "commits": "commits",
    }.get(dataset)
    full = {"members": "/2.0/workspaces/acme/members", "repositories": "/2.0/repositories/acme/api"}.get(
        dataset, f"/2.0/repositories/acme/api/{path}"
    )
    before, _ = frame_of(web, dataset)
    answer = ANSWERS[full]
    bad = with_rows([*answer["values"], NO_KEY[made](answer["values"][0])]) if "values" in answer else NO_KEY[made](answer)
    web.answer(full, bad)
    frame, reading = frame_of(web, dataset)
    if "values" in answer:
        pd.testing.assert_frame_equal(frame, before)
    else:
        assert frame.empty
    if dataset not in ("test_reports", "comments"):  # a step without a result has no report, an entry without a comment none
        assert [one.missing for one in reading.incomplete] == ["row"]
    assert reading.results[0].rows == len(frame)


def test_a_list_that_is_malformed_fails_the_repository_and_can_be_skipped(web: WebServer):
    web.answer("/2.0/repositories/acme/web/commits", {"values": "x"})
    client = client_for(web)
    with pytest.raises(BitbucketServerError):
        Dataset("commits").read(client, ["web"]).frame()
    reading = Dataset("commits").read(client, ["api", "web"], on_repository_error="skip")
    assert set(reading.frame()["repository"]) == {"acme/api"}
    assert [one.repository for one in reading.skipped] == ["acme/web"]


def test_a_status_that_comes_twice_is_one_row_and_the_newest_counts(web: WebServer):
    path = "/2.0/repositories/acme/api/pullrequests/7/statuses"
    old = ANSWERS[path]["values"][0]
    new = {**old, "state": "FAILED", "updated_on": "2026-10-09T08:00:00+00:00"}
    other = {**old, "key": "tests"}
    web.answer(path, with_rows([old, new, old, other]))
    frame, _ = frame_of(web, "build_statuses")
    assert list(zip(frame["key"], frame["state"], strict=True)) == [("lint", "FAILED"), ("tests", "SUCCESSFUL")]


def test_a_release_without_a_date_has_that_of_what_is_deployable(web: WebServer):
    path = "/2.0/repositories/acme/api/deployments/"
    row = ANSWERS[path]["values"][0]
    release = {name: value for name, value in row["release"].items() if name != "created_on"}
    web.answer(path, with_rows([{**row, "release": release, "deployable": {"created_on": "2026-10-03T07:00:00Z"}}]))
    assert frame_of(web, "deployments")[0]["released_on"][0] == pd.Timestamp("2026-10-03T07:00:00Z")


def test_many_incomplete_records_are_counted_and_not_all_logged(bitbucket_emulator: BitbucketEmulator, caplog: Any):
    for _ in range(12):
        open_pull_request(bitbucket_emulator)
    bitbucket_emulator.fault("server_error", status=555, count=None, path="/diffstat")
    reading = read(bitbucket_emulator, with_diffstat=True)
    assert reading.frame()["lines_added"].isna().all()
    assert reading.results[0].incomplete == 12
    assert caplog.text.count("has no diffstat") == 10
    assert "Further incomplete pull_requests of acme/api are counted and not logged." in caplog.text


def test_a_repository_in_two_spellings_is_read_once(web: WebServer):
    reading = Dataset("pull_requests").read(client_for(web), ["API", "acme/api", "Acme/Api", "{9}"])
    assert [one.repository for one in reading.results] == ["acme/API"]


@pytest.mark.parametrize("bound", ["since", "until"])
def test_a_bound_that_is_no_time_is_refused(web: WebServer, bound: str):
    with pytest.raises(ValueError, match=f"{bound} is NaT"):
        Dataset("commits").read(client_for(web), ["api"], **{bound: pd.NaT})
    assert web.asked == []


def test_bots_that_match_no_account_are_named_in_a_warning(web: WebServer, caplog: Any):
    Dataset("pull_requests").read(client_for(web), ["api"], bots=["alex", "Renovate"]).frame()
    assert "pull_requests: bots that match none of the accounts read: Renovate" in caplog.text


def test_records_have_a_name_in_messages():
    assert [
        record_name(one, 1) for one in ("pull_requests", "repositories", "branches", "build_statuses", "pull_request_activity")
    ] == [
        "pull request 1",
        "repository 1",
        "branch 1",
        "build status 1",
        "pull request activity 1",
    ]
