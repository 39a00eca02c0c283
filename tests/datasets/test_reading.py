"""Many repositories at once: in order, all of each or none, and nothing left behind."""

from __future__ import annotations

import logging
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_bitbucket.client import NO_RETRIES, AccessToken, BitbucketAuthError, BitbucketClient, BitbucketError
from airflow_provider_bitbucket.client.transport.budget import RateBudget
from airflow_provider_bitbucket.client.transport.errors import BitbucketServerError
from airflow_provider_bitbucket.datasets.spool import MemoryBudget, Spool
from airflow_provider_bitbucket.extraction import progress
from airflow_provider_bitbucket.extraction.dataset import Dataset
from airflow_provider_bitbucket.extraction.extraction import Extraction
from bitbucket_cloud_emulator import BitbucketEmulator
from bitbucket_cloud_emulator.pytest_plugin import NOW
from tests.emulator_data import client_of
from tests.operators.waiting import until

NAMES = ["acme/api", "acme/service-2", "acme/service-3"]
EACH = 60  # two pages


@pytest.fixture(scope="module")
def planted() -> Iterator[BitbucketEmulator]:
    with BitbucketEmulator("large", speed=0, now=NOW, pull_requests=3 * EACH, repositories=3) as bitbucket:
        yield bitbucket


@pytest.fixture
def three(planted: BitbucketEmulator) -> Iterator[BitbucketEmulator]:
    """Three repositories with two pages of pull requests each; for reading."""
    yield planted
    planted.clear_faults()


def read(bitbucket: BitbucketEmulator, names: Any = None, **options: Any) -> Extraction:
    return Dataset("pull_requests").read(client_of(bitbucket, retries=NO_RETRIES), names, **options)


def keys(records: Any) -> list[tuple[str, int]]:
    return [(record["repository"], record["pull_request"]["id"]) for record in records]


def refuse_second_page_of(bitbucket: BitbucketEmulator, slug: str) -> None:
    bitbucket.fault("server_error", path=f"/{slug}/pullrequests$", after=1, count=None)


@pytest.mark.parametrize("on_repository_error", ["fail", "skip"])
def test_rows_come_in_the_order_of_repositories_whichever_is_ready_first(three: BitbucketEmulator, on_repository_error: str):
    three.fault("latency", path="/api/", latency=0.2, count=None)
    got = read(three, on_repository_error=on_repository_error)
    assert keys(got) == [(name, number) for name in NAMES for number in range(1, EACH + 1)]
    assert keys(read(three, workers=1)) == keys(read(three))


def test_repositories_are_read_at_the_same_time_but_not_more_than_workers(three: BitbucketEmulator):
    with ThreadPoolExecutor() as pool:
        for workers in (1, 2, 3):
            three.fault("latency", path="/pullrequests$", latency=60, count=None)
            got = pool.submit(lambda workers=workers: len(list(read(three, NAMES, workers=workers))))
            until(lambda workers=workers: _held(three) >= workers)
            time.sleep(0.3)  # in which those that are too many would come
            assert _held(three) == workers
            three.clear_faults()
            assert got.result(timeout=30) == 3 * EACH


def _held(bitbucket: BitbucketEmulator) -> int:
    """How many requests the emulator holds up just now."""
    return sum(fault["struck"] for fault in bitbucket.control("GET", "faults"))


def test_each_repository_says_what_it_cost(three: BitbucketEmulator):
    got = read(three)
    assert len(list(got)) == 3 * EACH
    assert [(one.repository, one.rows, one.requests, one.error) for one in got.results] == [
        (name, EACH, 2, None) for name in NAMES
    ]
    assert all(one.seconds > 0 for one in got.results)
    assert got.results[0].as_dict().keys() == {"repository", "rows", "requests", "seconds", "incomplete", "error"}


def test_a_repository_that_fails_half_way_is_left_out_as_a_whole_and_named(
    three: BitbucketEmulator, caplog: pytest.LogCaptureFixture
):
    refuse_second_page_of(three, "service-2")
    got = read(three, on_repository_error="skip")
    assert {name for name, _ in keys(got)} == {"acme/api", "acme/service-3"}
    assert [(one.repository, one.rows, one.requests) for one in got.skipped] == [("acme/service-2", 0, 2)]
    assert "503" in str(got.skipped[0].error)
    assert "pull_requests: left out 1 of 3 repositories that could not be read: acme/service-2" in caplog.text


def test_by_default_a_repository_that_fails_ends_the_reading_before_the_others_are_read(three: BitbucketEmulator):
    refuse_second_page_of(three, "service-2")
    three.fault("latency", path="/service-3/", latency=0.3, count=None)
    three.reset_requests()
    with pytest.raises(BitbucketServerError) as error:
        list(read(three, [*reversed(NAMES)], workers=2))
    assert error.value.__notes__ == ["Raised while reading pull_requests of acme/service-2."]
    assert all("/api/" not in one["path"] for one in three.control("GET", "requests?recent=10")["recent"])


def test_if_no_repository_can_be_read_it_fails_though_it_may_skip(three: BitbucketEmulator):
    with pytest.raises(BitbucketError, match="404"):
        list(read(three, ["gone", "lost"], on_repository_error="skip"))


def test_refused_credentials_stop_it_though_it_may_skip(three: BitbucketEmulator):
    client = BitbucketClient(AccessToken("revoked"), "acme", three.api_url)
    with pytest.raises(BitbucketAuthError):
        list(Dataset("pull_requests").read(client, NAMES, on_repository_error="skip"))


def test_a_bug_is_not_skipped(three: BitbucketEmulator):
    with pytest.raises(TypeError):
        list(read(three, NAMES, on_repository_error="skip", with_everything=True))


def test_a_reading_that_is_abandoned_leaves_no_thread_and_no_file(
    three: BitbucketEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    three.fault("latency", path="/service-3/", latency=0.1, count=None)
    records = iter(read(three))
    next(records)
    assert [one.is_dir() for one in tmp_path.iterdir()] == [True]
    records.close()  # type: ignore[attr-defined]  # what a generator has, and what the end of its scope does
    assert list(tmp_path.iterdir()) == []
    assert not [one.name for one in threading.enumerate() if one.name.startswith("bitbucket-") and one.name[10:].isdigit()]


def test_progress_is_logged_while_requests_are_pending(
    three: BitbucketEmulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(progress, "PROGRESS_SECONDS", 0.02)
    three.fault("latency", path="/api/", latency=0.3, count=None)
    list(read(three, NAMES))
    assert re.search(r"pull_requests: 3 of 3 repositories begun, 1[0-9]0 rows, [456] of about 6 requests in \d+ s; ", caplog.text)


@pytest.mark.parametrize("wrong", [{"on_repository_error": "ignore"}, {"workers": 0}])
def test_invalid_options_are_refused_before_any_repository_is_read(three: BitbucketEmulator, wrong: dict[str, Any]):
    three.reset_requests()
    with pytest.raises(ValueError, match=r"on_repository_error is 'ignore'; expected one of fail, skip|workers is 0; expected"):
        read(three, NAMES, **wrong)
    assert three.requests() == {}


@pytest.mark.parametrize("room", [0, 150, 5000])
@pytest.mark.parametrize("count", [0, 1, 100, 101, 350])
def test_buffered_records_are_the_same_from_memory_and_from_disk(tmp_path: Path, count: int, room: int):
    records = [{"id": number, "at": NOW} for number in range(count)]
    shared = MemoryBudget(room)
    spool = Spool(tmp_path / "0", shared)
    spool.fill(iter(records))
    assert shared.free >= 0
    assert bool(list(tmp_path.iterdir())) == (count > room)
    assert list(spool.take()) == records
    assert list(tmp_path.iterdir()) == []
    assert shared.free == room


def test_an_error_is_not_taken_for_a_skip_before_it_is_decided_whether_the_others_may_go_on():
    """The consumer never sees a failure that is being classified, however long that takes: here the count of requests is slow."""

    class SlowToCount(RateBudget):
        @property
        def sent_here(self) -> int:
            time.sleep(0.2)
            return 0

    def one_is_gone(repository: str, *_: Any) -> Iterator[Any]:
        if repository == "acme/gone":
            raise BitbucketServerError("It is gone.")
        yield repository

    got = Extraction(Dataset("pull_requests"), one_is_gone, ["acme/api", "acme/gone"], None, None, SlowToCount())
    with pytest.raises(BitbucketServerError, match=r"It is gone\."):
        list(got)
    assert got.skipped == []
