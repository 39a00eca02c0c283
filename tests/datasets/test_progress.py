"""Estimates of the requests of an extraction, and its progress in the log."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_bitbucket.client import NO_RETRIES
from airflow_provider_bitbucket.extraction.dataset import Dataset
from bitbucket_cloud_emulator import BitbucketEmulator
from tests.emulator_data import client_of, open_pull_request, run_pipelines


@pytest.fixture
def bitbucket(bitbucket_emulator: BitbucketEmulator) -> BitbucketEmulator:
    """Twelve pull requests and three pipelines."""
    for _ in range(12):
        open_pull_request(bitbucket_emulator)
    run_pipelines(bitbucket_emulator, *[{"steps": [{"name": "Test", "seconds": 20}]}] * 3)
    bitbucket_emulator.reset_requests()
    return bitbucket_emulator


@pytest.mark.parametrize(
    ("dataset", "options"),
    [
        ("pull_requests", {}),
        ("pull_requests", {"with_commits": True, "with_diffstat": True}),
        ("pull_request_commits", {}),
        ("diffstats", {}),
        ("build_statuses", {}),
        ("branches", {}),
        ("pipelines", {}),
        ("pipeline_steps", {}),
    ],
)
def test_an_estimate_costs_one_request_and_is_what_the_extraction_sends(
    bitbucket: BitbucketEmulator, dataset: str, options: dict[str, Any]
) -> None:
    client = client_of(bitbucket)
    (estimate,) = Dataset(dataset).estimate(client, "api", **options)
    assert sum(bitbucket.requests().values()) == 1
    bitbucket.reset_requests()
    list(Dataset(dataset).read(client, "api", **options))
    assert sum(bitbucket.requests().values()) == estimate.requests


def test_an_estimate_counts_only_the_pull_requests_of_the_interval(bitbucket: BitbucketEmulator) -> None:
    (estimate,) = Dataset("pull_requests").estimate(
        client_of(bitbucket), "api", datetime(2099, 1, 1, tzinfo=UTC), with_commits=True
    )
    assert (estimate.rows, estimate.requests) == (0, 1)


def test_the_size_of_a_list_that_bitbucket_does_not_report_is_unknown(bitbucket: BitbucketEmulator) -> None:
    (estimate,) = Dataset("commits").estimate(client_of(bitbucket), "api")
    assert (estimate.repository, estimate.rows, estimate.requests) == ("acme/api", None, None)


def test_an_extraction_that_needs_more_than_is_left_of_the_hour_warns_after_its_first_request(
    bitbucket: BitbucketEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    records = iter(
        Dataset("pull_requests").read(client_of(bitbucket, rate_limit=20, retries=NO_RETRIES), "api", with_diffstat=True)
    )
    next(records)
    records.close()  # type: ignore[attr-defined]  # a generator, typed as an iterator
    assert re.search(
        r"pull_requests: about 24 more requests are needed, and 1\d of this hour are left; .* about \d+ min", caplog.text
    )


def test_progress_shows_the_wait_for_the_request_budget(bitbucket: BitbucketEmulator) -> None:
    client = client_of(bitbucket)
    extraction = Dataset("pull_requests").read(client, "api", with_commits=True)
    list(extraction)
    assert "1 of 1 repositories begun, 12 rows, 13 of about 13 requests" in extraction.progress
    client.budget.pause(60)
    assert "waiting for the request budget until " in extraction.progress


def test_an_extraction_within_the_budget_does_not_warn(bitbucket: BitbucketEmulator, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    list(Dataset("pull_requests").read(client_of(bitbucket), "api", with_diffstat=True))
    assert caplog.records == []
