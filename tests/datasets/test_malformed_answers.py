"""Whatever stands in the rows of a list, no dataset fails because of it and none publishes a row without its key."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_bitbucket.datasets import DATASETS
from airflow_provider_bitbucket.datasets.frames import timestamp_series
from airflow_provider_bitbucket.datasets.intervals import parse_timestamp
from airflow_provider_bitbucket.extraction.dataset import Dataset
from tests.client.web_server import WebServer
from tests.datasets.bitbucket_answers import ANSWERS, client_for, serve

#: Columns of a key in which null is a value: a deleted account, an entry that is no comment, one of two paths.
MAY_BE_NULL = {"actor_id", "comment_id", "reviewer_id", "path", "old_path"}
OPTIONS = {"pull_requests": {"with_activity": True, "with_commits": True, "with_diffstat": True, "bots": ["alex"]}}


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers() | st.sampled_from([2**63, -(2**70), 10**400]),
    st.floats(allow_nan=False, allow_infinity=False),  # JSON has no others
    st.text(max_size=5)
    | st.sampled_from(["\ud800", "\x00", "²", "2020-01-01T00:00:00+51:00", "0000-01-01", "2016-12-31T23:59:60Z"]),
    st.sampled_from([[], {}, [None], [1], ["x"], {"uuid": {}}, {"get": 1}, [[]], nested(300)]),
)


def places(json: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value below the rows of an answer; the list itself and its page are the client's matter."""
    pairs = json.items() if isinstance(json, dict) else enumerate(json) if isinstance(json, list) else ()
    for name, value in pairs:
        inner = (*path, name)
        is_envelope = len(inner) == 1 and "values" in json
        is_row = len(inner) == 2 and path[0] == "values"
        if not is_envelope and not is_row:
            yield inner
        yield from places(value, inner)


PLACES = [(answer, path) for answer, json in ANSWERS.items() for path in places(json)]


def mutate(answers: dict[str, Any], answer: str, path: tuple[Any, ...], value: Any, is_removed: bool) -> None:
    at = answers[answer]
    for name in path[:-1]:
        at = (
            at[name]
            if isinstance(at, list) and isinstance(name, int) and name < len(at)
            else at.get(name)
            if isinstance(at, dict)
            else None
        )
        if at is None:
            return
    if isinstance(at, dict) and is_removed:
        at.pop(path[-1], None)
    elif isinstance(at, dict) or (isinstance(at, list) and isinstance(path[-1], int) and path[-1] < len(at)):
        at[path[-1]] = value


@pytest.fixture(scope="module")
def web() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Do not log: these tests make thousands of incomplete records."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("dataset", DATASETS)
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_malformed_records_cost_themselves_and_no_row_is_without_its_key(web: WebServer, dataset: str, data: st.DataObject):
    answers = copy.deepcopy(ANSWERS)
    asked = USED[dataset]
    spots = [place for place in PLACES if place[0] in asked]
    for (answer, path), value, is_removed in data.draw(
        st.lists(st.tuples(st.sampled_from(spots), ODD, st.booleans()), min_size=1, max_size=4)
    ):
        mutate(answers, answer, path, copy.deepcopy(value), is_removed)
    serve(web, answers)
    reading = Dataset(dataset).read(client_for(web), ["api"], **OPTIONS.get(dataset, {}))
    frame = reading.frame()
    schema = reading.dataset.schema
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()}.keys() == set(schema.names)
    assert frame[[name for name in schema.key if name not in MAY_BE_NULL]].notna().all(axis=None)
    assert reading.results[0].rows == len(frame)


#: What each dataset asks of the server.
_PR = "/2.0/repositories/acme/api/pullrequests"
_RUNS = "/2.0/repositories/acme/api/pipelines/"
USED = {
    "pull_requests": [_PR, f"{_PR}/7/activity", f"{_PR}/7/commits", f"{_PR}/7/diffstat"],
    "pull_request_activity": [f"{_PR}/activity"],
    "pull_request_commits": [_PR, f"{_PR}/7/commits"],
    "diffstats": [_PR, f"{_PR}/7/diffstat"],
    "commits": ["/2.0/repositories/acme/api/commits"],
    "branches": ["/2.0/repositories/acme/api/refs/branches"],
    "repositories": ["/2.0/repositories/acme/api"],
    "members": ["/2.0/workspaces/acme/members"],
    "environments": ["/2.0/repositories/acme/api/environments/"],
    "deployments": ["/2.0/repositories/acme/api/environments/", "/2.0/repositories/acme/api/deployments/"],
    "reviews": [_PR, f"{_PR}/7/activity"],
    "comments": [f"{_PR}/activity"],
    "pipelines": [_RUNS],
    "pipeline_steps": [_RUNS, f"{_RUNS}%7B1%7D/steps"],
    "test_reports": [_RUNS, f"{_RUNS}%7B1%7D/steps", f"{_RUNS}%7B1%7D/steps/%7B2%7D/test_reports"],
    "build_statuses": [_PR, f"{_PR}/7/statuses"],
}


@settings(deadline=None, max_examples=300)
@given(
    st.lists(ODD | st.from_regex(r"\d{4,5}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?", fullmatch=True), max_size=4)
)
def test_timestamps_never_raise(values: list[Any]):
    column = timestamp_series(values)
    assert str(column.dtype) == "datetime64[us, UTC]"
    for value, read in zip(values, column, strict=True):
        expected = parse_timestamp(value)
        assert (expected is None) == (str(read) == "NaT")
        if expected is not None:
            assert read.to_pydatetime() == expected


def test_a_leap_second_and_an_offset_of_days_name_a_time():
    assert [
        one and one.isoformat()
        for one in map(parse_timestamp, ["2016-12-31T23:59:60Z", "2020-01-01T00:00:00+51:00", "2020-13-01T00:00:00Z"])
    ] == [
        "2017-01-01T00:00:00+00:00",
        "2019-12-29T21:00:00+00:00",
        None,
    ]
